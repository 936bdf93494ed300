"""Candles, for façades: open, high, low and close of the mark, sampled, and a volume where somebody knows one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from exchange_clients.sandbox.reads import ExchangeReads
from exchange_clients.sandbox.rules import MS_PER_HOUR

CANDLES_MAX = 4_000
_UNITS_MS = {"m": 60_000, "h": MS_PER_HOUR, "d": 24 * MS_PER_HOUR, "w": 168 * MS_PER_HOUR, "M": 720 * MS_PER_HOUR}


def interval_ms(text: str) -> int:
    """Milliseconds of `1m`, `4h`, `1d`, `1w` or `1M` (30 days). Raises ValueError or KeyError for anything else."""
    return int(text[:-1]) * _UNITS_MS[text[-1:]]


@dataclass(frozen=True)
class Candle:
    """`volume`: base units; None when unknown."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: float | None


def candles(exchange: ExchangeReads, venue_symbol: str, first_ms: int, last_ms: int, step_ms: int) -> Iterator[Candle]:
    """Candles that opened in [`first_ms`, `last_ms`] and not later than now, on the grid of `step_ms`, oldest first.

    Raises Rejected for a market that is not listed, ValueError for more than CANDLES_MAX of them.
    """
    exchange.state(venue_symbol)
    now_ms, first_ms = exchange.clock.now_ms(), max(first_ms, exchange.prices.start_ms) // step_ms * step_ms
    last_ms = min(last_ms, now_ms)
    if (last_ms - first_ms) // step_ms >= CANDLES_MAX:
        raise ValueError(f"more than {CANDLES_MAX} candles")
    for open_ms in range(first_ms, last_ms + 1, step_ms):
        instants = [min(now_ms, open_ms + part) for part in (0, step_ms // 2, step_ms - 1)]
        states = [state for at_ms in instants if (state := exchange.find_state(venue_symbol, at_ms)) is not None]
        if states:
            marks, daily = [state.mark for state in states], states[-1].volume_24h_usd
            volume = None if daily is None else daily * step_ms / (24 * MS_PER_HOUR) / float(marks[-1])
            yield Candle(open_ms, marks[0], max(marks), min(marks), marks[-1], volume)
