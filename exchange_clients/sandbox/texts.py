"""Numbers as façades write them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import TypeVar

from exchange_clients.domain.instruments import wire_text

Number = TypeVar("Number", Decimal, Decimal | None)
Text = TypeVar("Text", str, str | None)
_DERIVED = Context(prec=12)


def exact(number: Decimal | None) -> str | None:
    """Every digit that the number came with, without exponent; None stays null."""
    return None if number is None else format(number, "f")


def pointed(number: Decimal) -> str:
    """Whole numbers with one zero behind the point; others plain, without exponent or trailing zeros."""
    plain = wire_text(number)
    return plain if "." in plain else f"{plain}.0"


def texts(write: Callable[[Number], Text], **numbers: Number) -> dict[str, Text]:
    """The members of a JSON object that are numbers written by `write`."""
    return {name: write(number) for name, number in numbers.items()}


def derived(number: Decimal | None) -> str | None:
    """A number that was computed, to twelve figures; None stays null."""
    return None if number is None else wire_text(_DERIVED.plus(number))


def measured(number: float | None) -> Decimal | None:
    """An observation, to six places, as a number that can be written."""
    return None if number is None else Decimal(repr(round(number, 6)))
