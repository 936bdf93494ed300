"""Lists by pages, for façades."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Row = TypeVar("Row")


def page_below(
    newest_first: Iterable[Row], position: Callable[[Row], int], before: int | None, limit: int
) -> tuple[list[Row], int | None]:
    """At most `limit` rows whose position lies below `before` (None: from the top), and where the next page starts; None ends.

    `position` falls from row to row. Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"a page of {limit} rows")
    page: list[Row] = []
    for row in newest_first:
        if before is not None and position(row) >= before:
            continue
        if len(page) == limit:
            return page, position(page[-1])
        page.append(row)
    return page, None
