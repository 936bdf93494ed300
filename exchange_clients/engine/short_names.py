"""The same rows under other names: sockets often send what REST sends, with one-letter names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import GenericAlias
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)


def renamed(row: type[Row], names: Mapping[str, str], may_miss: Collection[str] = ()) -> type[Row]:
    """A subclass of `row` whose fields are read from members of other names. `names`: member → field.

    Every field that is named must be there, even where `row` has a default for it, but for those that `may_miss`; the others keep
    their defaults.
    """
    members = {field: member for member, field in names.items()}
    fields = {field.name: field for field in msgspec.structs.fields(row)}
    named = [
        (name, fields[name].type, msgspec.field(name=members[name], default=fields[name].default))
        if name in may_miss
        else (name, fields[name].type, msgspec.field(name=members[name]))
        for name in fields
        if name in members
    ]
    made: Any = msgspec.defstruct(f"Short{row.__name__}", named, bases=(row,), frozen=True, kw_only=True)
    renamed_row: type[Row] = made
    return renamed_row


def rows_of(envelope: Any, row: type[msgspec.Struct]) -> Any:
    """The type of an envelope (a reply, a frame) around a list of such rows."""
    return envelope[GenericAlias(list, (row,))]


def words(pairs: str) -> dict[str, str]:
    """A table of names, written `"i=order_id s=symbol …"`."""
    return dict(pair.split("=", 1) for pair in pairs.split())
