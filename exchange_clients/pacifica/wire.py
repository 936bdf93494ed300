"""Pacifica's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings; books and statistics decode to float, orders and money to Decimal. The enums are strict: a word that is
not in them does not decode. WebSocket frames carry the same things as REST under one-letter names.
Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.domain.market import Level, MarketStats, OrderBook, Trade
from exchange_clients.domain.orders import Fill, Liquidity, Order, OrderStatus
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side

VENUE = "pacifica"
QUOTE = "USDC"
T = TypeVar("T")


class BookSide(StrEnum):
    """Of an order; of a position, bid is long."""

    BID = "bid"
    ASK = "ask"


class TradeSide(StrEnum):
    OPEN_LONG = "open_long"
    CLOSE_SHORT = "close_short"
    OPEN_SHORT = "open_short"
    CLOSE_LONG = "close_long"


class TradeEvent(StrEnum):
    TAKER = "fulfill_taker"
    MAKER = "fulfill_maker"


class OrderState(StrEnum):
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


SIDES = {BookSide.BID: Side.BUY, BookSide.ASK: Side.SELL}
BOOK_SIDES = {side: word for word, side in SIDES.items()}
BUYS = frozenset({TradeSide.OPEN_LONG, TradeSide.CLOSE_SHORT})
STATUSES = {
    OrderState.OPEN: OrderStatus.OPEN,
    OrderState.PARTIALLY_FILLED: OrderStatus.OPEN,
    OrderState.FILLED: OrderStatus.FILLED,
    OrderState.CANCELLED: OrderStatus.CANCELLED,
    OrderState.REJECTED: OrderStatus.REJECTED,
}


class Reply(msgspec.Struct, Generic[T], frozen=True):
    """A success; refusals never get this far. `next_cursor` counts only when `has_more`."""

    data: T
    next_cursor: str | None = None
    has_more: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Any reply, read for what it refuses. `code`: a business code, or the HTTP status once more."""

    success: bool = True
    error: str | None = None
    code: int | None = None
    error_id: str = ""


class Market(msgspec.Struct, frozen=True):
    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    min_order_size: Decimal
    max_leverage: Decimal
    instrument_type: str = "perpetual"


class PriceRow(msgspec.Struct, frozen=True):
    """`next_funding` stays text: it is the raw number that is kept beside the rate. `funding` (the last one paid) is not used."""

    symbol: str
    timestamp: int
    next_funding: str | None = None
    mark: float | None = None
    oracle: float | None = None
    open_interest: float | None = None
    volume_24h: float | None = None


class MarkRow(msgspec.Struct, frozen=True):
    """A row of the same list where the mark values a position, which is money."""

    symbol: str
    mark: Decimal | None = None


class BookLevel(Level, frozen=True, rename={"price": "p", "size": "a"}):
    """A domain level under the venue's names, so that a book needs no conversion."""

    price: float
    size: float


class Book(msgspec.Struct, frozen=True):
    """`li`: the exchange-wide event number, on the WebSocket only."""

    s: str
    l: tuple[list[BookLevel], list[BookLevel]]  # noqa: E741  # the venue's name
    t: int
    li: int = 0


class TradeRow(msgspec.Struct, frozen=True):
    price: float
    amount: float
    side: TradeSide
    created_at: int


class FundingPoint(msgspec.Struct, frozen=True):
    funding_rate: Decimal
    created_at: int


class OrderRef(msgspec.Struct, frozen=True):
    order_id: int


class OrderRow(msgspec.Struct, frozen=True):
    """An order in the open list, the history, or one event of its life; each of the three leaves some fields out."""

    order_id: int
    symbol: str
    side: BookSide
    filled_amount: Decimal
    order_type: str
    reduce_only: bool
    created_at: int
    client_order_id: str | None = None
    order_status: OrderState = OrderState.OPEN
    initial_amount: Decimal | None = None
    amount: Decimal | None = None
    price: Decimal | None = None
    initial_price: Decimal | None = None
    average_filled_price: Decimal | None = None
    event_type: str = ""
    reason: str | None = None
    updated_at: int = 0
    history_id: int = 0

    def __post_init__(self) -> None:
        _ = self.size

    @property
    def size(self) -> Decimal:
        """What was ordered. A row that does not say it does not decode."""
        size = self.initial_amount or self.amount
        if size is None:
            raise ValueError(f"order {self.order_id} has no amount")
        return size


class OrderUpdate(msgspec.Struct, frozen=True):
    """`i`, `I` ids, `a` amount, `f` filled, `ip` initial price, `p` average price, `os` state, `oe` event, `ot` type."""

    i: int
    I: str | None  # noqa: E741  # the venue's name
    s: str
    d: BookSide
    a: Decimal
    f: Decimal
    ip: Decimal | None
    p: Decimal | None
    os: OrderState
    oe: str
    ot: str
    r: bool
    ct: int
    ut: int

    def row(self) -> OrderRow:
        """The same in the words of REST."""
        first = (self.i, self.s, self.d, self.f, self.ot, self.r, self.ct, self.I, self.os, None, self.a)
        return OrderRow(*first, initial_price=self.ip, average_filled_price=self.p, event_type=self.oe, updated_at=self.ut)


class FillRow(msgspec.Struct, frozen=True):
    history_id: int
    order_id: int
    client_order_id: str | None
    symbol: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    event_type: TradeEvent
    side: TradeSide
    created_at: int


class FillUpdate(msgspec.Struct, frozen=True):
    """`h` history id, `i`, `I` order ids, `te` event, `ts` side, `f` fee."""

    h: int
    i: int
    I: str | None  # noqa: E741  # the venue's name
    s: str
    a: Decimal
    p: Decimal
    f: Decimal
    te: TradeEvent
    ts: TradeSide
    t: int

    def row(self) -> FillRow:
        """The same in the words of REST."""
        return FillRow(self.h, self.i, self.I, self.s, self.a, self.p, self.f, self.te, self.ts, self.t)


class PositionRow(msgspec.Struct, frozen=True):
    symbol: str
    side: BookSide
    amount: Decimal
    entry_price: Decimal
    liquidation_price: Decimal | None
    updated_at: int


class PositionUpdate(msgspec.Struct, frozen=True):
    """`a` amount, `p` entry price, `l` liquidation price."""

    s: str
    d: BookSide
    a: Decimal
    p: Decimal
    l: Decimal | None  # noqa: E741  # the venue's name
    t: int

    def row(self) -> PositionRow:
        """The same in the words of REST."""
        return PositionRow(self.s, self.d, self.a, self.p, self.l, self.t)


class LeverageSetting(msgspec.Struct, frozen=True):
    symbol: str
    leverage: Decimal


class Settings(msgspec.Struct, frozen=True):
    """Only markets whose setting was changed are listed."""

    margin_settings: list[LeverageSetting] = []


class Account(msgspec.Struct, frozen=True):
    balance: Decimal
    account_equity: Decimal
    available_to_spend: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    updated_at: int


class AccountUpdate(msgspec.Struct, frozen=True):
    """`b` balance, `ae` equity, `as` spendable."""

    b: Decimal
    ae: Decimal
    t: int
    spendable: Decimal = msgspec.field(name="as")


class PaymentRow(msgspec.Struct, frozen=True):
    """`payout` is positive when received; `side` and `amount` are the position's."""

    history_id: int
    symbol: str
    side: BookSide
    amount: Decimal
    payout: Decimal
    rate: Decimal
    created_at: int


class Frame(msgspec.Struct, Generic[T], frozen=True):
    """A WebSocket frame of a channel."""

    data: T


def to_instruments(markets: list[Market]) -> list[Instrument]:
    """The perpetuals; spot markets share the list. The order minimum is notional, so a size has none but its lot."""
    found = []
    for row in markets:
        if row.instrument_type != "perpetual":
            continue
        asset = identify(row.symbol)
        found.append(
            Instrument(
                venue=VENUE,
                symbol=asset.base,
                venue_symbol=row.symbol,
                venue_id=row.symbol,
                multiplier=asset.multiplier,
                quote=QUOTE,
                price_rule=PriceRule(row.tick_size),
                lot_size=row.lot_size,
                min_size=row.lot_size,
                min_notional=row.min_order_size,
                max_leverage=row.max_leverage,
            )
        )
    return found


def to_book(book: Book, symbol: str, provenance: Provenance) -> OrderBook:
    bids, asks = book.l
    return OrderBook(VENUE, symbol, bids, asks, book.t, provenance, book.li or None)  # type: ignore[arg-type]  # BookLevel is a Level


def to_stats(row: PriceRow, provenance: Provenance) -> MarketStats:
    """Open interest comes in base units, volume in USD. The list has a mid but no best bid and ask, so those stay unknown."""
    return MarketStats(
        venue=VENUE,
        symbol=identify(row.symbol).base,
        venue_symbol=row.symbol,
        mark_price=row.mark,
        index_price=row.oracle,
        open_interest_usd=None if row.mark is None or row.open_interest is None else row.open_interest * row.mark,
        volume_24h_usd=row.volume_24h,
        best_bid=None,
        best_ask=None,
        time_ms=row.timestamp,
        provenance=provenance,
    )


def to_trade(row: TradeRow, symbol: str, provenance: Provenance) -> Trade:
    """The list gives trades no id; instant, price, size and side stand in for one."""
    trade_id = f"{row.created_at}:{row.price}:{row.amount}:{row.side.value}"
    side = Side.BUY if row.side in BUYS else Side.SELL
    return Trade(VENUE, symbol, trade_id, side, row.price, row.amount, row.created_at, provenance)


def to_order(row: OrderRow) -> Order:
    status = STATUSES[row.order_status]
    ended = status in (OrderStatus.CANCELLED, OrderStatus.REJECTED)
    return Order(
        venue=VENUE,
        symbol=identify(row.symbol).base,
        venue_order_id=str(row.order_id),
        client_order_id=row.client_order_id,
        side=SIDES[row.side],
        size=row.size,
        filled=row.filled_amount,
        price=None if row.order_type == "market" else row.price or row.initial_price,
        average_price=(row.average_filled_price or None) if row.filled_amount else None,
        status=status,
        reduce_only=row.reduce_only,
        reason=(row.reason or row.event_type) if ended else "",
        updated_ms=row.updated_at or row.created_at,
    )


def to_order_of(events: list[OrderRow]) -> Order:
    """An order from the events of its life: the newest tells its state, the first its price (a later one tells a fill's)."""
    newest, first = max(events, key=lambda e: e.history_id), min(events, key=lambda e: e.history_id)
    return to_order(msgspec.structs.replace(newest, price=first.price))


def to_fill(row: FillRow) -> Fill:
    return Fill(
        venue=VENUE,
        symbol=identify(row.symbol).base,
        fill_id=str(row.history_id),
        venue_order_id=str(row.order_id),
        client_order_id=row.client_order_id,
        side=Side.BUY if row.side in BUYS else Side.SELL,
        size=row.amount,
        price=row.price,
        fee=row.fee,
        fee_asset=QUOTE,
        liquidity=Liquidity.TAKER if row.event_type is TradeEvent.TAKER else Liquidity.MAKER,
        time_ms=row.created_at,
    )


def to_position(row: PositionRow, mark: Decimal | None = None, leverage: Decimal | None = None) -> Position:
    """`mark` and `leverage` come from other calls; the frames of the WebSocket have neither."""
    size = row.amount * SIDES[row.side].sign
    pnl = None if mark is None else size * (mark - row.entry_price)
    entry, limit = row.entry_price, row.liquidation_price
    limit = None if limit is None or limit <= 0 else limit  # a long with much collateral gets a negative one
    return Position(VENUE, identify(row.symbol).base, size, entry, pnl, limit, leverage, row.updated_at)


def to_balance(account: Account) -> Balance:
    return Balance(VENUE, QUOTE, account.balance, account.account_equity, account.available_to_spend, account.updated_at)


def to_payment(row: PaymentRow) -> FundingPayment:
    size, symbol = row.amount * SIDES[row.side].sign, identify(row.symbol).base
    return FundingPayment(VENUE, symbol, str(row.history_id), row.payout, row.rate, size, row.created_at)


def to_fee_rates(account: Account) -> FeeRates:
    return FeeRates(maker=account.maker_fee, taker=account.taker_fee)
