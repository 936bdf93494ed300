"""Stories that a venue does not live up to yet, with what is missing. Strike a row as soon as its story is green."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

AWAITED: dict[str, str] = {}


def mark_awaited(items: list[pytest.Item]) -> None:
    """Expect those stories to be red, and say so when they are not."""
    for item in items:
        missing = awaited(item.name)
        if missing:
            why = f"awaited: {missing}; when it is green, strike its row from tests/support/awaited.py"
            item.add_marker(pytest.mark.xfail(reason=why, strict=True))


def awaited(test: str) -> str:
    """Why this story is red still, or ""."""
    return next((missing for pattern, missing in AWAITED.items() if fnmatch(test, pattern)), "")
