"""What a broken or hostile venue may send in the place of what it promised."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

ODD = (
    *(None, True, False, 0, -1, 1, 7, 10**19, 10**40, -(2**63), 0.5, -0.0, 1e308, 1e-320),
    *(
        "",
        " ",
        "0",
        "-1",
        "1e400",
        "1E-400",
        "NaN",
        "nan",
        "-inf",
        "Infinity",
        "0x",
        "0x1f",
        "1_000",
        "１２",
        "1,5",
        "+1",
        "None",
    ),
    *(
        "null",
        "unknown",
        "open",
        "filled",
        "BUY",
        "A",
        "\u0000",
        "é\ud7ff",
        "a" * 300,
        "9" * 60,
        "0." + "3" * 60,
        "2026-01-03T00:00:00Z",
    ),
    *([], {}, [[]], [None], [{}], {"": None}, [1, 2], ["1", "2"], [["1", "2"]], {"data": None}, [[[[[[]]]]]]),
)
NO_NUMBERS = (
    *("NaN", "-NaN", "sNaN", "Infinity", "-inf", "1e400", "-1", "0", "-0", "", " ", "x", "1e-400", "0x1", "1__0"),
    0,
    -1,
    10**30,
    None,
)
ROWS_TRIED = 4
HEADERS = (
    {},
    {"retry-after": "inf"},
    {"retry-after": "nan"},
    {"retry-after": "-5"},
    {"retry-after": "1e300"},
    {"ratelimit": ";t=;;=9"},
)
STATUSES = (200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 418, 422, 429, 500, 503)

anything = st.recursive(
    st.sampled_from(ODD) | st.text(max_size=8) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def mutated(draw: Draw, body: bytes) -> bytes:
    """`body` with something wrong in it; where it is JSON, mostly inside of one value."""
    how = draw(st.sampled_from(("value", "value", "value", "value", "drop", "twice", "cut", "bytes", "noise")))
    if how == "bytes":
        return bytes(draw(st.binary(max_size=60)))
    if how == "cut":
        return body[: draw(st.integers(0, max(len(body) - 1, 0)))]
    if how == "noise":
        at = draw(st.integers(0, len(body)))
        return body[:at] + draw(st.binary(min_size=1, max_size=4)) + body[at:]
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return body + b"}"
    root = [tree]
    for _ in range(draw(st.integers(1, 2))):
        fields = _fields(root)
        holder, key = draw(st.sampled_from(fields[draw(st.sampled_from(sorted(fields)))]))
        if how == "drop" and isinstance(holder, dict):
            holder.pop(key, None)
        elif how == "twice" and isinstance(holder, list) and holder is not root:
            holder.insert(key, holder[key])
        elif _is_number(holder[key]) and draw(st.booleans()):
            holder[key] = draw(st.sampled_from(NO_NUMBERS))
        else:
            holder[key] = deepcopy(draw(anything))  # what is drawn is shared, and may be changed next
    return _encoded(root[0])


def with_each_number_as(body: bytes, odd: Any) -> dict[str, bytes]:
    """`body` once for every field that holds a number, with `odd` in its place. By the field's path."""
    try:
        names = sorted(_fields([msgspec.json.decode(body)]))
    except msgspec.DecodeError:
        return {}
    found = {}
    for name in names:
        root = [msgspec.json.decode(body)]
        holder, key = _fields(root)[name][0]
        if _is_number(holder[key]):
            holder[key] = odd
            found[name] = _encoded(root[0])
    return found


def _fields(root: list[Any]) -> dict[str, list[tuple[Any, Any]]]:
    """Where each field of a tree stands, the first few times: rows of a list are alike, so its fields are drawn, not its rows."""
    found: dict[str, list[tuple[Any, Any]]] = {}
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, holder = waiting.pop()
        for key in list(holder) if isinstance(holder, dict) else range(min(len(holder), ROWS_TRIED)):
            name = f"{path}/{key}" if isinstance(holder, dict) else f"{path}/*"
            found.setdefault(name, []).append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append((name, holder[key]))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and value[-1:].isdigit())


def _encoded(tree: Any) -> bytes:
    try:
        return msgspec.json.encode(tree)
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError, ValueError):
        return str(tree).encode("utf-8", "surrogatepass")  # numbers that JSON libraries refuse, spelt out
