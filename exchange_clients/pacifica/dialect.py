"""How Pacifica is spoken to: signed acting calls, refusals with `success: false`, sockets that echo what they confirm."""

from __future__ import annotations

from hashlib import sha256
from math import inf
from typing import Any

import msgspec

from exchange_clients import errors
from exchange_clients.engine.channel_frames import ChannelFrames
from exchange_clients.engine.credential import key_of, needed, text_of
from exchange_clients.engine.endpoint import Call, Channel, Meter, Retry
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect
from exchange_clients.engine.stream_dialect import Confirmed, Control, Denied
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.signing import Signer, signed_text


class PacificaDialect(Dialect):
    """Signs acting calls; a refusal carries `success: false`, whatever its HTTP status. Replies say what is left of the credits."""

    def __init__(self, wiring: Wiring) -> None:
        self._clock, self._limits = wiring.clock, wiring.limits
        self._config_key = text_of(wiring, "api_config_key")
        self._signer = key_of(wire.VENUE, wiring, "private_key", Signer, "64 bytes in base58")
        own = self._signer.address if self._signer is not None else ""
        account = text_of(wiring, "account") or own
        self._who = {"account": account} if account == own else {"account": account, "agent_wallet": own}

    def meter_key(self, call: Call, meter: Meter) -> str:
        """An API config key has credits of its own. It is a secret, and names of budgets are not."""
        return sha256(self._config_key.encode()).hexdigest()[:16] if self._config_key else ""

    def draws(self, call: Call) -> tuple[tuple[Meter, float], ...]:
        weight = call.endpoint.weight
        if not self._config_key:
            return ((common.PER_ADDRESS, weight),)
        return ((common.PER_KEY, common.WITH_KEY.get(weight, weight)),)

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        if self._config_key:
            request = request.with_headers(**{"PF-API-KEY": self._config_key})
        if not call.endpoint.private:
            return request
        signer = needed(self._signer, wire.VENUE, call.endpoint.name, "private_key")
        now_ms, window_ms = self._clock.now_ms(), self._clock.wire_ms(common.EXPIRY_WINDOW_MS)
        signature = signer.sign(signed_text(call.endpoint.operation, now_ms, window_ms, call.payload))
        header = {**self._who, "signature": signature, "timestamp": now_ms, "expiry_window": window_ms}
        return request.with_json({**header, **call.payload})

    def heard(self, call: Call, response: HttpResponse) -> None:
        """Our count follows the venue's: calls may cost more than we think, and others may spend from our address."""
        left, whole = (_fields(response, name) for name in ("ratelimit", "ratelimit-policy"))
        if "r" in left and whole.get("q", 0) > 0:
            meter = self.draws(call)[0][0]
            self._limits.learn(wire.VENUE, meter, self.meter_key(call, meter), left["r"] / 10, whole["q"] / 10)

    def refusal(self, call: Call, response: HttpResponse) -> errors.ExchangeError | None:
        operation, acting = call.endpoint.name, call.endpoint.retry is Retry.ACT
        self.heard(call, response)
        if response.status == 429:
            budget = _fields(response, "ratelimit")
            wait_s = budget.get("t", 1.0)
            if acting and budget.get("r", inf) >= 10 * self.draws(call)[0][1]:
                return None  # credits were left, so something else said no, perhaps after the act
            return errors.RateLimited(wire.VENUE, operation, f"the credits are spent; waiting {wait_s:g} s", wait_s)
        if response.status >= 500:
            return None  # nobody says that nothing happened
        try:
            said = msgspec.json.decode(response.body, type=wire.Refusal)
        except msgspec.MsgspecError:
            return None
        if said.success:
            return None
        default = common.CODES.get(said.code, errors.OrderRejected if acting else errors.Refused)
        if response.status == 403:
            default = errors.AuthenticationFailed
        error = refused(wire.VENUE, operation, said.error or said.error_id, common.WORDS, default=default)
        error.code = str(said.code)
        return error


def _fields(response: HttpResponse, header: str) -> dict[str, float]:
    """The numbers of `"credits";r=1200;t=32`. Credits are told × 10."""
    pairs = (part.partition("=") for part in response.headers.get(header, "").split(";"))
    return {name.strip(): float(number) for name, _, number in pairs if number.strip().isdigit()}


class PacificaStreams(ChannelFrames):
    """No channel needs a login: what an account does is public."""

    heartbeat_every_s = 25.0
    asked_in, channel_key, market_key, account_key = "params", "source", "symbol", "account"

    def key(self, channel: Channel, frame: Any) -> str:
        return str(frame.data.s) if channel is common.BOOK_CHANNEL else ""

    def control(self, frame: bytes) -> Control:
        message = msgspec.json.decode(frame)
        if message.get("channel") == "subscribe":
            return Confirmed(self.identity(message["data"]))
        if "channel" not in message and message.get("code", 200) != 200:
            error = errors.Refused(wire.VENUE, "subscribe", str(message.get("err", message)), str(message["code"]))
            return Denied("", error)
        return None
