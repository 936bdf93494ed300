"""Hyperliquid's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings; books and statistics decode to float, orders and money to Decimal.
Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

import msgspec

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.domain.market import Level, MarketStats, OrderBook, Trade, to_levels
from exchange_clients.domain.numbers import exact
from exchange_clients.domain.orders import ByClientId, Fill, Liquidity, Order, OrderRef, OrderStatus, TimeInForce
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.errors import Misconfigured

VENUE = "hyperliquid"
QUOTE = "USDC"
SIDES = {"B": Side.BUY, "A": Side.SELL}
TIF = {TimeInForce.GTC: "Gtc", TimeInForce.IOC: "Ioc", TimeInForce.POST_ONLY: "Alo"}
PERP_DECIMALS = 6


class AssetMeta(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    sz_decimals: int
    max_leverage: int | None = None
    is_delisted: bool = False


class Meta(msgspec.Struct, frozen=True):
    universe: list[AssetMeta]


class AssetCtx(msgspec.Struct, frozen=True, rename="camel"):
    """`funding` stays text: it is the raw number that is kept beside the rate."""

    funding: str | None = None
    open_interest: float | None = None
    day_ntl_vlm: float | None = None
    mark_px: float | None = None
    oracle_px: float | None = None


class L2Level(Level, frozen=True, gc=False, rename={"price": "px", "size": "sz"}):
    """A domain level under the venue's names, so that a book needs no conversion."""

    price: float
    size: float


class L2Book(msgspec.Struct, frozen=True, gc=False):
    coin: str
    time: int
    levels: tuple[list[L2Level], list[L2Level]]


class PublicTrade(msgspec.Struct, frozen=True):
    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int


class FundingPoint(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    funding_rate: Decimal
    time: int


class BasicOrder(msgspec.Struct, frozen=True, rename="camel"):
    """An order in openOrders, orderStatus and orderUpdates. `sz` is what is left of `orig_sz`."""

    coin: str
    side: str
    limit_px: Decimal
    sz: Decimal
    oid: int
    timestamp: int
    orig_sz: Decimal
    cloid: str | None = None
    reduce_only: bool = False


class StatusOfOrder(msgspec.Struct, frozen=True, rename="camel"):
    order: BasicOrder
    status: str
    status_timestamp: int


class OrderStatusReply(msgspec.Struct, frozen=True):
    """`status` is `order` or `unknownOid`."""

    status: str
    order: StatusOfOrder | None = None


class UserFill(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    px: Decimal
    sz: Decimal
    side: str
    time: int
    oid: int
    crossed: bool
    fee: Decimal
    tid: int | None = None
    hash: str = ""
    start_position: str = ""
    fee_token: str = QUOTE
    cloid: str | None = None

    @property
    def identity(self) -> str:
        """`tid`; rows from before 2023-06 have none, and what is unique about them is where in the position they stand."""
        return str(self.tid) if self.tid is not None else f"{self.hash}:{self.oid}:{self.start_position}"


class UserFills(msgspec.Struct, frozen=True):
    fills: list[UserFill]


class Leverage(msgspec.Struct, frozen=True):
    value: Decimal


class PerpPosition(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    szi: Decimal
    unrealized_pnl: Decimal
    leverage: Leverage
    entry_px: Decimal | None = None
    liquidation_px: Decimal | None = None


class AssetPosition(msgspec.Struct, frozen=True):
    position: PerpPosition


class MarginSummary(msgspec.Struct, frozen=True, rename="camel"):
    account_value: Decimal


class ClearinghouseState(msgspec.Struct, frozen=True, rename="camel"):
    asset_positions: list[AssetPosition]
    margin_summary: MarginSummary
    withdrawable: Decimal
    time: int = 0


class WebData2(msgspec.Struct, frozen=True, rename="camel"):
    clearinghouse_state: ClearinghouseState


class SpotBalance(msgspec.Struct, frozen=True):
    coin: str
    total: Decimal


class SpotState(msgspec.Struct, frozen=True):
    balances: list[SpotBalance]


class FundingDelta(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    usdc: Decimal
    szi: Decimal
    funding_rate: Decimal


class UserFunding(msgspec.Struct, frozen=True):
    time: int
    delta: FundingDelta


class RoleData(msgspec.Struct, frozen=True):
    user: str = ""


class UserRole(msgspec.Struct, frozen=True):
    """`role`: user, agent, vault, subAccount or missing; an agent's `data.user` is whom it acts for."""

    role: str
    data: RoleData | None = None


class UserFees(msgspec.Struct, frozen=True, rename="camel"):
    user_cross_rate: Decimal
    user_add_rate: Decimal


class Placed(msgspec.Struct, frozen=True, rename="camel"):
    """A resting order tells its id alone."""

    oid: int
    total_sz: Decimal = Decimal(0)
    avg_px: Decimal | None = None


class ActionStatus(msgspec.Struct, frozen=True):
    """Exactly one of the three is set."""

    resting: Placed | None = None
    filled: Placed | None = None
    error: str | None = None


class ActionData(msgspec.Struct, frozen=True):
    statuses: list[ActionStatus | str]


class ActionResponse(msgspec.Struct, frozen=True):
    data: ActionData | None = None


class ExchangeReply(msgspec.Struct, frozen=True):
    """`response` is text when `status` is `err`."""

    status: str
    response: ActionResponse | str


L2BookFrame = DataFrame[L2Book]
OrderUpdatesFrame = DataFrame[list[StatusOfOrder]]
UserFillsFrame = DataFrame[UserFills]
WebData2Frame = DataFrame[WebData2]


def to_cloid(client_order_id: str) -> str:
    """A UUID as the venue's 128-bit client id. Raises ValueError for anything that is not a UUID."""
    return "0x" + UUID(client_order_id).hex


def to_oid(ref: OrderRef) -> int | str:
    """An order as the venue wants it named. Raises Misconfigured for an id that is none of the venue's."""
    if isinstance(ref, ByClientId):
        return to_cloid(ref.id)
    if not ref.id.isdecimal():
        raise Misconfigured(VENUE, "order", f"{ref.id!r} is not an order id of this venue; nothing was sent")
    return int(ref.id)


def from_cloid(cloid: str | None) -> str | None:
    return None if cloid is None else str(UUID(hex=cloid[2:]))


def is_perp(coin: str) -> bool:
    """Spot rows carry `@n` or a pair; they share the account's lists with perpetuals."""
    return not coin.startswith("@") and "/" not in coin


@exact
def to_instrument(meta: AssetMeta, index: int) -> Instrument:
    """`index`: the place in `universe`, which orders name the market by."""
    rule, lot = PriceRule(Decimal(1).scaleb(meta.sz_decimals - PERP_DECIMALS), 5), Decimal(1).scaleb(-meta.sz_decimals)
    most = None if meta.max_leverage is None else Decimal(meta.max_leverage)
    asset = identify(meta.name)
    return Instrument.perpetual(
        venue=VENUE,
        venue_symbol=meta.name,
        asset=asset,
        quote=QUOTE,
        price_rule=rule,
        lot_size=lot,
        min_notional=Decimal(10),
        max_leverage=most,
        venue_id=str(index),
    )


def to_instruments(meta: Meta) -> list[Instrument]:
    """Listed perpetuals; delisted ones keep their place in `universe`."""
    return [to_instrument(entry, index) for index, entry in enumerate(meta.universe) if not entry.is_delisted]


def to_book(book: L2Book, symbol: str, provenance: Provenance) -> OrderBook:
    bids, asks = book.levels
    return OrderBook(VENUE, symbol, to_levels(bids), to_levels(asks), book.time, provenance)


def to_stats(meta: AssetMeta, ctx: AssetCtx, now_ms: int, provenance: Provenance) -> MarketStats:
    """Open interest comes in base units, one-sided. Impact prices are not the best bid and ask, so those stay unknown."""
    return MarketStats.of(
        venue=VENUE,
        venue_symbol=meta.name,
        asset=identify(meta.name),
        mark=ctx.mark_px,
        index=ctx.oracle_px,
        open_interest=ctx.open_interest,
        volume_24h_usd=ctx.day_ntl_vlm,
        time_ms=now_ms,
        provenance=provenance,
    )


def to_trade(trade: PublicTrade, provenance: Provenance) -> Trade:
    symbol = identify(trade.coin).base
    return Trade(
        venue=VENUE,
        symbol=symbol,
        trade_id=str(trade.tid),
        side=SIDES[trade.side],
        price=trade.px,
        size=trade.sz,
        time_ms=trade.time,
        provenance=provenance,
    )


def to_status(status: str) -> OrderStatus:
    """Raises KeyError for a word the venue's documents do not know: an order's fate is never guessed."""
    if status.endswith(("Canceled", "canceled", "scheduledCancel")):
        return OrderStatus.CANCELLED
    if status.endswith(("Rejected", "rejected")):
        return OrderStatus.CANCELLED if status == "iocCancelRejected" else OrderStatus.REJECTED
    return {"open": OrderStatus.OPEN, "filled": OrderStatus.FILLED, "triggered": OrderStatus.OPEN}[status]


@exact
def to_order(order: BasicOrder, status: str = "open", time_ms: int = 0) -> Order:
    state = to_status(status)
    return Order(
        venue=VENUE,
        symbol=identify(order.coin).base,
        venue_order_id=str(order.oid),
        client_order_id=from_cloid(order.cloid),
        side=SIDES[order.side],
        size=order.orig_sz,
        filled=order.orig_sz if state is OrderStatus.FILLED else order.orig_sz - order.sz,
        price=order.limit_px,
        average_price=None,
        status=state,
        reduce_only=order.reduce_only,
        reason=status if state in (OrderStatus.CANCELLED, OrderStatus.REJECTED) else "",
        updated_ms=time_ms or order.timestamp,
    )


def to_fill(fill: UserFill) -> Fill:
    return Fill(
        venue=VENUE,
        symbol=identify(fill.coin).base,
        fill_id=fill.identity,
        venue_order_id=str(fill.oid),
        client_order_id=from_cloid(fill.cloid),
        side=SIDES[fill.side],
        size=fill.sz,
        price=fill.px,
        fee=fill.fee,
        fee_asset=fill.fee_token,
        liquidity=Liquidity.TAKER if fill.crossed else Liquidity.MAKER,
        time_ms=fill.time,
    )


def to_positions(state: ClearinghouseState) -> tuple[Position, ...]:
    def position(p: PerpPosition) -> Position:
        return Position(
            venue=VENUE,
            symbol=identify(p.coin).base,
            size=p.szi,
            entry_price=p.entry_px,
            unrealised_pnl=p.unrealized_pnl,
            liquidation_price=p.liquidation_px,
            leverage=p.leverage.value,
            updated_ms=state.time,
        )

    return tuple(position(row.position) for row in state.asset_positions if row.position.szi)


@exact
def to_balance(state: ClearinghouseState) -> Balance:
    """Cash is what is left of the account's value without unrealised PnL."""
    equity = state.margin_summary.account_value
    unrealised = sum((entry.position.unrealized_pnl for entry in state.asset_positions), Decimal(0))
    return Balance(
        venue=VENUE, asset=QUOTE, wallet=equity - unrealised, equity=equity, available=state.withdrawable, updated_ms=state.time
    )


def to_payments(rows: Iterable[UserFunding], symbol: str) -> list[FundingPayment]:
    """The venue gives payments no id of their own; market and instant make one."""
    return [
        FundingPayment(
            venue=VENUE,
            symbol=symbol,
            payment_id=f"{r.delta.coin}:{r.time}",
            amount=r.delta.usdc,
            rate=r.delta.funding_rate,
            position_size=r.delta.szi,
            paid_at_ms=r.time,
        )
        for r in rows
    ]


def to_fee_rates(fees: UserFees) -> FeeRates:
    return FeeRates(maker=fees.user_add_rate, taker=fees.user_cross_rate)
