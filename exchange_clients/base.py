"""The contract that every venue keeps. Verbs say whether money moves: `fetch_`, `stream_` read; `place_`, `cancel_`, `amend_`,
`set_` act and are never blindly repeated.

Every method raises subclasses of `errors.ExchangeError`; a method whose capability is not declared raises `Unsupported`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Self

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.events import AccountEvent, BookEvent, Connectivity, FillEvent, OrderEvent
from exchange_clients.domain.funding import FundingObservation, FundingPayment, FundingRate
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.market import MarketStats, OrderBook, Quote, Trade
from exchange_clients.domain.orders import Fill, Order, OrderRequest
from exchange_clients.errors import Misconfigured, Unsupported


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


class MarketClient(ABC):
    """What a quote-only venue offers. Use as `async with client:`; closing ends its streams."""

    venue: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]

    _instruments: dict[str, Instrument] | None = None

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

    async def instrument(self, symbol: str) -> Instrument:
        """The instrument of a base asset (`BTC`, `PEPE`) or of the venue's own spelling; the list is fetched once.

        Raises Misconfigured, naming close matches, for a symbol that the venue does not list.
        """
        if self._instruments is None:
            listed = await self.fetch_instruments()
            self._instruments = {i.venue_symbol: i for i in listed} | {i.symbol: i for i in listed}
        found = self._instruments.get(symbol)
        if found is None:
            close = sorted(name for name in self._instruments if symbol.upper() in name.upper())[:5]
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise Misconfigured(self.venue, "instrument", f"{symbol!r} is not listed{hint}")
        return found

    def stream_book(self, instrument: Instrument, depth: int = 20) -> AsyncIterator[BookEvent | Connectivity]:
        """States of a book as they come. When the reader is slower than the venue, older states are dropped, never newer.

        Needs STREAM_BOOK. Yields Connected, then BookEvents; Lost and Resumed around every interruption.
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

    async def verify_access(self) -> None:
        """Make sure that the credentials may act for the account; moves nothing. Ask before the first order.

        Raises AuthenticationFailed when the venue or a comparison of keys says no, Misconfigured when credentials are missing.
        Here: by reading the balance, which is enough where reading an account needs the key.
        """
        await self.fetch_balance()

    @abstractmethod
    async def place_order(self, request: OrderRequest) -> Order:
        """Send one order and return what the venue says of it at once (its status may still be PENDING).

        Raises OrderRejected (and its subclasses) when refused, OutcomeUnknown when it may have been accepted: then ask
        `fetch_order` with the client order id, `fetch_fills` and `fetch_positions` before anything else.
        """

    @abstractmethod
    async def cancel_order(
        self, instrument: Instrument, *, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> None:
        """Ask for a cancellation. Returning means that the venue took the request, not that the order did not fill first.

        Raises OrderNotFound when the venue does not know the order (any more), OutcomeUnknown when no usable answer came.
        """

    @abstractmethod
    async def fetch_order(
        self, instrument: Instrument, *, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> Order:
        """One order, open or done. Raises OrderNotFound: a fact about now, the order may still be on its way."""

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
    async def fetch_fee_rates(self) -> FeeRates:
        """Maker and taker fee of this account now."""

    async def amend_order(self, order: Order, instrument: Instrument, *, price: Decimal, size: Decimal) -> Order:
        """Change price and total size of a resting order. The venue may give it a new id. Needs AMEND."""
        raise self._unsupported(Capability.AMEND)

    async def cancel_all_orders(self, instrument: Instrument | None = None) -> None:
        """Cancel everything of one market, or of all. Needs CANCEL_ALL."""
        raise self._unsupported(Capability.CANCEL_ALL)

    async def set_leverage(self, instrument: Instrument, leverage: int) -> None:
        """Choose the leverage (cross margin) of one market. Needs SET_LEVERAGE."""
        raise self._unsupported(Capability.SET_LEVERAGE)

    def stream_orders(self) -> AsyncIterator[OrderEvent | Connectivity]:
        """Own orders as they change. Needs STREAM_ORDERS."""
        raise self._unsupported(Capability.STREAM_ORDERS)

    def stream_fills(self) -> AsyncIterator[FillEvent | Connectivity]:
        """Own executions as they happen; repeats are possible, `fill_id` tells. Needs STREAM_FILLS."""
        raise self._unsupported(Capability.STREAM_FILLS)

    def stream_account(self) -> AsyncIterator[AccountEvent | Connectivity]:
        """Positions and balance as they change. Needs STREAM_ACCOUNT."""
        raise self._unsupported(Capability.STREAM_ACCOUNT)


class BaseFundingAdapter(ABC):
    """Reads funding and market figures of all markets of a venue; needs no credentials."""

    venue: ClassVar[str]

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

    @abstractmethod
    async def rate_history(self, venue_symbol: str, since: datetime, until: datetime) -> Sequence[FundingRate]:
        """Past rates of one market in [since, until), oldest first, all pages. Needs FUNDING_HISTORY."""

    @abstractmethod
    async def market_stats(self) -> Sequence[MarketStats]:
        """Mark, index, open interest, volume and, where the venue gives them, best bid and ask of every perpetual."""

    async def snapshot(self) -> tuple[Sequence[FundingObservation], Sequence[MarketStats]]:
        """`current_rates` and `market_stats` of one moment; a venue that tells both in one call is asked once."""
        return await self.current_rates(), await self.market_stats()
