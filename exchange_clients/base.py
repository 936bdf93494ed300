"""The contract that every venue keeps. Verbs say whether money moves: `fetch_`, `stream_` read; `place_`, `cancel_`, `amend_`,
`set_` act and are never blindly repeated.

An acting verb checks what can be known to be wrong (order_checks), sends once and never reads: a read that fails afterwards would
deny the act. What the reply does not tell stays PENDING. Every method raises subclasses of `errors.ExchangeError` and nothing
else; a method whose capability is not declared raises `Unsupported`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import ClassVar, Protocol, Self, TypeVar

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import AccountEvent, BookEvent, Connectivity, FillEvent, OrderEvent
from exchange_clients.domain.funding import FundingObservation, FundingPayment, FundingRate
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.market import MarketStats, OrderBook, Quote, Trade
from exchange_clients.domain.orders import Fill, Order, OrderRef, OrderRequest, TimeInForce
from exchange_clients.domain.spellings import did_you_mean
from exchange_clients.errors import Misconfigured, Unsupported
from exchange_clients.market_watch import MarketWatch
from exchange_clients.order_checks import check_instrument, check_leverage, check_price, check_ref, check_request, check_size

__all__ = [
    "ALL_STREAMS",
    "LIMIT_ORDERS",
    "BaseExchangeClient",
    "BaseFundingAdapter",
    "Capability",
    "EventStream",
    "MarketClient",
]

Event_co = TypeVar("Event_co", covariant=True)


class Capability(StrEnum):
    """What a venue's client can do beyond the required verbs."""

    AMEND = "amend"
    BATCH_PLACE = "batch_place"
    BATCH_CANCEL = "batch_cancel"
    CANCEL_ALL = "cancel_all"
    POST_ONLY = "post_only"
    IOC = "ioc"
    MARKET = "market"
    REDUCE_ONLY = "reduce_only"
    FETCH_BY_CLIENT_ID = "fetch_by_client_id"
    IDEMPOTENT_PLACE = "idempotent_place"
    STREAM_BOOK = "stream_book"
    STREAM_ACCOUNT = "stream_account"
    STREAM_ORDERS = "stream_orders"
    STREAM_FILLS = "stream_fills"
    SET_LEVERAGE = "set_leverage"
    FUNDING_HISTORY = "funding_history"
    DEAD_MAN_SWITCH = "dead_man_switch"


LIMIT_ORDERS = frozenset({Capability.POST_ONLY, Capability.IOC, Capability.REDUCE_ONLY})
ALL_STREAMS = frozenset({Capability.STREAM_BOOK, Capability.STREAM_ACCOUNT, Capability.STREAM_ORDERS, Capability.STREAM_FILLS})


class EventStream(Protocol[Event_co]):
    """Events as they come: `async with client.stream_book(btc) as events: async for event in events: …`.

    Leaving the block, or `aclose`, ends the subscription; breaking off a loop alone does not.
    """

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Event_co: ...

    async def aclose(self) -> None:
        """Unsubscribe. Idempotent."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class MarketClient(ABC):
    """What a quote-only venue offers. Use as `async with client:`; closing ends its streams."""

    venue: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]

    _instruments: dict[str, Instrument] | None = None
    _watch: MarketWatch | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    async def close(self) -> None:
        """End streams and give back connections. Idempotent."""

    @abstractmethod
    async def fetch_instruments(self) -> Sequence[Instrument]:
        """Every tradable perpetual of the venue; delisted markets are left out."""

    @abstractmethod
    async def fetch_order_book(self, instrument: Instrument, depth: int = 20) -> OrderBook:
        """The book now, at most `depth` levels per side (fewer where the venue shows fewer)."""

    @abstractmethod
    async def fetch_trades(self, instrument: Instrument, limit: int = 100) -> Sequence[Trade]:
        """The latest public trades, oldest first, at most `limit`."""

    @abstractmethod
    async def fetch_stats(self) -> Sequence[MarketStats]:
        """Mark, index, open interest and 24 h volume of every market, in one round."""

    async def fetch_quote(self, instrument: Instrument) -> Quote:
        """Best bid and ask now."""
        book = await self.fetch_order_book(instrument, depth=1)
        return Quote(
            venue=book.venue,
            symbol=book.symbol,
            bid=book.bids[0] if book.bids else None,
            ask=book.asks[0] if book.asks else None,
            time_ms=book.time_ms,
            provenance=book.provenance,
        )

    @property
    def markets(self) -> MarketWatch:
        """Markets as they were last seen. One that has jumped by ten times is not traded on before `markets.confirm(symbol)`."""
        if self._watch is None:
            self._watch = MarketWatch(self.venue)
        return self._watch

    async def instrument(self, symbol: str) -> Instrument:
        """The instrument of a base asset (`BTC`, `PEPE`) or of the venue's own spelling; the list is fetched once.

        Raises Misconfigured, naming close matches, for a symbol that the venue does not list.
        """
        if self._instruments is None:
            listed = await self.fetch_instruments()
            self._instruments = {i.venue_symbol: i for i in listed} | {i.symbol: i for i in listed}
        found = self._instruments.get(symbol)
        if found is None:
            raise Misconfigured(self.venue, "instrument", f"{symbol!r} is not listed{did_you_mean(symbol, self._instruments)}")
        return found

    async def check_open(self) -> None:  # noqa: B027  # most venues tell nothing
        """Raise VenueClosed while the venue takes no ordinary orders, whoever sends them. Venues that don't tell count as open."""

    def stream_book(self, instrument: Instrument, depth: int = 20) -> EventStream[BookEvent | Connectivity]:
        """States of a book as they come. When the reader is slower than the venue, older states are dropped, never newer.

        Needs STREAM_BOOK. Yields Connected, then BookEvents; Lost and Resumed around every interruption. Several readers may watch
        one book.
        """
        raise self._unsupported(Capability.STREAM_BOOK)

    def require(self, capability: Capability) -> None:
        """Raise Unsupported unless `capability` is declared."""
        if capability not in self.capabilities:
            raise self._unsupported(capability)

    def _unsupported(self, capability: Capability) -> Unsupported:
        return Unsupported(self.venue, capability.value, "this venue's client does not declare it; see `capabilities`")


class BaseExchangeClient(MarketClient):
    """A trading client for one account. One instance per account and process."""

    @property
    def clock_ahead_ms(self) -> int | None:
        """How far our clock is certainly ahead of the venue's, negative: behind, in ms of the wire; 0 when it may be right.

        By the venue's latest reply, whatever it was. None: nothing was asked yet, or the venue does not say.
        """
        return None

    async def verify_access(self) -> None:
        """Make sure that the credentials may act for the account; moves nothing. Ask before the first order.

        Raises AuthenticationFailed when the venue or a comparison of keys says no, Misconfigured when credentials are missing.
        Here: by reading the balance, which is enough where reading an account needs the key.
        """
        await self.fetch_balance()

    async def place_order(self, request: OrderRequest) -> Order:
        """Send one order and return what the venue says of it at once (its status may still be PENDING).

        Raises Misconfigured, MarketChanged or Unsupported before anything is sent, OrderRejected (and its subclasses) when refused,
        OutcomeUnknown when it may have been accepted: then ask `fetch_order` with the client order id, `fetch_fills` and
        `fetch_positions` before anything else.
        """
        check_request(self.venue, request)
        self.markets.require(request.instrument, "place_order", reduces=request.reduce_only)
        for needed in _needs(request):
            self.require(needed)
        return await self._place(request)

    async def cancel_order(self, instrument: Instrument, ref: OrderRef) -> None:
        """Ask for a cancellation. Returning means that the venue took the request, not that the order did not fill first.

        Raises OrderNotFound when the venue does not know the order (any more), OutcomeUnknown when no usable answer came.
        """
        check_instrument(self.venue, "cancel_order", instrument)
        check_ref(self.venue, "cancel_order", ref)
        await self._cancel(instrument, ref)

    async def fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        """One order, open or done. Raises OrderNotFound: a fact about now, the order may still be on its way."""
        check_instrument(self.venue, "fetch_order", instrument)
        check_ref(self.venue, "fetch_order", ref)
        return await self._fetch_order(instrument, ref)

    @abstractmethod
    async def _place(self, request: OrderRequest) -> Order:
        """Send it once and tell what the venue said at once."""

    @abstractmethod
    async def _cancel(self, instrument: Instrument, ref: OrderRef) -> None:
        """Send it once."""

    @abstractmethod
    async def _fetch_order(self, instrument: Instrument, ref: OrderRef) -> Order:
        """Ask for it."""

    @abstractmethod
    async def fetch_open_orders(self, instrument: Instrument | None = None) -> Sequence[Order]:
        """Orders that rest or wait, of one market or of all."""

    @abstractmethod
    async def fetch_fills(self, instrument: Instrument | None = None, since_ms: int = 0) -> Sequence[Fill]:
        """Own executions at or after `since_ms`, oldest first, each once, all pages."""

    @abstractmethod
    async def fetch_positions(self) -> Sequence[Position]:
        """Every open position; a market that is not listed is flat."""

    @abstractmethod
    async def fetch_balance(self) -> Balance:
        """Settlement currency of the account."""

    @abstractmethod
    async def fetch_funding_payments(self, instrument: Instrument, since_ms: int = 0) -> Sequence[FundingPayment]:
        """Funding booked at or after `since_ms`, oldest first, each once, all pages."""

    @abstractmethod
    async def fetch_fee_rates(self, instrument: Instrument | None = None) -> FeeRates:
        """Maker and taker fee of this account now, on one market where the venue charges them per market."""

    async def fetch_leverage(self, instrument: Instrument) -> int | None:
        """The leverage that is set for a market; None where the venue tells it only of positions."""
        return None

    async def amend_order(self, order: Order, instrument: Instrument, *, price: Decimal, size: Decimal) -> Order:
        """Change price and total size of a resting order. The venue may give it a new id. Needs AMEND.

        `order`: as it was last seen. `size`: venue units in all, what has filled of `order` included; more than that must be left.
        Returns the order that rests instead, with the same total and what had filled when it was asked for; PENDING until read.
        """
        self.require(Capability.AMEND)
        check_instrument(self.venue, "amend_order", instrument)
        check_size(self.venue, "amend_order", instrument, size)
        check_price(self.venue, "amend_order", price)
        if order.venue != self.venue or order.symbol != instrument.symbol:
            detail = f"the order is of {order.symbol} on {order.venue}, not of {instrument.symbol} here; nothing was sent"
            raise Misconfigured(self.venue, "amend_order", detail)
        if size <= order.filled:
            detail = f"a total of {size} leaves nothing to work: {order.filled} has filled; nothing was sent"
            raise Misconfigured(self.venue, "amend_order", detail)
        self.markets.require(instrument, "amend_order", reduces=order.reduce_only)
        return await self._amend(order, instrument, price, size)

    async def _amend(self, order: Order, instrument: Instrument, price: Decimal, size: Decimal) -> Order:
        raise self._unsupported(Capability.AMEND)

    async def cancel_all_orders(self, instrument: Instrument | None = None) -> None:
        """Cancel everything of one market, or of all. Needs CANCEL_ALL."""
        self.require(Capability.CANCEL_ALL)
        if instrument is not None:
            check_instrument(self.venue, "cancel_all_orders", instrument)
        await self._cancel_all(instrument)

    async def _cancel_all(self, instrument: Instrument | None) -> None:
        raise self._unsupported(Capability.CANCEL_ALL)

    async def set_leverage(self, instrument: Instrument, leverage: int) -> None:
        """Choose the leverage of one market: cross margin, or isolated where the market allows no other. Needs SET_LEVERAGE."""
        self.require(Capability.SET_LEVERAGE)
        check_instrument(self.venue, "set_leverage", instrument)
        check_leverage(self.venue, leverage)
        await self._set_leverage(instrument, leverage)

    async def _set_leverage(self, instrument: Instrument, leverage: int) -> None:
        raise self._unsupported(Capability.SET_LEVERAGE)

    def stream_orders(self) -> EventStream[OrderEvent | Connectivity]:
        """Own orders as they change. Needs STREAM_ORDERS."""
        raise self._unsupported(Capability.STREAM_ORDERS)

    def stream_fills(self) -> EventStream[FillEvent | Connectivity]:
        """Own executions as they happen; repeats are possible, `fill_id` tells. Needs STREAM_FILLS."""
        raise self._unsupported(Capability.STREAM_FILLS)

    def stream_account(self) -> EventStream[AccountEvent | Connectivity]:
        """Positions and balance as they change. Needs STREAM_ACCOUNT."""
        raise self._unsupported(Capability.STREAM_ACCOUNT)


class BaseFundingAdapter(ABC):
    """Reads funding and market figures of all markets of a venue; needs no credentials."""

    venue: ClassVar[str]

    _symbols: Mapping[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    async def close(self) -> None:
        """Give back connections. Idempotent."""

    @abstractmethod
    async def current_rates(self) -> Sequence[FundingObservation]:
        """What the venue says of every perpetual's funding now; a rate that can't be known says why."""

    async def rate_history(self, market: Instrument | str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        """Past rates of one market in [since, until), oldest first, all pages. Needs FUNDING_HISTORY.

        `market`: an instrument, a base asset (`BTC`) or the venue's own spelling, looked up in its list. `since`, `until`: aware.
        Raises Misconfigured for a market of another venue, one that is not listed, or naive times.
        """
        if since.tzinfo is None or until.tzinfo is None:
            raise Misconfigured(self.venue, "rate_history", "since and until must be aware datetimes; nothing was sent")
        if isinstance(market, Instrument):
            check_instrument(self.venue, "rate_history", market)
            return await self._rate_history(market.venue_symbol, since, until)
        return await self._rate_history(await self._venue_symbol(market), since, until)

    @abstractmethod
    async def _rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        """The pages of one market."""

    @abstractmethod
    async def market_stats(self) -> Sequence[MarketStats]:
        """Mark, index, open interest, volume and, where the venue gives them, best bid and ask of every perpetual."""

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        """`current_rates` and `market_stats` of one moment; a venue that tells both in one call is asked once."""
        return await self.current_rates(), await self.market_stats()

    async def _venue_symbol(self, symbol: str) -> str:
        if symbol not in self._symbols:
            listed = await self.current_rates()
            self._symbols = {o.symbol: o.venue_symbol for o in listed} | {o.venue_symbol: o.venue_symbol for o in listed}
        found = self._symbols.get(symbol)
        if found is None:
            raise Misconfigured(self.venue, "rate_history", f"{symbol!r} is not listed{did_you_mean(symbol, self._symbols)}")
        return found


def _needs(request: OrderRequest) -> list[Capability]:
    wants = {
        Capability.MARKET: request.price is None,
        Capability.POST_ONLY: request.time_in_force is TimeInForce.POST_ONLY,
        Capability.IOC: request.time_in_force is TimeInForce.IOC,
        Capability.REDUCE_ONLY: request.reduce_only,
    }
    return [capability for capability, wanted in wants.items() if wanted]
