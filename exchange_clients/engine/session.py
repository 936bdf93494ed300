"""The only road to a venue's HTTP: take the meter's budget → sign with the clock and a nonce → send → classify → decode."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from exchange_clients.engine.clock_reading import ClockReading
from exchange_clients.engine.endpoint import Call, Endpoint, Meter, Retry
from exchange_clients.engine.rate_limit import ACT_WAIT_S_MAX, SHARES, URGENT_SHARE, WAIT_S_MAX
from exchange_clients.engine.redaction import redact_text
from exchange_clients.engine.retry import repeat
from exchange_clients.engine.transport import HttpRequest, HttpResponse, TransportFailure
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import (
    AuthenticationFailed,
    ExchangeError,
    Misconfigured,
    NotSent,
    OutcomeUnknown,
    ProtocolViolation,
    RateLimited,
    Refused,
)

RETRY_AFTER_S_DEFAULT = 1.0
ERROR_SHOWN_BYTES = 200


class Dialect:
    """What differs between venues on the way to a reply. Each venue's client has one; the defaults suit a public JSON API."""

    def meter_key(self, call: Call, meter: Meter) -> str:
        """Whom the venue counts this call against in `meter`."""
        return ""

    def draws(self, call: Call) -> tuple[tuple[Meter, float], ...]:
        """What the call costs: units of its own budget, then of others."""
        return ((call.endpoint.meter, call.endpoint.weight), *call.endpoint.also)

    def spent(self, call: Call, error: ExchangeError) -> Meter:
        """Which of the call's budgets the venue says is spent."""
        return self.draws(call)[0][0]

    async def prepare(self, call: Call) -> None:
        """Get what signing needs and can't be computed, such as a session token. Runs before every try."""

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        """The request as it leaves, signed now. `request` is complete: URL with query, JSON body."""
        return request

    def heard(self, call: Call, response: HttpResponse) -> None:
        """Keep what a success says beside its body: a session's cookie, what is left of a budget."""

    def refusal(self, call: Call, response: HttpResponse) -> ExchangeError | None:
        """The error that the venue states in `response`, or None when it states none."""
        return None

    async def recover(self, error: Refused) -> bool:
        """Mend what made the venue refuse (an expired token, a used nonce). True means: worth one more try."""
        return False


class Session:
    """Calls one venue for one account."""

    def __init__(self, venue: str, wiring: Wiring, dialect: Dialect) -> None:
        self._venue = venue
        self._wiring = wiring
        self._dialect = dialect
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._reading: ClockReading | None = None

    @property
    def clock_ahead_ms(self) -> int | None:
        """How far our clock is ahead of the venue's by its latest reply, negative: behind, in ms of the wire; None: it does not say."""
        ahead_ms = None if self._reading is None else self._reading.ahead_ms()
        return None if ahead_ms is None else round(ahead_ms / self._wiring.clock.speed)

    async def call(
        self,
        endpoint: Endpoint,
        *,
        path: dict[str, str] | None = None,
        query: dict[str, Any] | None = None,
        payload: Any = None,
        urgent: bool = False,
        within_s: float = ACT_WAIT_S_MAX,
    ) -> Any:
        """Use `endpoint` and return its decoded reply.

        `query` entries that are None are left out. `urgent`: an act that may use the whole of a budget. `within_s`: how long an act may
        wait for its turn (budget, session token, a connection) before it is sent; NotSent afterwards, since late is at an old price.
        Raises NotSent, OutcomeUnknown, RateLimited, ProtocolViolation and whatever
        Refused the venue's dialect recognises; which of them are tried again is decided by `endpoint.retry` alone.
        """
        if endpoint.private and self._wiring.credentials is None:
            raise Misconfigured(self._venue, endpoint.name, "this call needs credentials and none were given")
        call = Call(endpoint, path or {}, {k: v for k, v in (query or {}).items() if v is not None}, payload)
        is_act, now = endpoint.retry is Retry.ACT, asyncio.get_running_loop().time  # looked up once: it costs a system call
        share = URGENT_SHARE if urgent or endpoint.urgent else SHARES[endpoint.retry]
        deadline = now() + within_s if is_act else math.inf
        try:
            return await repeat(
                endpoint.retry, lambda: self._once(call, share, deadline, now), self._wiring.random, deadline - now()
            )
        except Refused as refused:
            if now() > deadline or not await self._dialect.recover(refused):
                raise
        return await repeat(
            endpoint.retry, lambda: self._once(call, share, deadline, now), self._wiring.random, deadline - now()
        )

    async def _once(self, call: Call, share: float, deadline: float, now: Callable[[], float]) -> Any:
        endpoint, dialect, limits = call.endpoint, self._dialect, self._wiring.limits
        try:
            for meter, weight in dialect.draws(call):
                key = dialect.meter_key(call, meter)
                if limits.try_take(self._venue, meter, key, weight, share, now()) > 0:
                    within_s = min(WAIT_S_MAX, deadline - now())
                    await limits.take(self._venue, endpoint.name, meter, key, weight, share, within_s)
        except RateLimited as spent:
            if endpoint.retry is Retry.READ:
                raise
            raise NotSent(self._venue, endpoint.name, f"{spent.detail}, and later would be too late") from spent
        await dialect.prepare(call)
        if now() > deadline:
            raise NotSent(
                self._venue, endpoint.name, "it could not be sent in time, and later would be too late; nothing was sent"
            )
        request = dialect.sign(call, self._request(call))
        asked_at, asked_ms = now(), self._wiring.clock.now_ms()
        try:
            response = await self._wiring.http.request(request)
        except TransportFailure as failure:
            raise self._transport_error(endpoint, failure) from failure
        self._reading = ClockReading.of(response, asked_ms, self._wiring.clock.now_ms()) or self._reading
        if self._wiring.observer is not None:
            self._wiring.observer.reply(endpoint, response, now() - asked_at)
        if 300 <= response.status < 400:
            raise self._redirected(endpoint, response)
        error = dialect.refusal(call, response) or self._status_error(endpoint, response)
        if error is None:
            dialect.heard(call, response)
            reply = self._decode(endpoint, response.body)
            if endpoint.rows_per_unit and isinstance(reply, list):
                more = len(reply) // endpoint.rows_per_unit
                limits.debit(self._venue, endpoint.meter, dialect.meter_key(call, endpoint.meter), more)
            return reply
        if isinstance(error, RateLimited) or response.status == 429:
            wait = error.retry_after_s if isinstance(error, RateLimited) else RETRY_AFTER_S_DEFAULT
            spent_meter = dialect.spent(call, error)
            limits.close_for(self._venue, spent_meter, dialect.meter_key(call, spent_meter), wait)
        raise error

    def _request(self, call: Call) -> HttpRequest:
        body = None if call.payload is None else msgspec.json.encode(call.payload)
        headers = {} if body is None else {"Content-Type": "application/json"}
        return HttpRequest(call.endpoint.method, self._url(call), headers, body, call.endpoint.timeout_s)

    def _url(self, call: Call) -> str:
        path = call.endpoint.path
        if call.path:
            path = path.format_map({name: quote(value, safe="") for name, value in call.path.items()})
        query = f"?{urlencode(call.query)}" if call.query else ""
        return f"{self._wiring.rest_urls.get(call.endpoint.host, self._wiring.rest_url)}{path}{query}"

    def _transport_error(self, endpoint: Endpoint, failure: TransportFailure) -> ExchangeError:
        if not failure.sent:
            return NotSent(self._venue, endpoint.name, f"{failure.reason}; nothing was sent")
        consequence = "it may have happened" if endpoint.retry is Retry.ACT else "nothing was learnt"
        return OutcomeUnknown(self._venue, endpoint.name, f"{failure.reason}; {consequence}")

    def _redirected(self, endpoint: Endpoint, response: HttpResponse) -> ExchangeError:
        """What was signed for one address goes to no other, and nothing that moves money does."""
        where = urlsplit(response.headers.get("location", "")).hostname or "another path"
        detail = f"HTTP {response.status} points to {where}; redirects are never followed: check the address"
        if endpoint.retry is Retry.ACT:
            return OutcomeUnknown(self._venue, endpoint.name, f"{detail}; whether it happened is not known")
        return ProtocolViolation(self._venue, endpoint.name, detail, response.body)

    def _status_error(self, endpoint: Endpoint, response: HttpResponse) -> ExchangeError | None:
        status = response.status
        if status < 400:
            return None
        text = redact_text(response.body[:ERROR_SHOWN_BYTES].decode("utf-8", "replace"))  # some echo what they were sent
        if status == 429:
            if endpoint.retry is Retry.ACT:
                return OutcomeUnknown(self._venue, endpoint.name, f"HTTP 429 to an acting call ({text}); it may have happened")
            wait = _seconds(response.headers.get("retry-after", ""))
            return RateLimited(self._venue, endpoint.name, f"HTTP 429 ({text}); it says to wait {wait:g} s", wait)
        if status >= 500:
            return OutcomeUnknown(self._venue, endpoint.name, f"HTTP {status} ({text}); whether it happened is not known")
        if status in (401, 403):
            return AuthenticationFailed(self._venue, endpoint.name, f"HTTP {status} ({text})", str(status))
        return Refused(self._venue, endpoint.name, f"HTTP {status} ({text})", str(status))

    def _decode(self, endpoint: Endpoint, body: bytes) -> Any:
        if endpoint.reply is None:
            return None
        decoder = self._decoders.get(endpoint.name)
        if decoder is None:
            decoder = self._decoders[endpoint.name] = msgspec.json.Decoder(endpoint.reply, strict=False)
        try:
            return decoder.decode(body)
        except msgspec.MsgspecError as error:
            detail = f"the reply does not fit the protocol: {error}"
            if endpoint.retry is Retry.ACT:
                raise OutcomeUnknown(self._venue, endpoint.name, f"{detail}; it may have happened") from error
            raise ProtocolViolation(self._venue, endpoint.name, detail, body, str(error).rpartition("`")[0]) from error


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return RETRY_AFTER_S_DEFAULT
