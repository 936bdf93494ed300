"""Decimal arithmetic that does not depend on the program around us.

Decimal's results depend on a context that belongs to the thread: a host that set six digits or another rounding would change our
money without a word. What computes with Decimals here does it in `EXACT`.
"""

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, FloatOperation, InvalidOperation, Overflow, localcontext
from functools import wraps
from math import isfinite
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

DIGITS = 100
EXACT = Context(
    prec=DIGITS,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)


def exact(work: Callable[P, R]) -> Callable[P, R]:
    """A function, not a coroutine, that computes in `EXACT` whatever context its caller has."""

    @wraps(work)
    def in_exact(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return work(*args, **kwargs)

    return in_exact


@exact
def total(numbers: Iterable[Decimal]) -> Decimal:
    """Their sum, to the last digit."""
    return sum(numbers, Decimal(0))


def decimal_of(number: object) -> Decimal:
    """The Decimal that a number is written as: ints and Decimals as they are, floats (numpy's too) by their shortest text.

    Raises ValueError for anything that is not a number, and for what is not finite.
    """
    if isinstance(number, Decimal):
        found = number
    elif isinstance(number, bool) or not hasattr(number, "__float__") or isinstance(number, str):
        raise ValueError(f"{number!r} is not a number")
    elif isinstance(number, int):
        found = Decimal(number)
    else:
        found = Decimal(repr(float(number)))
    if not found.is_finite():
        raise ValueError(f"{number!r} is not a finite number")
    return found


def require_finite(owner: object, *numbers: Decimal | float | None) -> None:
    """Raise ValueError when one of the numbers of a value is none: NaN and infinities are no money, and compare as nothing does."""
    for number in numbers:
        if number is not None and not isfinite(number):
            raise ValueError(f"a {type(owner).__name__} with {number} in it")


def text_number(text: str | None) -> Decimal | None:
    """The finite number that `text` spells, or None: what a venue wrote instead of a number is unknown, not an error."""
    try:
        found = Decimal(text) if text else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def said_number(said: object) -> Decimal | None:
    """The finite number that a venue wrote, as text or as a number, or None for whatever else it wrote."""
    return None if said is None else text_number(str(said))


def float_number(text: str | float | None) -> float | None:
    """The finite float that `text` spells, or None."""
    try:
        found = float(text) if text is not None and text != "" else None
    except ValueError:
        return None
    return found if found is not None and found - found == 0 else None
