"""What the bot may do at most: a pure function between intents and venues."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from exchange_clients.domain.side import Side
from exchange_clients.trading.intents import Intent, OpenPairIntent, PairPlan, PlaceIntent


@dataclass(frozen=True)
class RiskLimits:
    """USD amounts are notional, never margin. `venue_exposure_usd_max`: sum of legs on one venue."""

    pair_usd_max: Decimal = Decimal(5000)
    pair_usd_min: Decimal = Decimal(20)
    venue_exposure_usd_max: Decimal = Decimal(10_000)
    leverage_max: int = 5
    daily_loss_usd_max: Decimal = Decimal(100)
    liquidation_distance_min: Decimal = Decimal("0.10")

    def __post_init__(self) -> None:
        if self.leverage_max < 1 or min(self.pair_usd_max, self.venue_exposure_usd_max, self.daily_loss_usd_max) <= 0:
            raise ValueError("limits must be positive")


class Exposure(msgspec.Struct, frozen=True):
    """What we have now. `venue_usd`: notional held or planned per venue. `loss_today_usd`: positive = lost.

    `positions`: signed, venue units, by (pair id, venue, symbol). `plans`: of the open pairs, by id.
    """

    venue_usd: dict[str, Decimal]
    loss_today_usd: Decimal
    positions: dict[tuple[str, str, str], Decimal]
    plans: dict[str, PairPlan]


class Approved(msgspec.Struct, frozen=True):
    """Go; `shrunk_because` says why a pair became smaller than asked, "" when it did not."""

    intent: Intent
    shrunk_because: str = ""


class Blocked(msgspec.Struct, frozen=True):
    """Do not; `reason` names the limit."""

    reason: str


Verdict = Approved | Blocked


def review(intent: Intent, exposure: Exposure, limits: RiskLimits) -> Verdict:
    """Judge one intent. Only pairs shrink, and both legs alike; orders pass or do not; reading always passes."""
    match intent:
        case OpenPairIntent(plan=plan):
            return _review_pair(plan, exposure, limits)
        case PlaceIntent(purpose=purpose) if purpose.reduces:
            return _review_reduction(intent, exposure)
        case PlaceIntent():
            return _review_opening(intent, exposure)
        case _:
            return Approved(intent)


def _review_pair(plan: PairPlan, exposure: Exposure, limits: RiskLimits) -> Verdict:
    if exposure.loss_today_usd >= limits.daily_loss_usd_max:
        return Blocked(f"{exposure.loss_today_usd} lost today, the limit is {limits.daily_loss_usd_max}")
    if plan.leverage > limits.leverage_max:
        return Blocked(f"leverage {plan.leverage} is above the limit of {limits.leverage_max}")
    distance = liquidation_distance(plan)
    if distance < limits.liquidation_distance_min:
        return Blocked(f"liquidation would be {distance:.1%} away, the limit is {limits.liquidation_distance_min:.1%}")
    room = min(limits.venue_exposure_usd_max - exposure.venue_usd.get(venue, Decimal(0)) for venue in plan.venues)
    allowed = min(room, limits.pair_usd_max)
    if allowed < limits.pair_usd_min:
        return Blocked(f"{allowed} USD of room, the least worth opening is {limits.pair_usd_min}")
    if plan.notional_usd <= allowed:
        return Approved(OpenPairIntent(plan))
    smaller = shrink(plan, allowed)
    return Approved(OpenPairIntent(smaller), f"{plan.notional_usd:.2f} USD asked, {allowed:.2f} allowed")


def _review_opening(intent: PlaceIntent, exposure: Exposure) -> Verdict:
    plan, request = exposure.plans.get(intent.pair_id), intent.request
    if plan is None:
        return Blocked(f"there is no open pair {intent.pair_id}")
    instrument = request.instrument
    side = Side.BUY if instrument == plan.long else Side.SELL
    if instrument not in (plan.long, plan.short) or request.side is not side:
        return Blocked(f"{request.side} {instrument.symbol} on {instrument.venue} is not what {intent.pair_id} opens")
    after = _position(intent, exposure) * side.sign + request.size
    if after * instrument.multiplier > plan.size_base:
        return Blocked(f"{instrument.venue} {instrument.symbol}: {after} would be more than the {plan.size_base} planned")
    return Approved(intent)


def _review_reduction(intent: PlaceIntent, exposure: Exposure) -> Verdict:
    request, position = intent.request, _position(intent, exposure)
    where = f"{request.instrument.venue} {request.instrument.symbol}"
    if not request.reduce_only:
        return Blocked(f"{where}: an order that closes must be reduce-only")
    if position * request.side.sign >= 0:
        return Blocked(f"{where}: a {request.side} does not reduce a position of {position}")
    if request.size > abs(position):
        return Blocked(f"{where}: {request.size} would turn a position of {position} around")
    return Approved(intent)


def liquidation_distance(plan: PairPlan) -> Decimal:
    """How far the price may move against either leg at the chosen leverage, as a fraction; the nearer leg counts.

    Maintenance margin is taken as half of the initial margin at the venue's highest leverage, 5 % where it does not say.
    """
    highest = (plan.long.max_leverage, plan.short.max_leverage)
    return min(1 / Decimal(plan.leverage) - (Decimal("0.05") if most is None else 1 / (2 * most)) for most in highest)


def shrink(plan: PairPlan, notional_usd: Decimal) -> PairPlan:
    """Both legs smaller alike; the executor keeps to whole lots of both venues."""
    size = plan.size_base * notional_usd / plan.notional_usd
    return msgspec.structs.replace(plan, size_base=size, notional_usd=notional_usd)


def _position(intent: PlaceIntent, exposure: Exposure) -> Decimal:
    instrument = intent.request.instrument
    return exposure.positions.get((intent.pair_id, instrument.venue, instrument.symbol), Decimal(0))
