"""When a pair that is held should be given up: one pure function."""

from __future__ import annotations

from dataclasses import dataclass

from exchange_clients.domain.funding import HOURS_PER_YEAR


@dataclass(frozen=True)
class ExitRules:
    """`apr_percent_min`: leave when carry falls below it, once `hold_ms_min` has passed. `hold_ms_max`: leave at the latest then
    (None = no limit). `divergence_bps_max`: leave when the price difference has moved this far against us.
    `liquidation_distance_min`: leave when a leg's liquidation price is nearer than this fraction of the mid.
    """

    apr_percent_min: float = 0.0
    hold_ms_min: int = 3_600_000
    hold_ms_max: int | None = None
    divergence_bps_max: float = 200.0
    liquidation_distance_min: float = 0.05


@dataclass(frozen=True)
class HeldPair:
    """What is known of a held pair. None means unknown, and the unknown is no reason to leave.

    `carry_hourly`: fraction of one leg's notional. `against_us_bps`: how much the price difference has cost since opening.
    """

    held_ms: int
    carry_hourly: float | None
    against_us_bps: float | None
    liquidation_distance: float | None


def exit_reason(rules: ExitRules, pair: HeldPair) -> str:
    """Why to leave, in words; "" to stay."""
    if pair.liquidation_distance is not None and pair.liquidation_distance < rules.liquidation_distance_min:
        return f"liquidation is only {pair.liquidation_distance:.1%} away"
    if pair.against_us_bps is not None and pair.against_us_bps > rules.divergence_bps_max:
        return f"prices moved {pair.against_us_bps:.0f} bps against the pair"
    if rules.hold_ms_max is not None and pair.held_ms >= rules.hold_ms_max:
        return f"held for {pair.held_ms / 3_600_000:.1f} h"
    if pair.carry_hourly is None:
        return ""
    if pair.carry_hourly < 0:
        return "funding flipped"
    apr_percent = pair.carry_hourly * HOURS_PER_YEAR * 100
    if pair.held_ms >= rules.hold_ms_min and apr_percent < rules.apr_percent_min:
        return f"carry fell to {apr_percent:.2f} % a year"
    return ""
