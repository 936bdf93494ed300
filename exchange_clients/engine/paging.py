"""Reading every page of a list, whichever way a venue turns pages. Bounded, so that a venue that repeats itself can't hang us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from exchange_clients.engine.bounds import ROWS_MAX
from exchange_clients.errors import ProtocolViolation

Row = TypeVar("Row")

PAGES_MAX = 10_000


async def pages_by_cursor(
    fetch: Callable[[str | None], Awaitable[tuple[list[Row], str | None]]], venue: str, name: str
) -> list[Row]:
    """Rows of all pages in the venue's order. `fetch(cursor)` gives a page and the next cursor; None or "" ends."""
    rows: list[Row] = []
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page, cursor = await fetch(cursor)
        rows += page
        _require_bounded(len(rows), venue, name)
        if not cursor or not page:
            return rows
    raise ProtocolViolation(venue, name, f"the list goes on after {PAGES_MAX} pages")


async def pages_by_time(
    fetch: Callable[[int], Awaitable[list[Row]]],
    since_ms: int,
    page_rows_max: int,
    identity: Callable[[Row], Hashable],
    time_ms: Callable[[Row], int],
    venue: str,
    name: str,
) -> list[Row]:
    """Rows since `since_ms`, oldest first, each once. Pages overlap by one instant, since rows share instants.

    Raises ProtocolViolation where a page is full of a single instant: what lies behind it can't be asked for, and a list that
    ends there in silence would be told as whole.
    """
    rows: dict[Hashable, Row] = {}
    for _ in range(PAGES_MAX):
        page = await fetch(since_ms)
        rows |= {identity(row): row for row in page}
        _require_bounded(len(rows), venue, name)
        if len(page) < page_rows_max:
            return sorted(rows.values(), key=time_ms)
        newest_ms = max(time_ms(row) for row in page)
        if newest_ms <= since_ms:
            raise ProtocolViolation(
                venue, name, f"{len(page)} rows of one instant ({since_ms} ms) fill a page; more may follow"
            )
        since_ms = newest_ms
    raise ProtocolViolation(venue, name, f"the list goes on after {PAGES_MAX} pages")


def _require_bounded(rows: int, venue: str, name: str) -> None:
    if rows > ROWS_MAX:
        raise ProtocolViolation(venue, name, f"the list is longer than {ROWS_MAX} rows; reading it was given up")
