"""What the trading clients of all venues are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from exchange_clients.base import BaseExchangeClient
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.market import OrderBook
from exchange_clients.engine.guarded import guard
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.stream import Stream
from exchange_clients.engine.stream_dialect import StreamDialect
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import Misconfigured
from exchange_clients.market_watch import MarketWatch
from exchange_clients.order_checks import check_instrument


class VenueClient(BaseExchangeClient):
    """One session and one stream of one account."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard(cls)
        _watch_markets(cls)
        _keep_to_own_markets(cls)

    def __init__(self, wiring: Wiring, dialect: Dialect, streams: StreamDialect) -> None:
        self._clock = wiring.clock
        self._provenance = wiring.provenance
        self._credentials = wiring.credentials
        self._watch = wiring.markets
        self._session = Session(self.venue, wiring, dialect)
        self._stream = Stream(self.venue, wiring, streams)

    async def close(self) -> None:
        await self._stream.close()

    @property
    def clock_ahead_ms(self) -> int | None:
        return self._session.clock_ahead_ms

    def _credential(self, name: str) -> str:
        """Raises Misconfigured when it is not given."""
        value = self._credentials.get(name) if self._credentials is not None else ""
        if not value:
            raise Misconfigured(self.venue, "credentials", f"an account is known by the credential {name}, which is missing")
        return value


def _keep_to_own_markets(kind: type[VenueClient]) -> None:
    """A market of another venue is refused by reads too: its name may mean something else here, and would be told under ours."""
    for name, read in list(vars(kind).items()):
        if name.startswith("fetch_"):
            setattr(kind, name, _of_own_market(name, read))
    if "stream_book" in vars(kind):
        stream = kind.stream_book

        @wraps(stream)
        def stream_book(self: VenueClient, instrument: Instrument, depth: int = 20) -> Any:
            check_instrument(self.venue, "stream_book", instrument)
            return stream(self, instrument, depth)

        setattr(kind, "stream_book", stream_book)  # noqa: B010  # mypy: a method can't be assigned to


def _of_own_market(name: str, read: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(read)
    async def reading(self: VenueClient, *args: Any, **kwargs: Any) -> Any:
        for given in (*args, *kwargs.values()):
            if isinstance(given, Instrument):
                check_instrument(self.venue, name, given)
        return await read(self, *args, **kwargs)

    return reading


def _watch_markets(kind: type[VenueClient]) -> None:
    """What the venue says of its markets is compared with what it said before, whoever asks."""
    for name, see in _SIGHTINGS.items():
        if name in vars(kind):
            setattr(kind, name, _seen_by(vars(kind)[name], see))


def _seen_by(read: Callable[..., Awaitable[Any]], see: Callable[..., None]) -> Callable[..., Awaitable[Any]]:
    @wraps(read)
    async def seen(self: VenueClient, *args: Any, **kwargs: Any) -> Any:
        found = await read(self, *args, **kwargs)
        see(self.markets, found, *args)
        return found

    return seen


def _see_book(markets: MarketWatch, book: OrderBook, instrument: Instrument, *_: Any) -> None:
    if book.mid is not None:
        markets.see_price(instrument, book.mid)


_SIGHTINGS: dict[str, Callable[..., None]] = {
    "fetch_instruments": MarketWatch.see,
    "fetch_stats": MarketWatch.see_stats,
    "fetch_order_book": _see_book,
}
