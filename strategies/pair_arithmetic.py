"""Numbers of a pair: pure functions without decisions."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from math import lcm

from exchange_clients.domain.instruments import Instrument, plain
from exchange_clients.domain.market import OrderBook
from exchange_clients.domain.side import Side

BPS = 10_000


def common_lot(first: Instrument, second: Instrument) -> Decimal:
    """The smallest quantity, in base units, that is whole lots on both venues."""
    lots = (first.lot_size * first.multiplier, second.lot_size * second.multiplier)
    scale = Decimal(1).scaleb(max(_decimals(lot) for lot in lots))
    return plain(lcm(*(int(lot * scale) for lot in lots)) / scale)


def common_size(size_base: Decimal, first: Instrument, second: Instrument) -> Decimal:
    """`size_base` (base units, ≥ 0) rounded down to what both venues can hold exactly."""
    lot = common_lot(first, second)
    return plain((size_base / lot).to_integral_value(ROUND_DOWN) * lot)


def base_for_notional(notional_usd: Decimal, price_base: float, first: Instrument, second: Instrument) -> Decimal:
    """How much of the base asset `notional_usd` buys at `price_base` (quote per base unit, > 0), on both grids."""
    finer = min(first, second, key=lambda i: i.lot_size * i.multiplier)
    units = finer.round_size(float(notional_usd) / price_base / float(finer.multiplier))
    return common_size(units * finer.multiplier, first, second)


def mid_base(instrument: Instrument, book: OrderBook) -> float | None:
    """Mid price per unit of the base asset; None when a side is empty."""
    return None if book.mid is None else book.mid / float(instrument.multiplier)


def venue_size(instrument: Instrument, size_base: Decimal) -> Decimal:
    """Base units → venue units, rounded down to lots."""
    return instrument.round_size(size_base / instrument.multiplier)


def limit_price(instrument: Instrument, book: OrderBook, side: Side, slippage_bps: float) -> Decimal | None:
    """The worst price that a taker on `side` accepts: `slippage_bps` beyond the touch, on the grid. None for an empty side."""
    levels = book.taker_levels(side)
    if not levels:
        return None
    return instrument.round_price(levels[0].price * (1 + side.sign * slippage_bps / BPS), side)


def smallest_order(instrument: Instrument, price: Decimal) -> Decimal:
    """The least size (venue units, whole lots) that the venue takes at `price`."""
    by_notional = (instrument.min_notional / price / instrument.lot_size).to_integral_value(ROUND_CEILING) * instrument.lot_size
    return plain(max(instrument.min_size, instrument.lot_size, by_notional))


def taker_cost(book: OrderBook, side: Side, size: float) -> float | None:
    """What taking `size` (venue units) costs against the mid, as a fraction of notional; None without enough book."""
    price, mid = book.taker_price(side, size), book.mid
    return None if price is None or mid is None else side.sign * (price - mid) / mid


def depth_base(instrument: Instrument, book: OrderBook, side: Side, slippage_bps: float) -> float:
    """Base units that a taker on `side` gets within `slippage_bps` of the touch."""
    levels = book.taker_levels(side)
    if not levels:
        return 0.0
    worst = levels[0].price * (1 + side.sign * slippage_bps / BPS)
    return book.depth_size(side, worst) * float(instrument.multiplier)


def net_fraction(carry_hourly: float, hours: float, cost_fraction: float) -> float:
    """What holding for `hours` earns after a round trip's cost, as a fraction of one leg's notional."""
    return carry_hourly * hours - cost_fraction


def liquidation_distance(leverage: int, max_leverage: Decimal | None, assumed_maintenance: float) -> float:
    """How far (fraction of price) a leg at `leverage` may move against us before liquidation.

    Maintenance margin is half of the initial margin at the venue's highest leverage, or `assumed_maintenance` where the venue
    does not say. The chosen leverage counts, not the highest.
    """
    maintenance = assumed_maintenance if max_leverage is None else 0.5 / float(max_leverage)
    return 1 / leverage - maintenance


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
