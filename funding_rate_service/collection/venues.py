"""The venues we collect from, wired to live installations or to a sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from exchange_clients import registry
from exchange_clients.base import BaseFundingAdapter
from exchange_clients.engine.clock import Clock
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.rate_limit import RateLimits
from exchange_clients.engine.shared_rate_limit import SharedRateLimits
from exchange_clients.engine.websocket import PicowsTransport
from exchange_clients.engine.wiring import Wiring
from exchange_clients.spec import Urls, VenueSpec
from funding_rate_service.config import Settings
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
        http, websocket = AiohttpTransport(), PicowsTransport()
        stack.push_async_callback(http.close)
        stack.push_async_callback(websocket.close)
        limits = RateLimits() if settings.limits_dir is None else SharedRateLimits(settings.limits_dir)
        venues = []
        for name in settings.venues:
            spec = registry.spec(name)
            urls = _urls(settings, spec)
            wiring = Wiring(settings.environment, urls.rest, urls.websocket, clock, http, websocket, limits=limits)
            adapter: BaseFundingAdapter = await stack.enter_async_context(spec.adapter_class()(wiring))
            venues.append(Venue(spec, adapter, urls.rest))
        yield venues


def _urls(settings: Settings, spec: VenueSpec) -> Urls:
    given = settings.venue_urls.get(spec.name)
    if given is not None:
        websocket = given.websocket.rstrip("/")
        return Urls(given.rest.rstrip("/") + spec.rest_path, websocket and websocket + spec.websocket_path)
    urls = spec.urls.get(settings.environment)
    if urls is None:
        raise StartupError(
            f"settings: {spec.name} has no {settings.environment.value} installation; leave it out of FUNDING_VENUES"
        )
    return urls
