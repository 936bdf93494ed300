"""The bounds of a paired execution. Times are in market ms; the composition scales them for accelerated clocks."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal


@dataclass(frozen=True)
class ExecutionLimits:
    """Sizes in USD of one leg, prices in basis points, times in ms.

    `clip_usd`: size of one order, and with it the bound of naked exposure; the last order takes a rest of up to half a clip
    along. `enter_slippage_bps`: how far beyond the touch an opening order goes. `hedge_slippage_bps`: the same for the hedge,
    one entry per attempt, the last being the market fallback; after it the lead leg is unwound. `depth_factor`: visible depth
    wanted per clip. `price_band_bps`: how far the two mids may differ. `margin_reserve`: free collateral wanted per unit of
    initial margin. `naked_ms_max`: how long a leg may be unhedged before it is unwound. `doubt_after_ms`: how long an order
    may be without a verdict before the venue is asked. `order_ms_max`: how long one may rest before it is cancelled.
    `settle_ms`: between two readings of a position that must agree before the venue's word replaces ours. `cycles_max`:
    open–unwind rounds before nothing more is opened.
    """

    clip_usd: Decimal = Decimal(500)
    enter_slippage_bps: float = 5.0
    hedge_slippage_bps: tuple[float, ...] = (10.0, 30.0, 100.0)
    spread_bps_max: float = 15.0
    price_band_bps: float = 100.0
    depth_factor: float = 1.5
    liquidation_distance_min: float = 0.10
    assumed_maintenance: float = 0.05
    margin_reserve: float = 1.2
    cycles_max: int = 3
    stale_after_ms: int = 5_000
    naked_ms_max: int = 10_000
    doubt_after_ms: int = 3_000
    order_ms_max: int = 10_000
    retry_ms: int = 1_000
    settle_ms: int = 3_000
    enter_ms_max: int = 120_000
    account_check_ms: int = 60_000

    def __post_init__(self) -> None:
        if self.clip_usd <= 0:
            raise ValueError("clip_usd must be positive")
        if not self.hedge_slippage_bps or list(self.hedge_slippage_bps) != sorted(self.hedge_slippage_bps):
            raise ValueError("hedge_slippage_bps needs at least one entry, each no smaller than the one before")
        if self.cycles_max < 1:
            raise ValueError("cycles_max must be at least 1")

    def scaled(self, speed: float) -> ExecutionLimits:
        """The same bounds on a clock that runs `speed` times as fast as the wire."""
        times = {f.name: round(getattr(self, f.name) * speed) for f in fields(self) if "_ms" in f.name}
        return replace(self, **times)
