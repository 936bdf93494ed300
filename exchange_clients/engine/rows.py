"""Lists whose rows are read one by one, so that an odd row never takes the others along."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import msgspec

from exchange_clients.engine.guarded import UNREADABLE_DATA
from exchange_clients.errors import ProtocolViolation

Item = TypeVar("Item")
ROW_SHOWN_BYTES = 200


def row_of(raw: msgspec.Raw, kind: type[Item]) -> Item:
    """One row as a wire type. Raises MsgspecError."""
    reads: Any = kind
    found: Item = _decoder(reads).decode(raw)
    return found


def member(raw: msgspec.Raw, name: str, kind: type[Item]) -> Item:
    """One member of a row, whatever else stands in it. Raises MsgspecError where it is missing or of another kind."""
    wanted: Any = kind
    found: Item = row_of(raw, _holder(name, wanted)).member
    return found


def readable(rows: Iterable[msgspec.Raw] | None, read: Callable[[msgspec.Raw], Item | None]) -> list[Item]:
    """What `read` makes of every row, without those that it can't read and those that it makes nothing of.

    For lists of markets and of figures, where a market that can't be understood is better left out.
    """
    found = []
    for raw in rows or ():
        try:
            item = read(raw)
        except UNREADABLE_DATA:
            continue
        if item is not None:
            found.append(item)
    return found


def every(
    rows: Iterable[msgspec.Raw] | None, read: Callable[[msgspec.Raw], Item | None], venue: str, operation: str
) -> list[Item]:
    """What `read` makes of every row, without those that it makes nothing of.

    For lists of our own money, where nothing may be missing. Raises ProtocolViolation naming the first row that can't be read.
    """
    found = []
    for raw in rows or ():
        try:
            item = read(raw)
        except UNREADABLE_DATA as error:
            shown = bytes(raw)[:ROW_SHOWN_BYTES].decode("utf-8", "replace")
            detail = f"a row can't be read ({error}): {shown}"
            raise ProtocolViolation(venue, operation, detail, bytes(raw)) from error
        if item is not None:
            found.append(item)
    return found


@cache
def _holder(name: str, kind: Any) -> Any:
    return msgspec.defstruct("Holder", [("member", kind, msgspec.field(name=name))], frozen=True)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)
