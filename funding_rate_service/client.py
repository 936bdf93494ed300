"""A typed client of the service's HTTP API: the only door through which bots see it.

Numbers that decide about money are read from the JSON text as Decimal, so nothing is lost between the service and the bot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from exchange_clients.engine.transport import HttpRequest, HttpResponse, HttpTransport, TransportFailure


class ServiceUnavailable(Exception):
    """The service did not answer, or not now. Asking again later is safe: every call here only reads."""


class ServiceRefused(Exception):
    """The service answered that the question is wrong, or answered something unreadable; repeating it would not help."""


class NextPayment(msgspec.Struct, frozen=True):
    """A leg's next funding. `at` is None where funding accrues or the venue does not say; `in_ms` counts market ms."""

    dex: str
    at: datetime | None
    in_ms: int | None
    kind: str


class NextPayments(msgspec.Struct, frozen=True):
    """Both legs' clocks."""

    long: NextPayment
    short: NextPayment


class Opportunity(msgspec.Struct, frozen=True):
    """A ranked pair: long where the rate is lower, short where it is higher.

    `long_rate`, `short_rate`: 8-hour equivalents, fractions. `carry_hourly`, `cost_entry`, `cost_exit`, `price_gap`: fractions
    of one leg's notional. Fields named `percent` are percent. None means unknown. Times are aware UTC of market time.
    """

    symbol: str
    long_dex: str
    short_dex: str
    long_rate: Decimal
    short_rate: Decimal
    carry_hourly: Decimal
    cost_entry: Decimal
    cost_exit: Decimal
    price_gap: Decimal
    horizon_hours: Decimal
    size_usd: Decimal
    expected_net_percent: Decimal
    net_low: Decimal | None
    net_high: Decimal | None
    net_apr_percent: Decimal
    breakeven_hours: Decimal | None
    half_life_hours: Decimal | None
    capacity_usd: Decimal | None
    next_payments: NextPayments
    confidence: str
    stale: bool
    stale_because: str
    discovered_at: datetime


class Rate(msgspec.Struct, frozen=True):
    """One venue's current rate of one symbol. `funding_rate`: 8-hour equivalent, `rate_hourly`: per hour; None when unknown."""

    funding_rate: Decimal | None
    rate_hourly: Decimal | None
    raw_rate: str | None
    raw_unit: str | None
    interval_hours: Decimal | None
    kind: str | None
    venue_symbol: str
    age_ms: int
    stale: bool
    provenance: str
    unknown_because: str
    timestamp: datetime


class VenueHealth(msgspec.Struct, frozen=True):
    """How collection from one venue goes."""

    dex_name: str
    status: str
    is_healthy: bool
    active_symbols: int
    consecutive_errors: int
    last_error: str | None


class Health(msgspec.Struct, frozen=True):
    """The service at a glance. `status`: healthy, degraded or unhealthy."""

    status: str
    timestamp: datetime
    dex_health: tuple[VenueHealth, ...]


class _Opportunities(msgspec.Struct, frozen=True):
    opportunities: tuple[Opportunity, ...]


class _Rates(msgspec.Struct, frozen=True):
    details: dict[str, dict[str, Rate]]


class _Refusal(msgspec.Struct, frozen=True):
    detail: str = ""


Reply = TypeVar("Reply")


class FundingServiceClient:
    """Reads one service at `base_url` (scheme and host, `http://127.0.0.1:8000`). The transport belongs to the caller.

    Every method raises ServiceUnavailable (no answer, 5xx) or ServiceRefused (4xx, unreadable reply).
    """

    def __init__(self, base_url: str, http: HttpTransport, *, timeout_s: float = 5.0) -> None:
        self._base = base_url.rstrip("/")
        self._http = http
        self._timeout_s = timeout_s

    async def opportunities(self, **params: str | int | float | Decimal | bool) -> tuple[Opportunity, ...]:
        """The ranking, best first. `params`: any query parameter of GET /opportunities (`size_usd=500`, `limit=20`)."""
        return (await self._read("/api/v1/opportunities", params, _Opportunities)).opportunities

    async def rates(self, **params: str | int | float | Decimal | bool) -> dict[str, dict[str, Rate]]:
        """Current rates: symbol → venue → Rate. `params`: `dex`, `symbol`."""
        return (await self._read("/api/v1/funding-rates", params, _Rates)).details

    async def health(self) -> Health:
        """Database, venues and freshness."""
        return await self._read("/api/v1/health", {}, Health)

    async def ready(self) -> bool:
        """Whether the service has rates to offer. False, too, while it can't be reached."""
        try:
            reply = await self._send("/readyz", {})
        except ServiceUnavailable:
            return False
        return reply.status == 200

    async def _read(self, path: str, params: Mapping[str, str | int | float | Decimal | bool], shape: type[Reply]) -> Reply:
        reply = await self._send(path, params)
        if reply.status >= 500:
            raise ServiceUnavailable(f"funding service {path}: status {reply.status}: {_reason(reply)}")
        if reply.status != 200:
            raise ServiceRefused(f"funding service {path}: status {reply.status}: {_reason(reply)}")
        try:
            return msgspec.json.decode(reply.body, type=shape)
        except msgspec.DecodeError as error:
            raise ServiceRefused(f"funding service {path}: the reply does not have the expected shape: {error}") from error

    async def _send(self, path: str, params: Mapping[str, str | int | float | Decimal | bool]) -> HttpResponse:
        words = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in params.items()}
        url = f"{self._base}{path}" + (f"?{urlencode(words)}" if words else "")
        try:
            return await self._http.request(HttpRequest("GET", url, timeout_s=self._timeout_s))
        except TransportFailure as failure:
            raise ServiceUnavailable(f"funding service at {self._base} did not answer {path}: {failure.reason}") from failure


def _reason(reply: HttpResponse) -> str:
    try:
        return msgspec.json.decode(reply.body, type=_Refusal).detail or "no reason given"
    except msgspec.DecodeError:
        return reply.body[:200].decode("utf-8", "replace") or "no reason given"
