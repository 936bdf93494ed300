"""Which fields JSON held, and of which kind each was; no value is kept.

A field is named by its path: `.results[].market`, `[1][].funding` (second of two), `.prices{}` (any member of a map).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

FIELDS_MAX = 2_000
MEMBERS_MAX = 60
"""An object that no type describes and that has more members than this is a map: its keys are data."""

ROWS_LOOKED_AT = 300
"""Of a long list only so many rows are looked at."""

_KINDS = {bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object", type(None): "null"}

Kinds = Mapping[str, Mapping[str, int]]


class Fields:
    """`kinds`: by path, how often each kind was seen. `shape`: the row's wire type, which tells maps and pairs from lists."""

    def __init__(self, shape: Any) -> None:
        self._shape = None if shape is None or shape is Any else msgspec.inspect.type_info(shape)
        self.kinds: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, value: Any) -> None:
        """Look at one decoded reply or frame."""
        self._walk("", value, self._shape)

    def _walk(self, path: str, value: Any, shape: Any) -> None:
        if path not in self.kinds and len(self.kinds) >= FIELDS_MAX:
            return
        self.kinds[path][_KINDS.get(type(value), "other")] += 1
        if isinstance(value, dict):
            fits = variant(shape, "object")
            members = members_of(fits)
            if members is None and (isinstance(fits, msgspec.inspect.DictType) or len(value) > MEMBERS_MAX):
                for inner in list(value.values())[:ROWS_LOOKED_AT]:
                    self._walk(f"{path}{{}}", inner, getattr(fits, "value_type", None))
                return
            for name, inner in value.items():
                self._walk(f"{path}.{name}", inner, (members or {}).get(name))
        elif isinstance(value, list):
            fits = variant(shape, "list")
            if isinstance(fits, msgspec.inspect.TupleType):
                for number, inner in enumerate(value[: len(fits.item_types)]):
                    self._walk(f"{path}[{number}]", inner, fits.item_types[number])
                return
            for inner in value[:ROWS_LOOKED_AT]:
                self._walk(f"{path}[]", inner, getattr(fits, "item_type", None))


class Known(msgspec.Struct, frozen=True):
    """What a wire type expects at one path. `kinds`: which JSON it reads; empty: anything."""

    kinds: frozenset[str]
    required: bool


def known_fields(shape: Any) -> dict[str, Known]:
    """Every path that a wire type reads."""
    found: dict[str, Known] = {}
    if shape is not None and shape is not Any:
        _collect("", msgspec.inspect.type_info(shape), True, found, 0)
    return found


def _collect(path: str, shape: Any, required: bool, found: dict[str, Known], depth: int) -> None:
    if depth > 16:  # a type that holds itself
        return
    found[path] = Known(readable(shape), required)
    for part in shape.types if isinstance(shape, msgspec.inspect.UnionType) else (shape,):
        if isinstance(part, msgspec.inspect.StructType):
            for field in part.fields:
                _collect(f"{path}.{field.encode_name}", field.type, field.required, found, depth + 1)
        elif isinstance(part, msgspec.inspect.TupleType):
            for number, item in enumerate(part.item_types):
                _collect(f"{path}[{number}]", item, True, found, depth + 1)
        elif isinstance(part, msgspec.inspect.DictType):
            _collect(f"{path}{{}}", part.value_type, False, found, depth + 1)
        elif hasattr(part, "item_type"):
            _collect(f"{path}[]", part.item_type, False, found, depth + 1)


def readable(shape: Any) -> frozenset[str]:
    """Kinds of JSON that a type reads, leniently: numbers come as text as well."""
    inspect = msgspec.inspect
    if isinstance(shape, inspect.UnionType):
        parts = [readable(part) for part in shape.types]
        return frozenset() if frozenset() in parts else frozenset().union(*parts)
    if isinstance(shape, (inspect.IntType, inspect.FloatType, inspect.DecimalType)):
        return frozenset({"number", "text"})
    if isinstance(shape, (inspect.StrType, inspect.UUIDType, inspect.DateTimeType, inspect.EnumType)):
        return frozenset({"text"})
    if isinstance(shape, inspect.LiteralType):
        return frozenset(_KINDS.get(type(value), "other") for value in shape.values)
    if isinstance(shape, inspect.BoolType):
        return frozenset({"bool"})
    if isinstance(shape, inspect.NoneType):
        return frozenset({"null"})
    if isinstance(shape, (inspect.StructType, inspect.DictType)):
        return frozenset({"object"})
    if isinstance(shape, inspect.TupleType) or hasattr(shape, "item_type"):
        return frozenset({"list"})
    return frozenset()


def variant(shape: Any, kind: str) -> Any:
    """The part of a union that reads `kind`; the shape itself where it is none."""
    if not isinstance(shape, msgspec.inspect.UnionType):
        return shape
    return next((part for part in shape.types if kind in readable(part)), None)


def members_of(shape: Any) -> dict[str, Any] | None:
    """The members of a struct by their names in JSON; None for what is no struct."""
    if not isinstance(shape, msgspec.inspect.StructType):
        return None
    return {field.encode_name: field.type for field in shape.fields}
