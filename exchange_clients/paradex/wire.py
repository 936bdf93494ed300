"""Paradex's own words, only the fields we use, each beside the function that crosses into the domain.

Numbers come as strings, "" where there is none; books decode to float, orders and money to Decimal.
Source: venue sheet sections 3 to 9.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from struct import Struct
from typing import Any, Generic, Literal, TypeVar

import msgspec

from exchange_clients import domain
from exchange_clients.domain import OrderStatus, Side, TimeInForce, exact, float_number, said_number
from exchange_clients.engine import sbe
from exchange_clients.engine.rows import member, row_of
from exchange_clients.errors import ProtocolViolation

VENUE = "paradex"
USDC = "USDC"
PERP = "-USD-PERP"
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
SIDE_WORDS = {side: word for word, side in SIDES.items()}
INSTRUCTIONS = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.POST_ONLY: "POST_ONLY"}
TIMES_IN_FORCE = {word: tif for tif, word in INSTRUCTIONS.items()}
SideWord = Literal["BUY", "SELL"]
Content = TypeVar("Content")


class Page(msgspec.Struct, Generic[Content], frozen=True):
    """Every list of the venue, null when empty; `next` is the cursor of the following page where there are pages."""

    results: list[Content] | None
    next: str | None = None


class ApiError(msgspec.Struct, frozen=True):
    error: str
    message: str = ""


class SystemConfig(msgspec.Struct, frozen=True):
    starknet_chain_id: str


class SystemState(msgspec.Struct, frozen=True):
    """ok, maintenance, cancel_only, post_only."""

    status: str


class Token(msgspec.Struct, frozen=True):
    jwt_token: str


class Market(msgspec.Struct, frozen=True):
    """What tells whether a market is ours. `funding_period_hours` is absent from old recordings: nobody can say what a rate is for."""

    symbol: str
    base_currency: str
    asset_kind: str = ""
    market_kind: str = "cross"
    trading_mode: str = "STANDARD"
    funding_period_hours: Any = None
    fee_config: Any = None


class MarketTerms(Market, frozen=True):
    """A market that orders can be made for."""

    order_size_increment: Decimal = msgspec.field(default=Decimal(0))
    price_tick_size: Decimal = msgspec.field(default=Decimal(0))
    min_notional: Decimal = msgspec.field(default=Decimal(0))
    delta1_cross_margin_params: Any = None


class Summary(msgspec.Struct, frozen=True):
    """Figures, "" where there is none. `funding_rate` stays text: it is the raw number that is kept beside the rate."""

    symbol: str
    created_at: Any = None
    mark_price: Any = ""
    underlying_price: Any = ""
    open_interest: Any = ""
    volume_24h: Any = ""
    bid: Any = ""
    ask: Any = ""
    funding_rate: Any = ""


class FundingPoint(msgspec.Struct, frozen=True):
    """One observation of the rate. Old rows say 0 hours, which means the market's own period."""

    funding_rate: Decimal
    created_at: int
    funding_period_hours: Decimal = Decimal(0)


class RestLevel(domain.Level, frozen=True, array_like=True, gc=False):
    """A domain level as `["price","size"]`."""


class RestBook(msgspec.Struct, frozen=True):
    seq_no: int
    last_updated_at: int
    bids: list[RestLevel]
    asks: list[RestLevel]


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
    client_id: str | None = ""
    avg_fill_price: Any = ""
    cancel_reason: str | None = ""
    flags: list[str] | None = None
    instruction: Any = ""


class FillRow(msgspec.Struct, frozen=True):
    """`realized_funding`: what the fill settled, signed as a result: positive = received (SDK, sbe/paradex_1_0.xml)."""

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
    client_id: str | None = ""
    realized_funding: Any = ""


class PositionRow(msgspec.Struct, frozen=True):
    """`size` is signed or not, depending on its age; `side` is always right. `unrealized_pnl` includes accrued funding.

    `last_updated_at` is not among what the schema promises; `seq_no` counts nanoseconds.
    """

    market: str
    status: Literal["OPEN", "CLOSED"]
    side: Literal["LONG", "SHORT"]
    size: Decimal
    last_updated_at: int = 0
    seq_no: int = 0
    average_entry_price: Any = ""
    unrealized_pnl: Any = ""
    unrealized_funding_pnl: Any = ""
    liquidation_price: Any = ""
    leverage: Any = ""


class BalanceRow(msgspec.Struct, frozen=True):
    token: str
    size: Any


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


class MarginConfig(msgspec.Struct, frozen=True):
    market: str
    leverage: int
    margin_type: str


class Margins(msgspec.Struct, frozen=True):
    configs: list[MarginConfig] | None = None


class PaymentRow(msgspec.Struct, frozen=True):
    """`payment` > 0 is taken as received: no source says so, hence `fill_id`'s own figure is compared."""

    id: str
    market: str
    payment: Decimal
    created_at: int
    fill_id: str | None = ""


# What ends an order that never had a chance; every other reason ends one that was good (venue sheet section 7: no full list exists).
# Seen in public code: ccxt, paradex-py common/order.py. The last is the sandbox's own word.
REJECTING: tuple[str, ...] = ("NOT_ENOUGH_MARGIN", "POST_ONLY_WOULD_CROSS", "REDUCE_ONLY_WILL", "ORDER_SIZE_BELOW_MIN")
REJECTING += ("ORDER_EXCEEDS_POSITION_LIMIT", "PRICE_BAND")


def is_perp(market: str) -> bool:
    """Options and spot share every list with perpetuals."""
    return market.endswith(PERP)


def asset_of(market: str) -> domain.Asset:
    """The asset of a perpetual. Its name is the market's `base_currency`, which the venue writes before a fixed ending."""
    return domain.identify(market.removesuffix(PERP))


def is_listed(market: Market) -> bool:
    """Perpetuals with an order book on cross margin: isolated ones want an account of their own, which we don't act for."""
    terms = (market.asset_kind, market.market_kind, market.trading_mode)
    return terms == ("PERP", "cross", "STANDARD") and is_perp(market.symbol)


def to_market(row: msgspec.Raw) -> Market | None:
    """None for a market that is not ours."""
    market = row_of(row, Market)
    return market if is_listed(market) else None


def to_own(kind: type[Content]) -> Callable[[msgspec.Raw], Content | None]:
    """Reads a row that names its market; None for one that is not about a perpetual."""
    return lambda row: row_of(row, kind) if is_perp(member(row, "market", str)) else None


def to_usdc(row: msgspec.Raw) -> Decimal | None:
    """The balance of the settlement token; None for another token."""
    balance = row_of(row, BalanceRow)
    return Decimal(balance.size) if balance.token == USDC else None


def measure(said: Any) -> float | None:
    """The measurement that was said, None for anything else."""
    return None if said is None else float_number(str(said))


def _of(market: str) -> dict[str, Any]:
    return {"venue": VENUE, "symbol": asset_of(market).base}


@exact
def to_instrument(row: msgspec.Raw) -> domain.Instrument | None:
    """None for a market that is not ours. Raises what an odd one makes raise."""
    if to_market(row) is None:
        return None
    market = row_of(row, MarketTerms)
    if not (market.price_tick_size > 0 and market.order_size_increment > 0 and market.min_notional >= 0):
        raise ValueError(f"{market.symbol} has no grid of prices and sizes")
    margin = market.delta1_cross_margin_params
    first = said_number(margin.get("imf_base")) if isinstance(margin, dict) else None
    return domain.Instrument.perpetual(
        venue=VENUE,
        venue_symbol=market.symbol,
        asset=domain.identify(market.base_currency),
        quote=USDC,
        price_rule=domain.PriceRule(market.price_tick_size),
        lot_size=market.order_size_increment,
        min_notional=market.min_notional,
        max_leverage=1 / first if first else None,
    )


def to_book(book: RestBook, symbol: str, depth: int, provenance: domain.Provenance) -> domain.OrderBook:
    bids = domain.to_levels(sorted(book.bids, key=lambda level: -level.price)[:depth])
    asks = domain.to_levels(sorted(book.asks, key=lambda level: level.price)[:depth])
    return domain.OrderBook(VENUE, symbol, bids, asks, book.last_updated_at, provenance, book.seq_no)


def to_stats(row: Summary, provenance: domain.Provenance, now_ms: int) -> domain.MarketStats:
    """Open interest comes in base units (one- or two-sided is not stated), volume in USD. `now_ms`: where the row has no time."""
    return domain.MarketStats.of(
        venue=VENUE,
        venue_symbol=row.symbol,
        asset=asset_of(row.symbol),
        mark=measure(row.mark_price),
        index=measure(row.underlying_price),
        open_interest=measure(row.open_interest),
        volume_24h_usd=measure(row.volume_24h),
        time_ms=int(said_number(row.created_at) or now_ms),
        provenance=provenance,
        best_bid=measure(row.bid),
        best_ask=measure(row.ask),
    )


def to_trade(trade: PublicTrade, provenance: domain.Provenance) -> domain.Trade:
    what: dict[str, Any] = {"trade_id": trade.id, "price": trade.price, "size": trade.size, "time_ms": trade.created_at}
    return domain.Trade(**_of(trade.market), **what, side=SIDES[trade.side], provenance=provenance)


def to_status(order: OrderRow) -> OrderStatus:
    """CLOSED says only that it is over: filled when nothing remains, else cancelled, or rejected where it never stood a chance."""
    if order.status != "CLOSED":
        return OrderStatus.OPEN if order.status == "OPEN" else OrderStatus.PENDING
    if order.remaining_size == 0:
        return OrderStatus.FILLED
    was_refused = order.remaining_size == order.size and (order.cancel_reason or "").startswith(REJECTING)
    return OrderStatus.REJECTED if was_refused else OrderStatus.CANCELLED


@exact
def to_order(order: OrderRow) -> domain.Order:
    status = to_status(order)
    return domain.Order(
        **_of(order.market),
        venue_order_id=order.id,
        client_order_id=order.client_id or None,
        side=SIDES[order.side],
        size=order.size,
        filled=order.size - order.remaining_size,
        price=None if order.type == "MARKET" else order.price,
        average_price=said_number(order.avg_fill_price) or None,
        status=status,
        reduce_only="REDUCE_ONLY" in (order.flags or ()),
        reason=order.cancel_reason or "" if status in (OrderStatus.CANCELLED, OrderStatus.REJECTED) else "",
        updated_ms=order.last_updated_at,
        time_in_force=TIMES_IN_FORCE.get(order.instruction),
    )


def to_fill(fill: FillRow) -> domain.Fill:
    return domain.Fill(
        **_of(fill.market),
        fill_id=fill.id,
        venue_order_id=fill.order_id,
        client_order_id=fill.client_id or None,
        side=SIDES[fill.side],
        size=fill.size,
        price=fill.price,
        fee=fill.fee,
        fee_asset=fill.fee_currency,
        liquidity=domain.Liquidity(fill.liquidity.lower()),
        time_ms=fill.created_at,
    )


@exact
def to_position(row: PositionRow) -> domain.Position:
    """Closed positions stay in the venue's lists; their size here is 0."""
    return domain.Position(
        **_of(row.market),
        size=Decimal(0) if row.status == "CLOSED" else abs(row.size) if row.side == "LONG" else -abs(row.size),
        entry_price=said_number(row.average_entry_price),
        unrealised_pnl=said_number(row.unrealized_pnl),
        unrealised_funding=said_number(row.unrealized_funding_pnl),
        liquidation_price=said_number(row.liquidation_price),
        leverage=said_number(row.leverage),
        updated_ms=row.last_updated_at or row.seq_no // 1_000_000,
    )


@exact
def to_balance(account: AccountSummary, wallet: Decimal) -> domain.Balance:
    """`wallet`: the settlement token's own balance, which includes everything realised.

    Equity is what is free and what is bound; an account in which nothing is free is worth less than it binds.
    """
    equity = min(account.account_value, account.free_collateral + account.initial_margin_requirement)
    worth = {"wallet": wallet, "equity": equity, "available": account.free_collateral}
    return domain.Balance(venue=VENUE, asset=USDC, **worth, updated_ms=account.updated_at)


def to_payment(row: PaymentRow) -> domain.FundingPayment:
    """The venue says neither rate nor position: a payment settles whatever accrued since the position was last touched."""
    what: dict[str, Any] = {"payment_id": row.id, "amount": row.payment, "paid_at_ms": row.created_at}
    return domain.FundingPayment(**_of(row.market), **what, rate=None, position_size=None)


def check_payment(paid: PaymentRow | None, fill: FillRow) -> None:
    """Raise ProtocolViolation where a payment and its fill disagree about who paid."""
    settled = said_number(fill.realized_funding)
    if paid is not None and settled is not None and settled * paid.payment < 0:
        detail = f"payment {paid.id} says {paid.payment}, its fill {fill.id} {settled}: the sign of one of them is not ours"
        raise ProtocolViolation(VENUE, "funding payments", detail)


def to_fee_rates(fees: Fees, market: Market | None = None) -> domain.FeeRates:
    """Of the account, or of a market that has its own (`fee_config.api_fee`: orders that come from the API)."""
    own: Any = market.fee_config if market is not None else None
    said = [_digged(own, "api_fee", f"{who}_fee", "fee") for who in ("maker", "taker")]
    maker, taker = (said_number(text) for text in said)
    return domain.FeeRates(maker=fees.maker_rate if maker is None else maker, taker=fees.taker_rate if taker is None else taker)


def _digged(said: Any, *names: str) -> Any:
    """What lies at a path of nested objects, None where one of them is missing."""
    for name in names:
        said = said.get(name) if isinstance(said, dict) else None
    return said


ORDER = to_own(OrderRow)
FILL = to_own(FillRow)
POSITION = to_own(PositionRow)
PAYMENT = to_own(PaymentRow)

# Public channels are told in SBE (docs: binary-encoding-sbe; required since 21 September 2026, recorded by others so in October).
# Layout: paradex-py, sbe/paradex_1_0.xml: BookEvent is template 3; numbers are multiples of 1e-8, times microseconds.
SBE_QUERY = "sbeSchemaId=1&sbeSchemaVersion=1"
SBE_SCHEMA, SBE_BOOK, SBE_UNIT = 1, 3, 1e8
SBE_HEAD = Struct("<HHHHqqB")  # the frame's own head, then time, number and kind of the event
SBE_BLOCK_MIN = SBE_HEAD.size - sbe.HEADER.size


class BookChange(msgspec.Struct, frozen=True, gc=False):
    """A book, or what changed since `seq_no` − 1: price and size of one level after the other, in units of 1e-8; size 0 removes."""

    market: bytes
    seq_no: int
    time_ms: int
    is_whole: bool
    bids: tuple[int, ...]
    asks: tuple[int, ...]


def book_market(frame: bytes) -> bytes:
    """The market of a book's frame, found without reading its rows; b"" for any other frame."""
    if sbe.template(frame) != (SBE_BOOK, SBE_SCHEMA):
        return b""
    return sbe.text(frame, sbe.after_group(frame, sbe.after_group(frame, sbe.block_end(frame))))


def to_book_change(frame: bytes) -> BookChange:
    """A book's frame taken apart, in one pass: most of them carry two or three levels, and come by the thousand."""
    block, template, schema, _, time_us, sequence, kind = SBE_HEAD.unpack_from(frame)
    if template != SBE_BOOK or schema != SBE_SCHEMA or block < SBE_BLOCK_MIN:
        raise ValueError(f"template {template} of schema {schema}, a block of {block} bytes, is no book")
    bids, at = sbe.pairs(frame, sbe.HEADER.size + block)
    asks, at = sbe.pairs(frame, at)
    return BookChange(sbe.text(frame, at), sequence, time_us // 1000, kind == 0, bids, asks)
