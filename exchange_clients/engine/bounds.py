"""How much a venue may send or be sent. Beyond these a venue is broken or hostile; the call or the socket ends with an error.

The largest real replies and frames known (whole market lists, a thousand executions, deep books) are under 2 MiB.
"""

from __future__ import annotations

BODY_BYTES_MAX = 16 * 2**20
"""One HTTP reply, decompressed."""

FRAME_BYTES_MAX = 16 * 2**20
"""One WebSocket message, all its fragments together."""

UNSENT_FRAMES_MAX = 10_000
"""Frames that wait to be sent on one socket; a peer that takes none is gone."""

BOOK_LEVELS_MAX = 10_000
"""Levels on one side of one book."""

ROWS_MAX = 1_000_000
"""Rows of one list, all pages together."""
