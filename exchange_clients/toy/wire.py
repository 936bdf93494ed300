"""Toy's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings; books and statistics become floats, orders and money Decimals. Literals are strict: a word that is not in
them does not decode. Rows of lists are read one by one: of markets an odd one is left out, of our own money it is an error, and
those about other kinds of markets are dropped before anything is strict. Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

import msgspec

from exchange_clients.domain import (
    Asset,
    Balance,
    FeeRates,
    Fill,
    FundingPayment,
    Instrument,
    Level,
    Liquidity,
    MarketStats,
    Measure,
    Order,
    OrderBook,
    OrderStatus,
    Position,
    PriceRule,
    Provenance,
    Side,
    TimeInForce,
    Trade,
    float_number,
    identify,
    to_levels,
)
from exchange_clients.engine.rows import row_of

VENUE = "toy"
QUOTE = "USDC"
PERP = "-PERP"
T = TypeVar("T")
Made = TypeVar("Made")
SideWord = Literal["buy", "sell"]
SIDES: dict[SideWord, Side] = {"buy": Side.BUY, "sell": Side.SELL}
SIDE_WORDS = {side: word for word, side in SIDES.items()}
TIF = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.POST_ONLY: "POST_ONLY"}
TIFS = {word: kind for kind, word in TIF.items()}
StatusWord = Literal["NEW", "OPEN", "FILLED", "CANCELLED", "REJECTED"]
STATUSES: dict[StatusWord, OrderStatus] = {
    "NEW": OrderStatus.PENDING,
    "OPEN": OrderStatus.OPEN,
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
}
ROLES = {"maker": Liquidity.MAKER, "taker": Liquidity.TAKER}


class Reply(msgspec.Struct, Generic[T], frozen=True):
    """A success; refusals never get this far."""

    result: T


class Refusal(msgspec.Struct, frozen=True):
    """Any reply, read for what it refuses."""

    ok: bool = True
    code: str = ""
    message: str = ""


class Marked(msgspec.Struct, frozen=True):
    """Any row that names its market."""

    symbol: str


class Stamped(msgspec.Struct, frozen=True):
    """Any row of a list that comes in pages."""

    id: str
    time: int


class Market(msgspec.Struct, frozen=True, rename="camel"):
    symbol: str
    base: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    max_leverage: Decimal


class Figures(msgspec.Struct, frozen=True, rename="camel"):
    """What can't be read is unknown, so nothing but the market is typed. `funding_rate` is the raw number beside the rate.

    `rename="camel"` would look for `volume_24h`, and an optional field that is not found reads as unknown without a word.
    """

    symbol: str
    time: int
    funding_rate: Any = None
    next_funding_time: int | None = None
    mark: Any = None
    index: Any = None
    open_interest: Any = None
    volume_24h: Any = msgspec.field(default=None, name="volume24h")


class BookLevel(Level, frozen=True, gc=False, array_like=True):
    """`[price, size]`."""

    price: Measure
    size: Measure


class Book(msgspec.Struct, frozen=True, gc=False):
    bids: list[BookLevel]
    asks: list[BookLevel]
    seq: int
    time: int


class TradeRow(msgspec.Struct, frozen=True):
    id: str
    side: SideWord
    price: float
    size: float
    time: int


class FundingPoint(msgspec.Struct, frozen=True):
    rate: Decimal
    time: int


class OrderRow(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    symbol: str
    side: SideWord
    size: Decimal
    filled: Decimal
    status: StatusWord
    time: int
    reduce_only: bool
    client_id: str | None = None
    price: Decimal | None = None
    average_price: Decimal | None = None
    tif: str = ""
    reason: str = ""


class FillRow(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    order_id: str
    symbol: str
    side: SideWord
    size: Decimal
    price: Decimal
    fee: Decimal
    role: Literal["maker", "taker"]
    time: int
    client_id: str | None = None


class PositionRow(msgspec.Struct, frozen=True):
    symbol: str
    size: Decimal
    time: int
    entry: Decimal | None = None
    pnl: Decimal | None = None
    liquidation: Decimal | None = None
    leverage: Decimal | None = None


class BalanceRow(msgspec.Struct, frozen=True):
    wallet: Decimal
    equity: Decimal
    available: Decimal
    time: int


class AccountRow(msgspec.Struct, frozen=True):
    positions: list[msgspec.Raw]
    balance: BalanceRow


class PaymentRow(msgspec.Struct, frozen=True):
    """`amount` is positive when received; `size` is signed."""

    id: str
    symbol: str
    amount: Decimal
    time: int
    rate: Decimal | None = None
    size: Decimal | None = None


class Fees(msgspec.Struct, frozen=True):
    maker: Decimal
    taker: Decimal


def asset_of(symbol: str) -> Asset:
    """The venue spells every perpetual `BASE-PERP`; the market list repeats the base by itself."""
    return identify(symbol.removesuffix(PERP))


def of_perp(kind: type[T], make: Callable[[T], Made]) -> Callable[[msgspec.Raw], Made | None]:
    """Reads a row and makes a value of it; None for a row about a market of another kind. Raises what an odd row makes raise."""

    def read(raw: msgspec.Raw) -> Made | None:
        return make(row_of(raw, kind)) if row_of(raw, Marked).symbol.endswith(PERP) else None

    return read


def to_instrument(row: Market) -> Instrument:
    if not (row.tick > 0 and row.lot > 0 and row.min_notional >= 0):
        raise ValueError(f"{row.symbol} has no grid of prices and sizes")
    return Instrument.perpetual(
        venue=VENUE,
        venue_symbol=row.symbol,
        asset=identify(row.base),
        quote=QUOTE,
        price_rule=PriceRule(row.tick),
        lot_size=row.lot,
        min_notional=row.min_notional,
        max_leverage=row.max_leverage,
    )


def to_book(book: Book, symbol: str, provenance: Provenance) -> OrderBook:
    return OrderBook(VENUE, symbol, to_levels(book.bids), to_levels(book.asks), book.time, provenance, book.seq)


def to_stats(row: Figures, provenance: Provenance) -> MarketStats:
    """Open interest comes in base units, volume in USD. The list has no best bid and ask, so those stay unknown."""
    return MarketStats.of(
        venue=VENUE,
        venue_symbol=row.symbol,
        asset=asset_of(row.symbol),
        mark=float_number(row.mark),
        index=float_number(row.index),
        open_interest=float_number(row.open_interest),
        volume_24h_usd=float_number(row.volume_24h),
        time_ms=row.time,
        provenance=provenance,
    )


def to_trade(row: TradeRow, symbol: str, provenance: Provenance) -> Trade:
    return Trade(
        venue=VENUE,
        symbol=symbol,
        trade_id=row.id,
        side=SIDES[row.side],
        price=row.price,
        size=row.size,
        time_ms=row.time,
        provenance=provenance,
    )


def to_order(row: OrderRow) -> Order:
    return Order(
        venue=VENUE,
        symbol=asset_of(row.symbol).base,
        venue_order_id=row.id,
        client_order_id=row.client_id,
        side=SIDES[row.side],
        size=row.size,
        filled=row.filled,
        price=row.price,
        average_price=row.average_price,
        status=STATUSES[row.status],
        reduce_only=row.reduce_only,
        reason=row.reason,
        updated_ms=row.time,
        time_in_force=TIFS.get(row.tif),
    )


def to_fill(row: FillRow) -> Fill:
    return Fill(
        venue=VENUE,
        symbol=asset_of(row.symbol).base,
        fill_id=row.id,
        venue_order_id=row.order_id,
        client_order_id=row.client_id,
        side=SIDES[row.side],
        size=row.size,
        price=row.price,
        fee=row.fee,
        fee_asset=QUOTE,
        liquidity=ROLES[row.role],
        time_ms=row.time,
    )


def to_position(row: PositionRow) -> Position:
    return Position(
        venue=VENUE,
        symbol=asset_of(row.symbol).base,
        size=row.size,
        entry_price=row.entry,
        unrealised_pnl=row.pnl,
        liquidation_price=row.liquidation,
        leverage=row.leverage,
        updated_ms=row.time,
    )


def to_balance(row: BalanceRow) -> Balance:
    return Balance(venue=VENUE, asset=QUOTE, wallet=row.wallet, equity=row.equity, available=row.available, updated_ms=row.time)


def to_payment(row: PaymentRow) -> FundingPayment:
    return FundingPayment(
        venue=VENUE,
        symbol=asset_of(row.symbol).base,
        payment_id=row.id,
        amount=row.amount,
        rate=row.rate,
        position_size=row.size,
        paid_at_ms=row.time,
    )


def to_fee_rates(row: Fees) -> FeeRates:
    return FeeRates(maker=row.maker, taker=row.taker)


INSTRUMENT = of_perp(Market, to_instrument)
FIGURES = of_perp(Figures, lambda row: row)
ORDER = of_perp(OrderRow, to_order)
FILL = of_perp(FillRow, to_fill)
POSITION = of_perp(PositionRow, to_position)
PAYMENT = of_perp(PaymentRow, to_payment)
