"""A seeded market: prices are a pure function of (seed, venue, asset, time), whatever the pattern of questions."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from functools import lru_cache
from hashlib import blake2b

from exchange_clients.domain.provenance import Provenance
from exchange_clients.sandbox.prices import MarketState

_ASSETS: dict[str, tuple[str, float]] = {  # name: (price at the start, annual volatility)
    "BTC": ("90000", 0.45),
    "ETH": ("3100", 0.65),
    "SOL": ("135", 0.8),
    "XRP": ("2.05", 0.8),
    "DOGE": ("0.1450", 0.9),
    "kPEPE": ("0.006100", 1.1),
    "HYPE": ("25.50", 1.0),
    "2Z": ("0.12700", 1.0),
    "BNB": ("870", 0.55),
    "LINK": ("13.20", 0.8),
    "AVAX": ("13.60", 0.85),
    "SUI": ("1.650", 0.95),
}
_SECONDS_PER_YEAR = 31_536_000
_OCTAVE_MS = tuple(2_000 * 4**octave for octave in range(11))  # 2 s to 24 days
_PRICE = Context(prec=9)
_PREMIUM_QUANTUM = Decimal("1e-8")
_MARK_SHARE_OF_PREMIUM = Decimal("0.2")


class ModelPrices:
    """An index path per asset, common to all venues, and a mean-reverting premium per venue and asset.

    Premium levels lie within about ±0.15 %, beyond the clamp of funding formulas, so that funding differs between venues. Marks
    carry a fifth of the premium: they are medians that follow the index more closely than the impact prices premiums come from.
    """

    provenance = Provenance.SANDBOX
    end_ms: int | None = None

    def __init__(self, seed: int, start_ms: int) -> None:
        self.seed = seed
        self.start_ms = start_ms
        self._first_logs = {name: self._walk(name, start_ms) for name in _ASSETS}

    def describe(self) -> str:
        return f"seeded model, seed {self.seed}"

    def assets(self, venue: str) -> tuple[tuple[str, Decimal], ...]:
        return tuple((name, Decimal(price)) for name, (price, _) in _ASSETS.items())

    def state(self, venue: str, name: str, now_ms: int) -> MarketState | None:
        if name not in _ASSETS:
            return None
        price, volatility = _ASSETS[name]
        log_return = volatility * (self._walk(name, now_ms) - self._first_logs[name])
        index = _PRICE.create_decimal_from_float(float(price) * math.exp(log_return))
        premium = self._premium(venue, name, now_ms)
        size = 0.5 + abs(self._noise(f"{venue}:{name}:size", 0))
        return MarketState(
            mark=_PRICE.multiply(index, 1 + premium * _MARK_SHARE_OF_PREMIUM),
            index=index,
            premium=premium,
            funding_rate=None,
            funding_known=True,
            open_interest_usd=round(4e7 * size, 2),
            volume_24h_usd=round(1.5e8 * size * (1 + 0.2 * self._smooth(f"{venue}:{name}:volume", now_ms, 14_400_000)), 2),
        )

    def _premium(self, venue: str, name: str, now_ms: int) -> Decimal:
        level = 0.0012 * self._noise(f"{venue}:{name}:level", 0)
        swing = 0.0002 * self._smooth(f"{venue}:{name}:premium", now_ms, 3_600_000)
        drift = 0.0003 * self._smooth(f"{venue}:{name}:premium", now_ms, 43_200_000)
        return Decimal(repr(level + swing + drift)).quantize(_PREMIUM_QUANTUM)

    def _walk(self, name: str, now_ms: int) -> float:
        """A random walk of unit annual volatility: octaves of smooth noise whose height grows with the root of their length."""
        return sum(
            math.sqrt(octave_ms / 1000 / _SECONDS_PER_YEAR) * self._smooth(name, now_ms, octave_ms) for octave_ms in _OCTAVE_MS
        )

    def _smooth(self, key: str, now_ms: int, step_ms: int) -> float:
        """Noise in [−1, 1] that passes through an independent value every `step_ms`."""
        step, within_ms = divmod(now_ms, step_ms)
        share = within_ms / step_ms
        weight = share * share * (3 - 2 * share)
        key = f"{key}:{step_ms}"
        return (1 - weight) * self._noise(key, step) + weight * self._noise(key, step + 1)

    def _noise(self, key: str, step: int) -> float:
        return _noise(self.seed, key, step)


@lru_cache(maxsize=65_536)
def _noise(seed: int, key: str, step: int) -> float:
    digest = blake2b(f"{seed}:{key}:{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**63 - 1
