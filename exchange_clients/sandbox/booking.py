"""The arithmetic of positions and money: exact, quantised once, the same number booked and reported."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from exchange_clients.domain.instruments import Instrument


@dataclass(frozen=True)
class Booking:
    """A position after a trade: signed `size`, `cost` (Σ signed size × price of what is open), and what the trade realised."""

    size: Decimal
    cost: Decimal
    realised_pnl: Decimal


def book_trade(size: Decimal, cost: Decimal, change: Decimal, price: Decimal, quantum: Decimal) -> Booking:
    """Apply a trade of signed `change` at `price` to a position.

    What a close realises is quantised, and the cost it releases is the exact complement, so nothing is lost between them: when
    the position is flat again, Σ realised = −Σ signed size × price. `quantum` must divide price step × lot (`pnl_quantum`).
    """
    if size * change >= 0:
        return Booking(size + change, cost + change * price, Decimal(0))
    closed = -size if abs(change) >= abs(size) else change
    opened = change - closed
    proceeds = -(closed * price)
    if closed == -size:
        return Booking(opened, opened * price, money(proceeds - cost, quantum))
    realised = money(proceeds + cost * closed / size, quantum)
    return Booking(size + closed, cost - (proceeds - realised), realised)


def pnl_quantum(instrument: Instrument, money_quantum: Decimal) -> Decimal:
    """The step of realised results: `money_quantum`, or finer where one price step times one lot is finer."""
    finest = instrument.price_rule.tick * instrument.lot_size
    return Decimal(1).scaleb(min(_exponent(money_quantum), _exponent(finest)))


def money(amount: Decimal, quantum: Decimal) -> Decimal:
    """`amount` on the step of `quantum`; zero has no sign."""
    rounded = amount.quantize(quantum, ROUND_HALF_EVEN)
    return abs(rounded) if rounded == 0 else rounded


def _exponent(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{number} is not a step")
    return exponent
