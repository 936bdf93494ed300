"""Hyperliquid's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings; books and statistics become floats, orders and money Decimals. Rows of lists stay bytes until somebody has
looked whether they are ours: an account's lists hold spot, outcome and builders' markets too. Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Raw

from exchange_clients import domain
from exchange_clients.domain import Fill, Instrument, Order, OrderStatus, Side, TimeInForce, exact, identify, said_number
from exchange_clients.domain.market import Measure
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.rows import every, readable, row_of
from exchange_clients.errors import Misconfigured, ProtocolViolation

VENUE = "hyperliquid"
QUOTE = "USDC"
SIDES = {"B": Side.BUY, "A": Side.SELL}
TIF = {TimeInForce.GTC: "Gtc", TimeInForce.IOC: "Ioc", TimeInForce.POST_ONLY: "Alo"}
TIF_READ = {word: tif for tif, word in TIF.items()}
PERP_DECIMALS = 6
ISOLATED = ("strictIsolated", "noCross")
AccountMode = Literal["unifiedAccount", "portfolioMargin", "disabled", "default", "dexAbstraction"]
POOLED = ("unifiedAccount", "portfolioMargin")
"""Account modes whose USDC lies in the spot state; the perpetual summary means nothing there."""


class Mark(msgspec.Struct, frozen=True):
    """What is read of a row to see whose it is; some name their market one step further in."""

    coin: str = ""
    time: int = 0
    order: Mark | None = None
    position: Mark | None = None
    delta: Mark | None = None


class AssetMeta(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    sz_decimals: int
    max_leverage: Decimal | None = None
    is_delisted: bool = False
    only_isolated: bool = False
    margin_mode: str | None = None


class Meta(msgspec.Struct, frozen=True):
    universe: list[Raw]


class AssetCtx(msgspec.Struct, frozen=True, rename="camel"):
    """Text as it came: `funding` is the raw number that is kept beside the rate, and what is no number is unknown."""

    funding: str | None = None
    open_interest: str | None = None
    day_ntl_vlm: str | None = None
    mark_px: str | None = None
    oracle_px: str | None = None


class L2Level(domain.Level, frozen=True, gc=False, rename={"price": "px", "size": "sz"}):
    """A domain level under the venue's names."""

    price: Measure
    size: Measure


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
    tif: str | None = None


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


class PerpPosition(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    szi: Decimal
    unrealized_pnl: Any = None
    leverage: dict[str, Any] = {}
    entry_px: Any = None
    liquidation_px: Any = None


class AssetPosition(msgspec.Struct, frozen=True):
    position: PerpPosition


class ClearinghouseState(msgspec.Struct, frozen=True, rename="camel"):
    asset_positions: list[Raw]
    margin_summary: dict[str, Decimal]
    withdrawable: Decimal
    time: int = 0


class SpotBalance(msgspec.Struct, frozen=True):
    total: Decimal
    hold: Decimal = Decimal(0)


class SpotState(msgspec.Struct, frozen=True):
    balances: list[Raw]


class OfUser(msgspec.Struct, frozen=True, rename="camel"):
    """What a frame about an account tells: one of the three."""

    fills: list[Raw] = []
    clearinghouse_state: ClearinghouseState | None = None
    spot_state: SpotState | None = None


class FundingDelta(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    usdc: Decimal
    szi: Decimal
    funding_rate: Decimal


class UserFunding(msgspec.Struct, frozen=True):
    time: int
    delta: FundingDelta


class UserRole(msgspec.Struct, frozen=True):
    """`role`: user, agent, vault, subAccount or missing. `data` names an agent's `user`, a sub-account's `master`."""

    role: str
    data: dict[str, str] | None = None


class VaultDetails(msgspec.Struct, frozen=True):
    leader: str


class UserFees(msgspec.Struct, frozen=True, rename="camel"):
    user_cross_rate: Decimal
    user_add_rate: Decimal


class Placed(msgspec.Struct, frozen=True, rename="camel"):
    """A resting order tells its id alone."""

    oid: int
    total_sz: Decimal = Decimal(0)
    avg_px: Decimal | None = None


class ActionStatus(msgspec.Struct, frozen=True):
    """One of the three is set, where the venue keeps to its documents."""

    resting: Placed | None = None
    filled: Placed | None = None
    error: str | None = None


class ActionResponse(msgspec.Struct, frozen=True):
    """`data` holds `statuses` where an action was on orders."""

    data: dict[str, list[ActionStatus | str]] | None = None


class ExchangeReply(msgspec.Struct, frozen=True):
    """`response` is text when `status` is `err`."""

    status: str
    response: ActionResponse | str


L2BookFrame = DataFrame[L2Book]
OrderUpdatesFrame = DataFrame[list[Raw]]
UserFrame = DataFrame[OfUser]


def to_cloid(client_order_id: str) -> str:
    """A UUID as the venue's 128-bit client id. Raises ValueError for anything that is not a UUID."""
    return "0x" + UUID(client_order_id).hex


def to_oid(ref: domain.OrderRef) -> int | str:
    """An order as the venue wants it named. Raises Misconfigured for an id that is none of the venue's."""
    if isinstance(ref, domain.ByClientId):
        return to_cloid(ref.id)
    if not ref.id.isdecimal():
        raise Misconfigured(VENUE, "order", f"{ref.id!r} is not an order id of this venue; nothing was sent")
    return int(ref.id)


def from_cloid(cloid: str | None) -> str | None:
    return None if cloid is None else str(UUID(hex=cloid[2:]))


def is_perp(coin: str) -> bool:
    """Whether it is a perpetual of the venue's own: not spot (`@107`, a pair), an outcome (`#250`), a builder's (`xyz:TSLA`)."""
    return not coin.startswith(("@", "#", "+")) and "/" not in coin and ":" not in coin


def is_ours(row: Raw, coin: str = "") -> bool:
    """Whether a row is about a perpetual of the venue's own (or about `coin`). Raises ValueError when it names no market."""
    mark = row_of(row, Mark)
    named = (mark.order or mark.position or mark.delta or mark).coin
    if not named:
        raise ValueError("it names no market")
    return named == coin if coin else is_perp(named)


def markets_of(meta: Meta, contexts: Iterable[Raw] = ()) -> list[tuple[int, AssetMeta, AssetCtx]]:
    """(place in `universe`, market, figures) of what is listed; an odd market is left out, odd figures are unknown."""
    found = []
    for index, (row, figures) in enumerate(zip_longest(meta.universe, contexts)):
        known = readable((figures,) if figures is not None else (), lambda raw: row_of(raw, AssetCtx))
        for market in readable((row,) if row is not None else (), lambda raw: row_of(raw, AssetMeta)):
            if not market.is_delisted:
                found.append((index, market, known[0] if known else AssetCtx()))
    return found


@exact
def to_instrument(meta: AssetMeta, index: int) -> Instrument:
    """`index`: the place in `universe`, which orders name the market by."""
    return Instrument.perpetual(
        venue=VENUE,
        venue_symbol=meta.name,
        asset=identify(meta.name),
        quote=QUOTE,
        price_rule=domain.PriceRule(Decimal(1).scaleb(meta.sz_decimals - PERP_DECIMALS), 5),
        lot_size=Decimal(1).scaleb(-meta.sz_decimals),
        min_notional=Decimal(10),
        max_leverage=meta.max_leverage,
        venue_id=str(index),
        isolated_only=meta.only_isolated or meta.margin_mode in ISOLATED,
    )


def to_instruments(meta: Meta) -> list[Instrument]:
    """Listed perpetuals; delisted ones keep their place in `universe`."""
    return [to_instrument(market, index) for index, market, _ in markets_of(meta)]


def to_book(book: L2Book, symbol: str, provenance: domain.Provenance) -> domain.OrderBook:
    bids, asks = book.levels
    return domain.OrderBook(VENUE, symbol, domain.to_levels(bids), domain.to_levels(asks), book.time, provenance)


def to_stats(meta: AssetMeta, ctx: AssetCtx, now_ms: int, provenance: domain.Provenance) -> domain.MarketStats:
    """Open interest comes in base units, one-sided. Impact prices are not the best bid and ask, so those stay unknown."""
    return domain.MarketStats.of(
        venue=VENUE,
        venue_symbol=meta.name,
        asset=identify(meta.name),
        mark=domain.float_number(ctx.mark_px),
        index=domain.float_number(ctx.oracle_px),
        open_interest=domain.float_number(ctx.open_interest),
        volume_24h_usd=domain.float_number(ctx.day_ntl_vlm),
        time_ms=now_ms,
        provenance=provenance,
    )


def to_trade(row: Raw, provenance: domain.Provenance) -> domain.Trade:
    trade = row_of(row, PublicTrade)
    return domain.Trade(
        venue=VENUE,
        symbol=identify(trade.coin).base,
        trade_id=str(trade.tid),
        side=SIDES[trade.side],
        price=trade.px,
        size=trade.sz,
        time_ms=trade.time,
        provenance=provenance,
    )


def to_status(word: str) -> OrderStatus:
    """Raises ProtocolViolation for a word that is not known: an order's fate is never guessed."""
    if word.endswith(("Canceled", "canceled", "Cancel")):  # scheduledCancel, internalCancel
        return OrderStatus.CANCELLED
    if word.endswith(("Rejected", "rejected")):
        return OrderStatus.CANCELLED if word == "iocCancelRejected" else OrderStatus.REJECTED
    if word in ("open", "accepted", "triggered"):
        return OrderStatus.OPEN
    if word == "filled":
        return OrderStatus.FILLED
    raise ProtocolViolation(VENUE, "order status", f"the venue says {word!r} of an order, which is not known here")


@exact
def to_order(order: BasicOrder, word: str = "open", time_ms: int = 0) -> Order:
    """`word`: the venue's for its status. What a filled order says of its rest is not counted down and means nothing."""
    state = to_status(word)
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
        reason=word if state in (OrderStatus.CANCELLED, OrderStatus.REJECTED) else "",
        updated_ms=time_ms or order.timestamp,
        time_in_force=TIF_READ.get(order.tif or ""),
    )


def order_of(row: Raw, coin: str = "") -> Order | None:
    """A row of open orders; None for a foreign one."""
    return to_order(row_of(row, BasicOrder)) if is_ours(row, coin) else None


def update_of(row: Raw) -> Order | None:
    """A row of orderUpdates; None for a foreign one."""
    if not is_ours(row):
        return None
    told = row_of(row, StatusOfOrder)
    return to_order(told.order, told.status, told.status_timestamp)


def fill_of(row: Raw, coin: str = "") -> Fill | None:
    """An own execution; None for a foreign one."""
    if not is_ours(row, coin):
        return None
    fill = row_of(row, UserFill)
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
        liquidity=domain.Liquidity.TAKER if fill.crossed else domain.Liquidity.MAKER,
        time_ms=fill.time,
    )


def to_positions(state: ClearinghouseState) -> tuple[domain.Position, ...]:
    """Size and market must be readable, everything else may be unknown."""

    def position(row: Raw) -> domain.Position | None:
        told = row_of(row, AssetPosition).position if is_ours(row) else None
        if told is None or not told.szi:
            return None
        return domain.Position(
            venue=VENUE,
            symbol=identify(told.coin).base,
            size=told.szi,
            entry_price=said_number(told.entry_px),
            unrealised_pnl=said_number(told.unrealized_pnl),
            liquidation_price=said_number(told.liquidation_px),
            leverage=said_number(told.leverage.get("value")),
            updated_ms=state.time,
        )

    return tuple(every(state.asset_positions, position, VENUE, "positions"))


@exact
def to_balance(state: ClearinghouseState, spot: SpotState | None) -> domain.Balance:
    """`spot`: where the account's USDC lies in the spot state. Its total is settled cash and its hold is what is bound."""
    results = [position.unrealised_pnl for position in to_positions(state)]
    if None in results:
        raise ProtocolViolation(VENUE, "balance", "a position does not tell its unrealised result; equity is not known")
    unrealised = sum((result for result in results if result is not None), Decimal(0))
    wallet, available = state.margin_summary["accountValue"] - unrealised, state.withdrawable
    if spot is not None:
        rows = every(
            spot.balances, lambda row: row_of(row, SpotBalance) if is_ours(row, QUOTE) else None, VENUE, "spot balances"
        )
        wallet = sum((row.total for row in rows), Decimal(0))
        available = max(Decimal(0), wallet - sum((row.hold for row in rows), Decimal(0)))
    equity = wallet + unrealised
    return domain.Balance(venue=VENUE, asset=QUOTE, wallet=wallet, equity=equity, available=available, updated_ms=state.time)


def payment_of(row: Raw, coin: str, symbol: str) -> domain.FundingPayment | None:
    """A payment on `coin`; None for others. The venue gives payments no id of their own; market and instant make one."""
    if not is_ours(row, coin):
        return None
    paid = row_of(row, UserFunding)
    return domain.FundingPayment(
        venue=VENUE,
        symbol=symbol,
        payment_id=f"{coin}:{paid.time}",
        amount=paid.delta.usdc,
        rate=paid.delta.funding_rate,
        position_size=paid.delta.szi,
        paid_at_ms=paid.time,
    )


def to_fee_rates(fees: UserFees) -> domain.FeeRates:
    return domain.FeeRates(maker=fees.user_add_rate, taker=fees.user_cross_rate)
