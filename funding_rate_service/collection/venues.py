"""The venues we collect from, wired to live installations or to a sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import msgspec

from exchange_clients import registry
from exchange_clients.base import BaseFundingAdapter
from exchange_clients.engine.clock import Clock
from exchange_clients.errors import Misconfigured
from exchange_clients.network import Network
from exchange_clients.spec import Urls, VenueSpec
from funding_rate_service.config import Settings, VenueUrls
from funding_rate_service.errors import StartupError


@dataclass(frozen=True)
class Venue:
    """What a venue is, where it is asked (`rest_url`, for people), and what asks it."""

    spec: VenueSpec
    adapter: BaseFundingAdapter
    rest_url: str


OpenVenues = Callable[[Settings, Clock], AbstractAsyncContextManager[Sequence[Venue]]]


@asynccontextmanager
async def open_venues(settings: Settings, clock: Clock) -> AsyncIterator[Sequence[Venue]]:
    """The configured venues over real sockets; their connections are given back at the end. Raises StartupError."""
    async with AsyncExitStack() as stack:
        try:
            hosts = {venue: _host(registry.spec(venue), given) for venue, given in settings.venue_urls.items()}
            network = await stack.enter_async_context(
                Network(settings.environment, hosts=hosts, clock=clock, folder=settings.limits_dir)
            )
            venues = [Venue(registry.spec(name), network.adapter(name), network.urls(name).rest) for name in settings.venues]
        except Misconfigured as error:
            raise StartupError(f"settings: {error}") from error
        yield venues


def _host(spec: VenueSpec, given: VenueUrls) -> str | Urls:
    if not given.websocket:
        return given.rest
    return msgspec.structs.replace(spec.urls_at(given.rest), websocket=spec.urls_at(given.websocket).websocket)
