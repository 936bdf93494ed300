"""Simple Binary Encoding (FIX Trading Community): frames of a header, a block of fixed fields, groups of rows and texts at the end.

Whoever reads takes each part's length from the frame: fields that a newer schema appends are skipped, not misread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from struct import Struct
from typing import Any

HEADER = Struct("<HHHH")
_GROUP = Struct("<HH")


def template(frame: bytes) -> tuple[int, int]:
    """(template, schema) of a frame; (0, 0) of what is none."""
    if len(frame) < HEADER.size:
        return 0, 0
    _, kind, schema, _ = HEADER.unpack_from(frame)
    return kind, schema


def block_end(frame: bytes) -> int:
    """Where the groups begin."""
    return int(HEADER.size + HEADER.unpack_from(frame)[0])


def group(frame: bytes, at: int, row: str) -> tuple[Iterable[tuple[Any, ...]], int]:
    """The rows of the group that begins at `at`, as `row` lays out their first fields, and where the group ends."""
    end = after_group(frame, at)
    if end > len(frame):
        raise ValueError(f"a group ends at {end} in a frame of {len(frame)} bytes")
    length, _ = _GROUP.unpack_from(frame, at)
    return _row(row, length).iter_unpack(frame[at + _GROUP.size : end]), end


def after_group(frame: bytes, at: int) -> int:
    """Where the group that begins at `at` ends; beyond the frame where that is none."""
    if at + _GROUP.size > len(frame):
        return len(frame) + 1
    length, count = _GROUP.unpack_from(frame, at)
    return int(at + _GROUP.size + length * count)


def text(frame: bytes, at: int) -> bytes:
    """The text (at most 255 bytes) that begins at `at`, b"" where there is none."""
    return frame[at + 1 : at + 1 + frame[at]] if at < len(frame) else b""


def framed(kind: int, schema: int, version: int, block: bytes, *rest: bytes) -> bytes:
    """A frame: header, block, then groups and texts as they are given."""
    return b"".join((HEADER.pack(len(block), kind, schema, version), block, *rest))


def grouped(row: str, rows: Sequence[tuple[int, ...]]) -> bytes:
    """A group of rows."""
    layout = Struct(f"<{row}")
    return _GROUP.pack(layout.size, len(rows)) + b"".join(layout.pack(*fields) for fields in rows)


def texted(words: str) -> bytes:
    """A text of at most 255 bytes."""
    return bytes((len(words.encode()),)) + words.encode()


@cache
def _row(row: str, length: int) -> Struct:
    known = Struct(f"<{row}").size
    return Struct(f"<{row}{length - known}x") if length > known else Struct(f"<{row}")
