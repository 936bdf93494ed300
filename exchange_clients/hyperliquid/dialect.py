"""How Hyperliquid is spoken to: signed actions on one path, refusals in words, sockets that echo what they confirm."""

from __future__ import annotations

import msgspec

from exchange_clients import errors
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.channel_frames import ChannelFrames
from exchange_clients.engine.endpoint import Call
from exchange_clients.engine.nonce import NonceSource
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect
from exchange_clients.engine.stream_dialect import Confirmed, Control, Denied
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.signing import Signer


def stated(operation: str, text: str) -> errors.ExchangeError:
    """The error for the venue's words; unknown words are a plain OrderRejected."""
    if "Too many cumulative requests" in text:
        return errors.RateLimited(wire.VENUE, operation, text, retry_after_s=10.0)
    return refused(wire.VENUE, operation, text, common.REFUSALS)


class HyperliquidDialect(Dialect):
    """Signs actions; a refusal of a whole request comes with HTTP 200 and `status: err`."""

    def __init__(self, wiring: Wiring) -> None:
        self._clock = wiring.clock
        self._mainnet = wiring.environment is Environment.LIVE
        self._nonces = NonceSource()
        key = wiring.credentials.get("private_key") if wiring.credentials is not None else ""
        try:
            self._signer = Signer(key) if key else None
        except ValueError as error:
            raise errors.Misconfigured(wire.VENUE, "credentials", "private_key is not 32 bytes of hex") from error
        self.signer_address = self._signer.address if self._signer is not None else ""

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        if not call.endpoint.private:
            return request
        if self._signer is None:
            raise errors.Misconfigured(wire.VENUE, call.endpoint.name, "acting needs the credential private_key")
        nonce = self._nonces.next(self._clock.now_ms())
        signature = self._signer.sign_action(call.payload, nonce, self._mainnet)
        action = {"action": call.payload, "nonce": nonce, "signature": signature}
        return request.with_json({**action, "vaultAddress": None, "expiresAfter": None})

    def refusal(self, call: Call, response: HttpResponse) -> errors.ExchangeError | None:
        operation = call.endpoint.name
        if response.status == 422:
            return errors.Refused(wire.VENUE, operation, response.body[:200].decode("utf-8", "replace"), "422")
        if not call.endpoint.private or response.status != 200:
            return None
        try:
            reply = msgspec.json.decode(response.body, type=wire.ExchangeReply, strict=False)
        except msgspec.MsgspecError:
            return None
        return None if reply.status == "ok" else stated(operation, str(reply.response))


class HyperliquidStreams(ChannelFrames):
    """No channel needs a login: what an account does is public."""

    heartbeat_every_s = 30.0
    asked_in, channel_key, market_key, account_key = "subscription", "type", "coin", "user"

    def control(self, frame: bytes) -> Control:
        if not frame.startswith(b"{"):
            return None  # the greeting of older servers is bare text
        message = msgspec.json.decode(frame)
        if message["channel"] == "subscriptionResponse" and message["data"]["method"] == "subscribe":
            return Confirmed(self.identity(message["data"]["subscription"]))
        if message["channel"] == "error":
            return Denied("", errors.Refused(wire.VENUE, "subscribe", str(message["data"])))
        return None
