"""What it costs to put a pair on and to take it off. Costs are paid once per round trip, never once per funding interval.

Everything is a fraction of one leg's notional and works on numbers and arrays alike; NaN means unknown.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from funding_rate_service.models.opportunities import FeeRole

Values = NDArray[np.float64]

_MINUTES_PER_DAY = 1440.0


class LegCosts(NamedTuple):
    """One leg, one way. `half_spread` and `slippage` are NaN where unknown; `total` leaves unknown parts out."""

    fee: Values
    half_spread: Values
    slippage: Values
    total: Values


def leg_costs(fee: Values, half_spread: Values, volume_24h_usd: Values, size_usd: float, role: FeeRole) -> LegCosts:
    """Cost of trading `size_usd` on one venue, one way.

    A taker pays the fee, half the spread, and slippage; a maker pays the fee only. Slippage is an estimate, since public
    summaries carry no depth: taking what trades in a minute on average moves the price by one half-spread, other sizes by the
    square root of their share (the square-root law of market impact).
    """
    if role is FeeRole.MAKER:
        nothing = np.zeros_like(half_spread)
        return LegCosts(fee, nothing, nothing, fee + nothing)
    per_minute = np.where(volume_24h_usd > 0, volume_24h_usd / _MINUTES_PER_DAY, np.nan)
    slippage = half_spread * np.sqrt(size_usd / per_minute)
    return LegCosts(fee, half_spread, slippage, fee + np.nan_to_num(half_spread) + np.nan_to_num(slippage))


def assumptions(role: FeeRole, long_dex: str, short_dex: str, long: LegCosts, short: LegCosts) -> list[str]:
    """In words, what the costs of these two legs (scalars) assume or leave out."""
    said = ["fees are the venues' default tiers"]
    if role is FeeRole.MAKER:
        return [*said, "both legs rest and fill at the touch; no spread is paid"]
    for dex, leg in ((long_dex, long), (short_dex, short)):
        if np.isnan(leg.half_spread):
            said.append(f"{dex}: no quotes, spread and slippage are left out")
        elif np.isnan(leg.slippage):
            said.append(f"{dex}: no volume, slippage is left out")
        else:
            said.append(f"{dex}: slippage is estimated from spread and volume, not from depth")
    return said
