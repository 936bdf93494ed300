"""Pacifica's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings; books and statistics decode to float, orders and money to Decimal. Literals are strict: a word that is
not in them does not decode. WebSocket frames carry the same things as REST under one-letter names.
Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

import msgspec

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.assets import identify
from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.domain.market import Level, MarketStats, Measure, OrderBook, Trade, to_levels
from exchange_clients.domain.numbers import exact
from exchange_clients.domain.orders import ByVenueId, Fill, Liquidity, Order, OrderStatus, TimeInForce
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from exchange_clients.engine.short_names import renamed, words
from exchange_clients.errors import Misconfigured

VENUE = "pacifica"
QUOTE = "USDC"
T = TypeVar("T")
BookSide = Literal["bid", "ask"]
"""Of an order; of a position, bid is long."""
TradeSide = Literal["open_long", "close_short", "open_short", "close_long"]
SIDES = {"bid": Side.BUY, "ask": Side.SELL}
BOOK_SIDES = {side: word for word, side in SIDES.items()}
TRADE_SIDES = {"open_long": Side.BUY, "close_short": Side.BUY, "open_short": Side.SELL, "close_long": Side.SELL}
TIF = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.POST_ONLY: "ALO"}


class Reply(msgspec.Struct, Generic[T], frozen=True):
    """A success; refusals never get this far. `next_cursor` counts only when `has_more`."""

    data: T
    next_cursor: str | None = None
    has_more: bool = False

    def cursor_back_to(self, since_ms: int) -> str | None:
        """Where a list (newest first) goes on; None when every row since `since_ms` is here."""
        rows: Any = self.data
        return self.next_cursor if self.has_more and rows and rows[-1].created_at >= since_ms else None


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

    price: Measure
    size: Measure


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
    order_status: Literal["open", "partially_filled", "filled", "cancelled", "rejected"] = "open"
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


class FillRow(msgspec.Struct, frozen=True):
    history_id: int
    order_id: int
    client_order_id: str | None
    symbol: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    event_type: Literal["fulfill_taker", "fulfill_maker"]
    side: TradeSide
    created_at: int


class PositionRow(msgspec.Struct, frozen=True):
    symbol: str
    side: BookSide
    amount: Decimal
    entry_price: Decimal
    updated_at: int
    liquidation_price: Decimal | None = None


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


class AccountUpdate(msgspec.Struct, frozen=True, rename={"balance": "b", "equity": "ae", "spendable": "as", "updated_at": "t"}):
    balance: Decimal
    equity: Decimal
    spendable: Decimal
    updated_at: int


class PaymentRow(msgspec.Struct, frozen=True):
    """`payout` is positive when received; `side` and `amount` are the position's."""

    history_id: int
    symbol: str
    side: BookSide
    amount: Decimal
    payout: Decimal
    rate: Decimal
    created_at: int


ORDER_WORDS = words(
    "i=order_id I=client_order_id s=symbol d=side a=amount f=filled_amount ip=initial_price p=average_filled_price "
    "os=order_status oe=event_type ot=order_type r=reduce_only ct=created_at ut=updated_at"
)
FILL_WORDS = words(
    "h=history_id i=order_id I=client_order_id s=symbol a=amount p=price f=fee te=event_type ts=side t=created_at"
)
POSITION_WORDS = words("s=symbol d=side a=amount p=entry_price l=liquidation_price t=updated_at")
OrderUpdate, FillUpdate = renamed(OrderRow, ORDER_WORDS), renamed(FillRow, FILL_WORDS)
PositionUpdate = renamed(PositionRow, POSITION_WORDS)


def to_order_id(ref: ByVenueId) -> int:
    """The venue's ids are numbers. Raises Misconfigured for anything else."""
    if not ref.id.isdecimal():
        raise Misconfigured(VENUE, "order", f"{ref.id!r} is not an order id of this venue; nothing was sent")
    return int(ref.id)


def to_instruments(markets: list[Market]) -> list[Instrument]:
    """The perpetuals; spot markets share the list. The order minimum is notional, so a size has none but its lot."""

    def one(row: Market) -> Instrument:
        return Instrument.perpetual(
            venue=VENUE,
            venue_symbol=row.symbol,
            asset=identify(row.symbol),
            quote=QUOTE,
            price_rule=PriceRule(row.tick_size),
            lot_size=row.lot_size,
            min_notional=row.min_order_size,
            max_leverage=row.max_leverage,
        )

    return [one(row) for row in markets if row.instrument_type == "perpetual"]


def to_book(book: Book, symbol: str, provenance: Provenance) -> OrderBook:
    bids, asks = book.l
    return OrderBook(VENUE, symbol, to_levels(bids), to_levels(asks), book.t, provenance, book.li or None)


def to_stats(row: PriceRow, provenance: Provenance) -> MarketStats:
    """Open interest comes in base units, volume in USD. The list has a mid but no best bid and ask, so those stay unknown."""
    return MarketStats.of(
        venue=VENUE,
        venue_symbol=row.symbol,
        asset=identify(row.symbol),
        mark=row.mark,
        index=row.oracle,
        open_interest=row.open_interest,
        volume_24h_usd=row.volume_24h,
        time_ms=row.timestamp,
        provenance=provenance,
    )


def to_trade(row: TradeRow, symbol: str, provenance: Provenance) -> Trade:
    """The list gives trades no id; instant, price, size and side stand in for one."""
    trade_id = f"{row.created_at}:{row.price}:{row.amount}:{row.side}"
    return Trade(
        venue=VENUE,
        symbol=symbol,
        trade_id=trade_id,
        side=TRADE_SIDES[row.side],
        price=row.price,
        size=row.amount,
        time_ms=row.created_at,
        provenance=provenance,
    )


def to_order(row: OrderRow) -> Order:
    status = OrderStatus.OPEN if row.order_status == "partially_filled" else OrderStatus(row.order_status)
    price = None if row.order_type == "market" else row.price or row.initial_price
    average = (row.average_filled_price or None) if row.filled_amount else None
    reason = (row.reason or row.event_type) if status in (OrderStatus.CANCELLED, OrderStatus.REJECTED) else ""
    return Order(
        venue=VENUE,
        symbol=identify(row.symbol).base,
        venue_order_id=str(row.order_id),
        client_order_id=row.client_order_id,
        side=SIDES[row.side],
        size=row.size,
        filled=row.filled_amount,
        price=price,
        average_price=average,
        status=status,
        reduce_only=row.reduce_only,
        reason=reason,
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
        side=TRADE_SIDES[row.side],
        size=row.amount,
        price=row.price,
        fee=row.fee,
        fee_asset=QUOTE,
        liquidity=Liquidity.TAKER if row.event_type == "fulfill_taker" else Liquidity.MAKER,
        time_ms=row.created_at,
    )


@exact
def to_position(row: PositionRow, mark: Decimal | None = None, leverage: Decimal | None = None) -> Position:
    """`mark` and `leverage` come from other calls; the frames of the WebSocket have neither."""
    size = row.amount * SIDES[row.side].sign
    pnl = None if mark is None else size * (mark - row.entry_price)
    entry, limit = row.entry_price, row.liquidation_price
    limit = None if limit is None or limit <= 0 else limit  # a long with much collateral gets a negative one
    return Position(
        venue=VENUE,
        symbol=identify(row.symbol).base,
        size=size,
        entry_price=entry,
        unrealised_pnl=pnl,
        liquidation_price=limit,
        leverage=leverage,
        updated_ms=row.updated_at,
    )


def to_balance(account: Account) -> Balance:
    return Balance(
        venue=VENUE,
        asset=QUOTE,
        wallet=account.balance,
        equity=account.account_equity,
        available=account.available_to_spend,
        updated_ms=account.updated_at,
    )


@exact
def to_payment(row: PaymentRow) -> FundingPayment:
    size, symbol = row.amount * SIDES[row.side].sign, identify(row.symbol).base
    return FundingPayment(
        venue=VENUE,
        symbol=symbol,
        payment_id=str(row.history_id),
        amount=row.payout,
        rate=row.rate,
        position_size=size,
        paid_at_ms=row.created_at,
    )


def to_fee_rates(account: Account) -> FeeRates:
    return FeeRates(maker=account.maker_fee, taker=account.taker_fee)
