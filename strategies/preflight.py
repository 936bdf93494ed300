"""Whether two legs may be opened now: every reason against it, in words. No reasons means go."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.market import OrderBook
from exchange_clients.domain.side import Side
from strategies.execution_limits import ExecutionLimits
from strategies.pair_arithmetic import (
    BPS,
    common_size,
    depth_base,
    limit_price,
    liquidation_distance,
    mid_base,
    smallest_order,
    taker_cost,
    venue_size,
)


class LegView(msgspec.Struct, frozen=True):
    """What is known of one leg at a moment. `book_ms`: when the book was last confirmed. `available_usd`: free collateral."""

    instrument: Instrument
    side: Side
    book: OrderBook | None
    book_ms: int
    available_usd: Decimal | None


def preflight(
    long: LegView, short: LegView, size_base: Decimal, leverage: int, limits: ExecutionLimits, now_ms: int
) -> tuple[str, ...]:
    """Reasons against opening `size_base` (base units) on both legs at `leverage`."""
    blind = [reason for leg in (long, short) for reason in _blindness(leg, limits, now_ms)]
    if blind or long.book is None or short.book is None:
        return tuple(blind)
    reasons = _agreement(long, short, limits)
    if common_size(size_base, long.instrument, short.instrument) <= 0:
        reasons.append(f"{size_base} {long.instrument.symbol} is less than one common lot")
    for leg in (long, short):
        reasons += _leg_reasons(leg, size_base, leverage, limits)
    return tuple(reasons)


def round_trip_cost(long: LegView, short: LegView, size_base: Decimal, fees: dict[str, FeeRates]) -> float | None:
    """Cost of opening and closing both legs by taking, as a fraction of one leg's notional: spread, impact and fees, each way.

    None when a book or its depth is missing. The way out is assumed to cost what the way in costs now.
    """
    total = 0.0
    for leg in (long, short):
        size = float(venue_size(leg.instrument, size_base))
        crossing = taker_cost(leg.book, leg.side, size) if leg.book is not None and size > 0 else None
        if crossing is None:
            return None
        total += 2 * (crossing + float(fees[leg.instrument.venue].taker))
    return total


def _blindness(leg: LegView, limits: ExecutionLimits, now_ms: int) -> list[str]:
    where = f"{leg.instrument.venue} {leg.instrument.symbol}"
    if leg.book is None:
        return [f"{where}: no book"]
    if now_ms - leg.book_ms > limits.stale_after_ms:
        return [f"{where}: book is {now_ms - leg.book_ms} ms old"]
    if leg.book.mid is None:
        return [f"{where}: a side of the book is empty"]
    return [f"{where}: book is crossed"] if leg.book.is_crossed() else []


def _agreement(long: LegView, short: LegView, limits: ExecutionLimits) -> list[str]:
    assert long.book is not None and short.book is not None
    if long.book.provenance is not short.book.provenance:
        return [f"books of {long.book.provenance} and {short.book.provenance} data can't be combined"]
    first, second = mid_base(long.instrument, long.book), mid_base(short.instrument, short.book)
    if first is None or second is None:
        return ["a mid price is missing"]
    apart = abs(first / second - 1) * BPS
    return [f"mids lie {apart:.0f} bps apart"] if apart > limits.price_band_bps else []


def _leg_reasons(leg: LegView, size_base: Decimal, leverage: int, limits: ExecutionLimits) -> list[str]:
    book, instrument, reasons = leg.book, leg.instrument, list[str]()
    assert book is not None and book.mid is not None and book.spread_bps is not None
    where, units = f"{instrument.venue} {instrument.symbol}", venue_size(instrument, size_base)
    if book.spread_bps > limits.spread_bps_max:
        reasons.append(f"{where}: spread of {book.spread_bps:.1f} bps")
    price = limit_price(instrument, book, leg.side, 0)
    if price is not None and units < smallest_order(instrument, price):
        reasons.append(f"{where}: {units} is below the venue's minimum of {smallest_order(instrument, price)}")
    clip_base = min(float(size_base), float(limits.clip_usd) * float(instrument.multiplier) / book.mid)
    depth = depth_base(instrument, book, leg.side, limits.enter_slippage_bps)
    if depth < clip_base * limits.depth_factor:
        reasons.append(f"{where}: only {depth:.6g} {instrument.symbol} within {limits.enter_slippage_bps} bps")
    if instrument.max_leverage is not None and leverage > instrument.max_leverage:
        reasons.append(f"{where}: leverage {leverage} is above the venue's {instrument.max_leverage}")
    distance = liquidation_distance(leverage, instrument.max_leverage, limits.assumed_maintenance)
    if distance < limits.liquidation_distance_min:
        reasons.append(f"{where}: liquidation would be {distance:.1%} away at leverage {leverage}")
    margin = float(units) * book.mid / leverage * limits.margin_reserve
    if leg.available_usd is None:
        reasons.append(f"{where}: free collateral is not known")
    elif float(leg.available_usd) < margin:
        reasons.append(f"{where}: {leg.available_usd} free, {margin:.2f} wanted")
    return reasons
