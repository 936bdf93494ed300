"""How Pacifica is spoken to: signed acting calls, refusals with `success: false`, sockets that echo what they confirm."""

from __future__ import annotations

from typing import Any

import msgspec

from exchange_clients import errors
from exchange_clients.engine.channel_frames import ChannelFrames
from exchange_clients.engine.endpoint import Call, Channel, Retry
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect
from exchange_clients.engine.stream_dialect import Confirmed, Control, Denied
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.signing import Signer, signed_text


class PacificaDialect(Dialect):
    """Signs acting calls; a refusal carries `success: false`, whatever its HTTP status."""

    def __init__(self, wiring: Wiring) -> None:
        self._clock = wiring.clock
        self._who: dict[str, str] = {}
        self._signer: Signer | None = None
        key = wiring.credentials.get("private_key") if wiring.credentials is not None else ""
        if not key or wiring.credentials is None:
            return
        try:
            self._signer = Signer(key)
        except ValueError as error:
            raise errors.Misconfigured(wire.VENUE, "credentials", "private_key is not 64 bytes in base58") from error
        account = wiring.credentials.get("account") or self._signer.address
        agent = {} if account == self._signer.address else {"agent_wallet": self._signer.address}
        self._who = {"account": account, **agent}

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        if not call.endpoint.private:
            return request
        if self._signer is None:
            raise errors.Misconfigured(wire.VENUE, call.endpoint.name, "acting needs the credential private_key")
        now_ms, window_ms = self._clock.now_ms(), self._clock.wire_ms(common.EXPIRY_WINDOW_MS)
        signature = self._signer.sign(signed_text(call.endpoint.operation, now_ms, window_ms, call.payload))
        header = {**self._who, "signature": signature, "timestamp": now_ms, "expiry_window": window_ms}
        return request.with_json({**header, **call.payload})

    def refusal(self, call: Call, response: HttpResponse) -> errors.ExchangeError | None:
        operation, acting = call.endpoint.name, call.endpoint.retry is Retry.ACT
        if response.status == 429 and not acting:
            wait_s = _reset_s(response.headers.get("ratelimit", ""))
            return errors.RateLimited(wire.VENUE, operation, f"the credits are spent; waiting {wait_s:g} s", wait_s)
        if response.status == 429 or response.status >= 500:
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


def _reset_s(header: str) -> float:
    """Seconds until the credits are back, from `"credits";r=1200;t=32`."""
    fields = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    return float(fields["t"]) if fields.get("t", "").isdigit() else 1.0


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
