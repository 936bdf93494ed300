"""Pacifica's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings; books and statistics decode to float, orders and money to Decimal. Literals are strict: a word that is
not in them does not decode. WebSocket frames carry the same things as REST under one-letter names.
Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Generic, Literal, TypeVar

import msgspec

from exchange_clients import domain
from exchange_clients.domain import Fill, Instrument, Order, OrderStatus, Side, TimeInForce, exact, float_number, identify
from exchange_clients.engine.rows import readable, row_of
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

    @property
    def cursor(self) -> str | None:
        return self.next_cursor if self.has_more else None


Rows = Reply[list[msgspec.Raw]]
"""A list, read row by row: spot, trigger orders and kinds yet to come share the lists of perpetuals."""


class Refusal(msgspec.Struct, frozen=True):
    """Any reply, read for what it refuses. `code`: a business code, or the HTTP status once more."""

    success: bool = True
    error: str | None = None
    code: int | None = None
    error_id: str = ""


class Named(msgspec.Struct, frozen=True):
    """What tells of any row whether it is about a perpetual."""

    symbol: str
    instrument_type: str | None = None


class Market(Named, frozen=True, kw_only=True):
    tick_size: Decimal
    lot_size: Decimal
    min_order_size: Decimal
    max_leverage: Decimal | None = None
    isolated_only: bool | None = None


class PriceRow(Named, frozen=True, kw_only=True):
    """All of it stays as it came: what is no number today is unknown, and the raw rate is kept beside the rate that was read."""

    timestamp: int | None = None
    next_funding: str | float | None = None
    mark: str | float | None = None
    oracle: str | float | None = None
    open_interest: str | float | None = None
    volume_24h: str | float | None = None


class BookLevel(domain.Level, frozen=True, rename={"price": "p", "size": "a"}):
    """A domain level under the venue's names, so that a book needs no conversion."""

    price: domain.Measure
    size: domain.Measure


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
    """What an order is known by."""

    order_id: int
    client_order_id: str | None = None


class OrderRow(msgspec.Struct, frozen=True):
    """An order in the open list, the history, or one event of its life; each of the three leaves some fields out.

    An order that waits for a price (`stop_…`, `take_profit_…`) may have no amount: it then closes whatever is held.
    """

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
        if not size and not self.is_trigger:
            raise ValueError(f"order {self.order_id} has no amount")
        return size or Decimal(0)

    @property
    def is_trigger(self) -> bool:
        return self.order_type not in ("limit", "market")


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


class LeverageUpdate(msgspec.Struct, frozen=True, rename={"symbol": "s", "leverage": "l"}):
    symbol: str
    leverage: Decimal


class Account(msgspec.Struct, frozen=True):
    """`account_equity` counts spot at its market value since unified margin; older replies have no word about spot."""

    balance: Decimal
    account_equity: Decimal
    available_to_spend: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    updated_at: int
    spot_market_value: Decimal | None = None
    spot_collateral: Decimal | None = None

    @property
    def spot(self) -> Decimal:
        """What the spot that is held is worth, or what of it counts as collateral where nothing else is said."""
        return self.spot_market_value or self.spot_collateral or Decimal(0)


ACCOUNT_MEMBERS = {"balance": "b", "account_equity": "ae", "available_to_spend": "as", "updated_at": "t"}


class AccountUpdate(msgspec.Struct, frozen=True, rename=ACCOUNT_MEMBERS):
    """The same on the WebSocket, which has no word about spot."""

    balance: Decimal
    account_equity: Decimal
    available_to_spend: Decimal
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
PositionUpdate = renamed(PositionRow, POSITION_WORDS, may_miss=("liquidation_price",))


def to_order_id(ref: domain.ByVenueId) -> int:
    """The venue's ids are numbers. Raises Misconfigured for anything else."""
    if not ref.id.isdecimal():
        raise Misconfigured(VENUE, "order", f"{ref.id!r} is not an order id of this venue; nothing was sent")
    return int(ref.id)


def reader(kind: type[T], is_wanted: Callable[[msgspec.Raw], bool] = lambda _: True) -> Callable[[msgspec.Raw], T | None]:
    """Reads a row strictly as `kind`, or nothing where what is read of it loosely is not what `is_wanted`."""
    return lambda raw: row_of(raw, kind) if is_wanted(raw) else None


def price_rows(rows: list[msgspec.Raw]) -> list[PriceRow]:
    """A row of which nothing but the name can be read tells of a market of which nothing is known."""
    told = readable(rows, reader(PriceRow))
    names = {row.symbol for row in told}
    return told + [PriceRow(symbol=row.symbol) for row in readable(rows, reader(Named)) if row.symbol not in names]


def is_perpetual(row: Named) -> bool:
    """Spot says `spot`; lists from before there was any say nothing."""
    return row.instrument_type in (None, "perpetual")


def is_spot_name(symbol: str) -> bool:
    """Spot is named after both assets, `SOL-USDC`. Only for rows of markets that the list of markets was not asked about yet."""
    return symbol.endswith(f"-{QUOTE}")


def instrument_of(raw: msgspec.Raw) -> Instrument | None:
    """A row of the list of markets; nothing for those that are no perpetuals."""
    return to_instrument(row_of(raw, Market)) if is_perpetual(row_of(raw, Named)) else None


def to_instrument(row: Market) -> Instrument:
    """The order minimum is notional, so a size has none but its lot. Raises ValueError for steps that are none."""
    if row.tick_size <= 0 or row.lot_size <= 0:
        raise ValueError(f"{row.symbol} has steps {row.tick_size} and {row.lot_size}")
    return Instrument.perpetual(
        venue=VENUE,
        venue_symbol=row.symbol,
        asset=identify(row.symbol),
        quote=QUOTE,
        price_rule=domain.PriceRule(row.tick_size),
        lot_size=row.lot_size,
        min_notional=row.min_order_size,
        max_leverage=row.max_leverage,
        isolated_only=bool(row.isolated_only),
    )


def to_book(book: Book, symbol: str, provenance: domain.Provenance) -> domain.OrderBook:
    bids, asks = book.l
    return domain.OrderBook(VENUE, symbol, domain.to_levels(bids), domain.to_levels(asks), book.t, provenance, book.li or None)


def to_stats(row: PriceRow, now_ms: int, provenance: domain.Provenance) -> domain.MarketStats:
    """Open interest comes in base units, volume in USD. The list has a mid but no best bid and ask, so those stay unknown."""
    return domain.MarketStats.of(
        venue=VENUE,
        venue_symbol=row.symbol,
        asset=identify(row.symbol),
        mark=float_number(row.mark),
        index=float_number(row.oracle),
        open_interest=float_number(row.open_interest),
        volume_24h_usd=float_number(row.volume_24h),
        time_ms=row.timestamp or now_ms,
        provenance=provenance,
    )


def to_trade(row: TradeRow, symbol: str, provenance: domain.Provenance) -> domain.Trade:
    """The list gives trades no id; instant, price, size and side stand in for one."""
    return domain.Trade(
        venue=VENUE,
        symbol=symbol,
        trade_id=f"{row.created_at}:{row.price}:{row.amount}:{row.side}",
        side=TRADE_SIDES[row.side],
        price=row.price,
        size=row.amount,
        time_ms=row.created_at,
        provenance=provenance,
    )


def to_order(row: OrderRow) -> Order:
    """An order that waits for a price is pending until it is fired."""
    status = OrderStatus.OPEN if row.order_status == "partially_filled" else OrderStatus(row.order_status)
    status = OrderStatus.PENDING if row.is_trigger and status is OrderStatus.OPEN else status
    price = None if row.order_type.endswith("market") else row.price or row.initial_price
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
        liquidity=domain.Liquidity.TAKER if row.event_type == "fulfill_taker" else domain.Liquidity.MAKER,
        time_ms=row.created_at,
    )


@exact
def to_position(row: PositionRow, mark: Decimal | None = None, leverage: Decimal | None = None) -> domain.Position:
    """`mark` and `leverage` come from other calls; the frames of the WebSocket have neither."""
    size = row.amount * SIDES[row.side].sign
    pnl = None if mark is None else size * (mark - row.entry_price)
    limit = row.liquidation_price or Decimal(0)  # a long with much collateral gets a negative one
    return domain.Position(
        venue=VENUE,
        symbol=identify(row.symbol).base,
        size=size,
        entry_price=row.entry_price,
        unrealised_pnl=pnl,
        liquidation_price=limit if limit > 0 else None,
        leverage=leverage,
        updated_ms=row.updated_at,
    )


@exact
def to_balance(account: Account | AccountUpdate, spot: Decimal) -> domain.Balance:
    """`spot`: what it was worth when the account was last read. It is no part of what is traded here, hence not of the equity."""
    return domain.Balance(
        venue=VENUE,
        asset=QUOTE,
        wallet=account.balance,
        equity=account.account_equity - spot,
        available=account.available_to_spend,
        updated_ms=account.updated_at,
    )


@exact
def to_payment(row: PaymentRow) -> domain.FundingPayment:
    return domain.FundingPayment(
        venue=VENUE,
        symbol=identify(row.symbol).base,
        payment_id=str(row.history_id),
        amount=row.payout,
        rate=row.rate,
        position_size=row.amount * SIDES[row.side].sign,
        paid_at_ms=row.created_at,
    )


def to_fee_rates(account: Account) -> domain.FeeRates:
    return domain.FeeRates(maker=account.maker_fee, taker=account.taker_fee)
