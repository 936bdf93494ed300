"""Puts the service together: routes, documentation, and the lifespan that runs everything behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from exchange_clients.engine.clock import Clock, SystemClock
from funding_rate_service.api import about, dexes, funding_rates, health, opportunities, problems
from funding_rate_service.board import Encoder
from funding_rate_service.collection.venues import OpenVenues, open_venues
from funding_rate_service.config import Settings
from funding_rate_service.service import run_service

ENCODERS: Mapping[str, Encoder] = {
    f"{about.BASE}/funding-rates": funding_rates.all_rates,
    f"{about.BASE}/opportunities": opportunities.ranked,
}
"""The replies that are kept as bytes, by path."""

_REFUSALS: dict[int | str, dict[str, object]] = {
    "4XX": {"model": problems.Problem, "description": "A wrong question: 400 with the allowed values, 404 with known names"}
}


def create_app(settings: Settings, *, clock: Clock | None = None, venues: OpenVenues = open_venues) -> FastAPI:
    """The application. Its lifespan starts the database, the migrations, the election and the collection, and stops them.

    `clock`: default is the one that the settings describe. `venues`: default are the configured ones over real sockets.
    The lifespan raises StartupError when something can't be started.
    """
    market_clock = clock or SystemClock.from_text(settings.clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run_service(settings, market_clock, venues, ENCODERS) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="Funding rate service",
        version=about.VERSION,
        description="Funding rates of perpetual futures and the arbitrage between venues. Rates are fractions; unknown is null.",
        openapi_url=f"{about.BASE}/openapi.json",
        docs_url=f"{about.BASE}/docs",
        redoc_url=f"{about.BASE}/redoc",
        lifespan=lifespan,
    )
    problems.install(app)
    v1 = APIRouter(prefix=about.BASE, responses=_REFUSALS)
    for part in (about, health, funding_rates, opportunities, dexes):
        v1.include_router(part.router)
    app.include_router(v1)
    app.include_router(about.router, include_in_schema=False)
    app.add_api_route("/livez", health.livez, include_in_schema=False)
    app.add_api_route("/readyz", health.readyz, include_in_schema=False)
    return app
