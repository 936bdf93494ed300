"""Paradex's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings, "" where there is none; books decode to float, orders and money to Decimal.
Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Generic, Literal, TypeVar

import msgspec

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.assets import Asset, identify
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.domain.market import Level, MarketStats, OrderBook, Trade, to_levels
from exchange_clients.domain.numbers import exact
from exchange_clients.domain.orders import Fill, Liquidity, Order, OrderStatus, TimeInForce
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side

VENUE = "paradex"
USDC = "USDC"
PERP = "-USD-PERP"
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
SIDE_WORDS = {side: word for word, side in SIDES.items()}
INSTRUCTIONS = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.POST_ONLY: "POST_ONLY"}
SideWord = Literal["BUY", "SELL"]
Content = TypeVar("Content")


class Page(msgspec.Struct, Generic[Content], frozen=True):
    """Every list of the venue; `next` is the cursor of the following page where there are pages."""

    results: list[Content]
    next: str | None = None


class ApiError(msgspec.Struct, frozen=True):
    error: str
    message: str = ""


class SystemConfig(msgspec.Struct, frozen=True):
    starknet_chain_id: str


class SystemState(msgspec.Struct, frozen=True):
    status: Literal["ok", "maintenance", "cancel_only", "post_only"]


class Token(msgspec.Struct, frozen=True):
    jwt_token: str


class MarginParams(msgspec.Struct, frozen=True):
    imf_base: Decimal


class Market(msgspec.Struct, frozen=True):
    """`funding_period_hours` is absent from old recordings: then nobody can say what a rate is for."""

    symbol: str
    base_currency: str
    asset_kind: str
    order_size_increment: Decimal
    price_tick_size: Decimal
    min_notional: Decimal
    funding_period_hours: Decimal | None = None
    delta1_cross_margin_params: MarginParams | None = None
    market_kind: str = "cross"
    trading_mode: str = "STANDARD"


class Summary(msgspec.Struct, frozen=True):
    """`funding_rate` stays text: it is the raw number that is kept beside the rate."""

    symbol: str
    created_at: int
    mark_price: str = ""
    underlying_price: str = ""
    open_interest: str = ""
    volume_24h: str = ""
    bid: str = ""
    ask: str = ""
    funding_rate: str = ""


class FundingPoint(msgspec.Struct, frozen=True):
    """One observation of the rate. Old rows say 0 hours, which means the market's own period."""

    market: str
    funding_rate: Decimal
    created_at: int
    funding_period_hours: Decimal = Decimal(0)


class RestLevel(Level, frozen=True, array_like=True, gc=False):
    """A domain level as `["price","size"]`."""


class RestBook(msgspec.Struct, frozen=True):
    market: str
    seq_no: int
    last_updated_at: int
    bids: list[RestLevel]
    asks: list[RestLevel]


class BookLevel(Level, frozen=True, kw_only=True, gc=False):
    """A domain level that says which side it is on, so that a change goes into the book as it was decoded."""

    side: SideWord


class BookChange(msgspec.Struct, frozen=True, gc=False):
    """`update_type`: "s" the whole book (in `inserts`), "d" what changed since `seq_no` − 1."""

    seq_no: int
    last_updated_at: int
    update_type: Literal["s", "d"]
    inserts: list[BookLevel]
    updates: list[BookLevel]
    deletes: list[BookLevel]


class PublicTrade(msgspec.Struct, frozen=True):
    id: str
    market: str
    side: SideWord
    size: float
    price: float
    created_at: int


class OrderRow(msgspec.Struct, frozen=True):
    id: str
    market: str
    side: SideWord
    type: str
    size: Decimal
    remaining_size: Decimal
    price: Decimal
    status: Literal["NEW", "UNTRIGGERED", "OPEN", "CLOSED"]
    last_updated_at: int
    client_id: str = ""
    avg_fill_price: str = ""
    cancel_reason: str = ""
    flags: list[str] | None = None


class FillRow(msgspec.Struct, frozen=True):
    id: str
    order_id: str
    market: str
    side: SideWord
    liquidity: Literal["MAKER", "TAKER"]
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_currency: str
    created_at: int
    client_id: str = ""


class PositionRow(msgspec.Struct, frozen=True):
    """`size` is signed or not, depending on its age; `side` is always right. `unrealized_pnl` includes accrued funding."""

    market: str
    status: Literal["OPEN", "CLOSED"]
    side: Literal["LONG", "SHORT"]
    size: Decimal
    last_updated_at: int
    average_entry_price: str = ""
    unrealized_pnl: str = ""
    liquidation_price: str = ""
    leverage: str = ""


class BalanceRow(msgspec.Struct, frozen=True):
    token: str
    size: Decimal


class BalanceChange(msgspec.Struct, frozen=True):
    """What a fill left of the settlement token."""

    settlement_asset_name: str
    settlement_asset_balance_after: Decimal
    created_at: int


class AccountSummary(msgspec.Struct, frozen=True):
    """In USD. `account_value` counts every token, also those that back no position; the other two only what does."""

    account_value: Decimal
    free_collateral: Decimal
    initial_margin_requirement: Decimal
    updated_at: int


class Fees(msgspec.Struct, frozen=True):
    maker_rate: Decimal
    taker_rate: Decimal


class AccountInfo(msgspec.Struct, frozen=True):
    account: str
    fees: Fees


class PaymentRow(msgspec.Struct, frozen=True):
    """`payment` > 0 is taken as received (the sheet could not settle its sign)."""

    id: str
    market: str
    payment: Decimal
    created_at: int


# What ends an order that never had a chance; every other reason ends one that was good (sheet section 7: no full list exists).
REJECTING = ("NOT_ENOUGH_MARGIN", "POST_ONLY_WOULD_CROSS", "REDUCE_ONLY_WILL_INCREASE", "ORDER_SIZE_BELOW_MIN", "PRICE_BAND")


def is_perp(market: str) -> bool:
    """Options and spot share every list with perpetuals."""
    return market.endswith(PERP)


def asset_of(market: str) -> Asset:
    """The asset of a perpetual. Its name is the market's `base_currency`, which the venue writes before a fixed ending."""
    return identify(market.removesuffix(PERP))


def is_listed(market: Market) -> bool:
    """Perpetuals with an order book on cross margin: isolated ones want an account of their own, which we don't act for."""
    terms = (market.asset_kind, market.market_kind, market.trading_mode)
    return terms == ("PERP", "cross", "STANDARD") and is_perp(market.symbol)


def number(text: str) -> Decimal | None:
    """A number, None for ""."""
    return Decimal(text) if text else None


def measure(text: str) -> float | None:
    """A measurement, None for ""."""
    return float(text) if text else None


@exact
def to_instrument(market: Market) -> Instrument:
    margin = market.delta1_cross_margin_params
    most = 1 / margin.imf_base if margin is not None and margin.imf_base else None
    return Instrument.perpetual(
        venue=VENUE,
        venue_symbol=market.symbol,
        asset=identify(market.base_currency),
        quote=USDC,
        price_rule=PriceRule(market.price_tick_size),
        lot_size=market.order_size_increment,
        min_notional=market.min_notional,
        max_leverage=most,
    )


def to_book(book: RestBook, symbol: str, depth: int, provenance: Provenance) -> OrderBook:
    bids = to_levels(sorted(book.bids, key=lambda level: -level.price)[:depth])
    asks = to_levels(sorted(book.asks, key=lambda level: level.price)[:depth])
    return OrderBook(VENUE, symbol, bids, asks, book.last_updated_at, provenance, book.seq_no)


def to_stats(row: Summary, provenance: Provenance) -> MarketStats:
    """Open interest comes in base units (one- or two-sided is not stated), volume in USD."""
    return MarketStats.of(
        venue=VENUE,
        venue_symbol=row.symbol,
        asset=asset_of(row.symbol),
        mark=measure(row.mark_price),
        index=measure(row.underlying_price),
        open_interest=measure(row.open_interest),
        volume_24h_usd=measure(row.volume_24h),
        time_ms=row.created_at,
        provenance=provenance,
        best_bid=measure(row.bid),
        best_ask=measure(row.ask),
    )


def to_trade(trade: PublicTrade, provenance: Provenance) -> Trade:
    symbol = asset_of(trade.market).base
    return Trade(
        venue=VENUE,
        symbol=symbol,
        trade_id=trade.id,
        side=SIDES[trade.side],
        price=trade.price,
        size=trade.size,
        time_ms=trade.created_at,
        provenance=provenance,
    )


def to_status(order: OrderRow) -> OrderStatus:
    """CLOSED says only that it is over: filled when nothing remains, else cancelled, or rejected where it never stood a chance."""
    if order.status != "CLOSED":
        return OrderStatus.OPEN if order.status == "OPEN" else OrderStatus.PENDING
    if order.remaining_size == 0:
        return OrderStatus.FILLED
    was_refused = order.remaining_size == order.size and order.cancel_reason.startswith(REJECTING)
    return OrderStatus.REJECTED if was_refused else OrderStatus.CANCELLED


@exact
def to_order(order: OrderRow) -> Order:
    status = to_status(order)
    price, average = None if order.type == "MARKET" else order.price, number(order.avg_fill_price) or None
    reason = order.cancel_reason if status in (OrderStatus.CANCELLED, OrderStatus.REJECTED) else ""
    return Order(
        venue=VENUE,
        symbol=asset_of(order.market).base,
        venue_order_id=order.id,
        client_order_id=order.client_id or None,
        side=SIDES[order.side],
        size=order.size,
        filled=order.size - order.remaining_size,
        price=price,
        average_price=average,
        status=status,
        reduce_only="REDUCE_ONLY" in (order.flags or ()),
        reason=reason,
        updated_ms=order.last_updated_at,
    )


def to_fill(fill: FillRow) -> Fill:
    return Fill(
        venue=VENUE,
        symbol=asset_of(fill.market).base,
        fill_id=fill.id,
        venue_order_id=fill.order_id,
        client_order_id=fill.client_id or None,
        side=SIDES[fill.side],
        size=fill.size,
        price=fill.price,
        fee=fill.fee,
        fee_asset=fill.fee_currency,
        liquidity=Liquidity(fill.liquidity.lower()),
        time_ms=fill.created_at,
    )


@exact
def to_position(row: PositionRow) -> Position:
    """Closed positions stay in the venue's lists; their size here is 0."""
    size = Decimal(0) if row.status == "CLOSED" else abs(row.size) if row.side == "LONG" else -abs(row.size)
    entry, pnl, limit, leverage = map(
        number, (row.average_entry_price, row.unrealized_pnl, row.liquidation_price, row.leverage)
    )
    return Position(
        venue=VENUE,
        symbol=asset_of(row.market).base,
        size=size,
        entry_price=entry,
        unrealised_pnl=pnl,
        liquidation_price=limit,
        leverage=leverage,
        updated_ms=row.last_updated_at,
    )


@exact
def to_balance(account: AccountSummary, wallet: Decimal) -> Balance:
    """`wallet`: the settlement token's own balance, which includes everything realised.

    Equity is what is free and what is bound; an account in which nothing is free is worth less than it binds.
    """
    return Balance(
        venue=VENUE,
        asset=USDC,
        wallet=wallet,
        equity=min(account.account_value, account.free_collateral + account.initial_margin_requirement),
        available=account.free_collateral,
        updated_ms=account.updated_at,
    )


def to_payment(row: PaymentRow) -> FundingPayment:
    """The venue says neither rate nor position: a payment settles whatever accrued since the position was last touched."""
    return FundingPayment(
        venue=VENUE,
        symbol=asset_of(row.market).base,
        payment_id=row.id,
        amount=row.payment,
        rate=None,
        position_size=None,
        paid_at_ms=row.created_at,
    )


def to_fee_rates(info: AccountInfo) -> FeeRates:
    return FeeRates(maker=info.fees.maker_rate, taker=info.fees.taker_rate)
