"""Background liquidity: what the rest of the world has resting around the mark, a pure function of (seed, market, tick)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random

from exchange_clients.domain.instruments import Instrument

LEVELS = 25
_TOUCH_NOTIONAL = (6_000.0, 20_000.0)
_GAP_BPS = 1.0


@dataclass
class Level:
    """Resting size at a price that belongs to nobody here."""

    price: Decimal
    size: Decimal


def background(instrument: Instrument, mark: Decimal, random: Random, spread_bps: float) -> tuple[list[Level], list[Level]]:
    """Bids and asks around `mark`, best first, on the instrument's grid. `spread_bps`: distance between best bid and best ask.

    The touch holds some 10,000 of quote currency a side, deeper levels more; 25 levels reach about 0.8 % from the mark.
    """
    step = instrument.price_rule.step_at(mark * Decimal("1.02"))
    steps_at_mark = mark / step
    half = max(Decimal("0.5"), steps_at_mark * Decimal(repr(round(spread_bps / 20_000, 9))))
    first_bid = int((steps_at_mark - half).to_integral_value(ROUND_FLOOR))
    first_ask = int((steps_at_mark + half).to_integral_value(ROUND_CEILING))
    gap_steps = float(steps_at_mark) * _GAP_BPS / 10_000
    bids: list[Level] = []
    asks: list[Level] = []
    for level in range(LEVELS):
        away = max(level, round(gap_steps * level * (1 + level / 10)))
        if first_bid - away > 0:
            bids.append(_level(instrument, step * (first_bid - away), level, random))
        asks.append(_level(instrument, step * (first_ask + away), level, random))
    return bids, asks


def _level(instrument: Instrument, price: Decimal, level: int, random: Random) -> Level:
    notional = random.uniform(*_TOUCH_NOTIONAL) * (1 + level / 5)
    lots = max(1, int(notional / float(price) / float(instrument.lot_size)))
    return Level(price, max(instrument.min_size, lots * instrument.lot_size))


def coarser(levels: list[tuple[Decimal, Decimal]], step: Decimal, away: str) -> list[tuple[Decimal, Decimal]]:
    """One side of a book, best first, put together on a grid of `step`; `away`: the rounding that leads away from the touch."""
    merged: dict[Decimal, Decimal] = {}
    for price, size in levels:
        at = (price / step).to_integral_value(away) * step
        merged[at] = merged.get(at, Decimal(0)) + size
    return list(merged.items())
