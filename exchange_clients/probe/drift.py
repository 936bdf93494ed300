"""How a venue differs from what the clients know: what they read, and what the sandbox, which speaks as the documents do, shows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from exchange_clients.probe.fields import Kinds, Known, known_fields


class DriftKind(StrEnum):
    """BROKEN: a client can't read this any more."""

    BROKEN = "broken"
    NEW = "new"
    MISSING = "missing"
    RETYPED = "another type"


class Drift(msgspec.Struct, frozen=True, order=True):
    """One difference, of one row of the venue's table. `path` and kinds only: no value is told."""

    row: str
    kind: DriftKind
    path: str
    detail: str


def compare(row: str, shape: Any, seen: Kinds, documented: Kinds) -> list[Drift]:
    """Differences between what was `seen`, what the wire type `shape` reads, and what the sandbox shows (`documented`).

    Nothing is said about what was not there to be looked at: rows of an empty list, members of a null.
    """
    known = known_fields(shape)
    found: list[Drift] = []
    unexplained: list[str] = []
    for path, kinds in seen.items():
        parent = _parent(path)
        if path not in known and path not in documented:
            if parent not in unexplained:  # a new object is told once, not with all that is in it
                found.append(Drift(row, DriftKind.NEW, path, _words(kinds)))
            unexplained.append(path)
            continue
        found += _retyped(row, path, kinds, known, documented)
    for path in known.keys() | documented.keys():
        if path in seen or not path or _parent(path) not in seen:
            continue
        if not _could_hold(path, seen):
            continue
        if path in known and known[path].required:
            found.append(Drift(row, DriftKind.BROKEN, path, "missing, and a client needs it"))
        elif path in documented and _is_always_there(path, documented):
            found.append(Drift(row, DriftKind.MISSING, path, _reader(path, known)))
    return sorted(found)


def _retyped(row: str, path: str, kinds: Any, known: Any, documented: Kinds) -> list[Drift]:
    expected = set(documented.get(path, ()))
    readable = set(known[path].kinds) if path in known else set()
    foreseen = (
        expected | (readable - {"number", "text"}) if expected else readable
    )  # numbers are read from text and the reverse
    strange = set(kinds) - foreseen if foreseen else set()
    if not strange:
        return []
    was = " or ".join(sorted(expected or readable))
    unreadable = readable and strange - readable
    kind = DriftKind.BROKEN if unreadable else DriftKind.RETYPED
    return [Drift(row, kind, path, f"{' or '.join(sorted(strange))} where {was} was known")]


def _parent(path: str) -> str:
    cuts = [path.rfind(mark) for mark in (".", "[", "{")]
    return path[: max(cuts)] if max(cuts) >= 0 else ""


def _could_hold(path: str, seen: Kinds) -> bool:
    """Whether what holds `path` was there as an object; of lists and maps nothing is expected."""
    return path.startswith(f"{_parent(path)}.") and "object" in seen[_parent(path)]


def _reader(path: str, known: Mapping[str, Known]) -> str:
    """Whether a client reads it. Rows that are read one by one are not described by the type of the list they stand in."""
    if path in known:
        return "a client reads it"
    parent = _parent(path)
    while parent and parent not in known:
        parent = _parent(parent)
    return "no client reads it" if known.get(parent, Known(frozenset(), False)).kinds else "a client may read it"


def _is_always_there(path: str, kinds: Kinds) -> bool:
    return sum(kinds[path].values()) >= kinds[_parent(path)].get("object", 0)


def _words(kinds: Any) -> str:
    return " or ".join(sorted(kinds))
