"""The same rows under other names: sockets often send what REST sends, with one-letter names."""

from __future__ import annotations

from collections.abc import Mapping
from types import GenericAlias
from typing import Any, TypeVar

import msgspec

from exchange_clients.engine.channel_frames import DataFrame

Row = TypeVar("Row", bound=msgspec.Struct)


def renamed(row: type[Row], names: Mapping[str, str]) -> type[Row]:
    """A subclass of `row` whose fields are read from members of other names. `names`: member → field.

    Every field that is named must be there, even where `row` has a default for it; the others keep their defaults.
    """
    members = {field: member for member, field in names.items()}
    fields = {field.name: field for field in msgspec.structs.fields(row)}
    named = [(name, fields[name].type, msgspec.field(name=members[name])) for name in fields if name in members]
    made: Any = msgspec.defstruct(f"Short{row.__name__}", named, bases=(row,), frozen=True, kw_only=True)
    renamed_row: type[Row] = made
    return renamed_row


def frame_of_rows(row: type[msgspec.Struct]) -> Any:
    """The type of a frame with a list of such rows."""
    generic: Any = DataFrame
    return generic[GenericAlias(list, (row,))]


def words(pairs: str) -> dict[str, str]:
    """A table of names, written `"i=order_id s=symbol …"`."""
    return dict(pair.split("=", 1) for pair in pairs.split())
