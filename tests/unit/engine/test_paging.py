"""Lists by pages are whole: nothing is lost at a border between two pages, nothing comes twice, and nothing goes on for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.engine.paging import PAGES_MAX, pages_by_cursor, pages_by_time
from exchange_clients.errors import ProtocolViolation
from exchange_clients.sandbox.virtual_loop import run_virtual

Row = tuple[int, str]
"""When, and which."""


def read_by_time(rows: list[Row], page_rows_max: int, since_ms: int = 0) -> tuple[list[Row], int]:
    """What is read of a venue that lists `rows` oldest first from a time on, and in how many calls."""
    calls = 0

    async def fetch(start_ms: int) -> list[Row]:
        nonlocal calls
        calls += 1
        return [row for row in rows if row[0] >= start_ms][:page_rows_max]

    async def main() -> list[Row]:
        return await pages_by_time(fetch, since_ms, page_rows_max, lambda row: row[1], lambda row: row[0], "venue", "list")

    return run_virtual(main), calls


def test_two_rows_of_one_instant_on_both_sides_of_a_border() -> None:
    rows = [(1, "a"), (2, "b"), (3, "c"), (3, "d"), (4, "e")]
    found, calls = read_by_time(rows, page_rows_max=3)
    assert found == rows and calls == 3


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(0, 31))
def test_every_row_is_read_once_when_an_instant_is_smaller_than_a_page(times: list[int], since_ms: int) -> None:
    rows = [(at, str(number)) for number, at in enumerate(sorted(times))]
    fits = max((times.count(at) for at in times), default=0) + 1
    found, _ = read_by_time(rows, max(fits, 2), since_ms)
    assert found == [row for row in rows if row[0] >= since_ms]


def test_an_instant_that_fills_a_page_is_said_not_cut_off() -> None:
    with pytest.raises(ProtocolViolation, match="rows of one instant"):
        read_by_time([(1, "a"), (2, "b"), (2, "c"), (3, "d")], page_rows_max=2)


def test_cursors_are_followed_to_the_end() -> None:
    pages: dict[str | None, tuple[list[int], str | None]] = {None: ([1, 2], "x"), "x": ([3], "y"), "y": ([4], "")}

    async def fetch(cursor: str | None) -> tuple[list[int], str | None]:
        return pages[cursor]

    assert run_virtual(lambda: pages_by_cursor(fetch, "venue", "list")) == [1, 2, 3, 4]


def test_a_list_without_an_end_is_a_broken_promise() -> None:
    calls = 0

    async def fetch(cursor: str | None) -> tuple[list[int], str | None]:
        nonlocal calls
        calls += 1
        return [calls], "again"

    with pytest.raises(ProtocolViolation, match="goes on"):
        run_virtual(lambda: pages_by_cursor(fetch, "venue", "list"))
    assert calls == PAGES_MAX


def test_a_list_is_given_up_when_it_is_longer_than_any_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange_clients.engine.paging.ROWS_MAX", 100)

    async def by_cursor(cursor: str | None) -> tuple[list[int], str | None]:
        return list(range(60)), "more"

    async def by_time(start_ms: int) -> list[Row]:
        return [(start_ms + number, f"{start_ms + number}") for number in range(60)]

    for read in (
        lambda: pages_by_cursor(by_cursor, "venue", "list"),
        lambda: pages_by_time(by_time, 0, 60, lambda row: row[1], lambda row: row[0], "venue", "list"),
    ):
        with pytest.raises(ProtocolViolation, match="longer than 100 rows"):
            run_virtual(read)
