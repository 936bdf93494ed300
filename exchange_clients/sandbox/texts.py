"""Numbers as façades write them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

Number = TypeVar("Number", Decimal, Decimal | None)
Text = TypeVar("Text", str, str | None)


def exact(number: Decimal | None) -> str | None:
    """Every digit that the number came with, without exponent; None stays null."""
    return None if number is None else format(number, "f")


def texts(write: Callable[[Number], Text], **numbers: Number) -> dict[str, Text]:
    """The members of a JSON object that are numbers written by `write`."""
    return {name: write(number) for name, number in numbers.items()}
