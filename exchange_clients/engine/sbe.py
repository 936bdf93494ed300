"""Simple Binary Encoding (FIX Trading Community): frames of a header, a block of fixed fields, groups of rows and texts at the end.

Whoever reads takes each part's length from the frame: fields that a newer schema appends are skipped, not misread.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error

HEADER = Struct("<HHHH")
_GROUP = Struct("<HH")
_GROUP_HEAD = Struct("<I")  # the same, as one number
_PAIR_BYTES = 16
_LAYOUTS_KEPT, _ROWS_KEPT = 1024, 64
_layouts: dict[int, Struct] = {}


def template(frame: bytes) -> tuple[int, int]:
    """(template, schema) of a frame; (0, 0) of what is none."""
    if len(frame) < HEADER.size:
        return 0, 0
    _, kind, schema, _ = HEADER.unpack_from(frame)
    return kind, schema


def block_end(frame: bytes) -> int:
    """Where the groups begin."""
    return int(HEADER.size + HEADER.unpack_from(frame)[0])


def pairs(frame: bytes, at: int) -> tuple[tuple[int, ...], int]:
    """The group that begins at `at`, of rows that begin with two int64: these, one row's after the other's, and where it ends.

    Raises struct.error for a group that does not fit into the frame, or whose rows are shorter.
    """
    (head,) = _GROUP_HEAD.unpack_from(frame, at)
    layout = _layouts.get(head) or _layout_of_pairs(head, len(frame) - at)
    at += 4
    return layout.unpack_from(frame, at), at + layout.size


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


def _layout_of_pairs(head: int, size_max: int) -> Struct:
    """The rows of a group by its head; those of usual size are kept. No frame has more than `size_max` bytes of them."""
    length, count = head & 0xFFFF, head >> 16
    if (count and length < _PAIR_BYTES) or length * count > size_max:
        raise error(f"{count} rows of {length} bytes can't be pairs in {size_max} bytes")
    made = Struct(f"<{2 * count}q" if length == _PAIR_BYTES else "<" + f"qq{length - _PAIR_BYTES}x" * count)
    if count <= _ROWS_KEPT and len(_layouts) < _LAYOUTS_KEPT:
        _layouts[head] = made
    return made
