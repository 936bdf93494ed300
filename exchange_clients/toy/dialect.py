"""How Toy is spoken to: signed requests, refusals with `ok: false`, sockets on which every frame names its topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from exchange_clients import errors
from exchange_clients.engine.credential import key_of, needed
from exchange_clients.engine.endpoint import Call, Channel, Meter, Retry
from exchange_clients.engine.refusals import refused
from exchange_clients.engine.session import Dialect
from exchange_clients.engine.stream_dialect import Confirmed, Control, Denied, LoginDenied, StreamDialect, Topic
from exchange_clients.engine.transport import HttpRequest, HttpResponse, Socket
from exchange_clients.engine.wiring import Wiring
from exchange_clients.toy import common, wire
from exchange_clients.toy.signing import Signer

LOGIN = "login"
TOPIC_STARTS = b'{"topic":"'


class ToyDialect(Dialect):
    """Signs private calls; a refusal carries `ok: false`, whatever its HTTP status."""

    def __init__(self, wiring: Wiring) -> None:
        self._clock = wiring.clock
        self._key = wiring.credentials.get("api_key") if wiring.credentials is not None else ""
        self._signer = key_of(wire.VENUE, wiring, "api_secret", Signer, "a secret")

    def meter_key(self, call: Call, meter: Meter) -> str:
        return self._key if meter is common.PER_ACCOUNT else ""

    def signature(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """Who asks, when, and the proof. Raises Misconfigured without credentials."""
        key = needed(self._key, wire.VENUE, path, "api_key")
        signer, now_ms = needed(self._signer, wire.VENUE, path, "api_secret"), self._clock.now_ms()
        return {"key": key, "time": str(now_ms), "sign": signer.sign(now_ms, method, path, body)}

    def sign(self, call: Call, request: HttpRequest) -> HttpRequest:
        if not call.endpoint.private:
            return request
        parts = urlsplit(request.url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        proof = self.signature(request.method, path, request.body or b"")
        return request.with_headers(**{f"X-{name.upper()}": text for name, text in proof.items()})

    def refusal(self, call: Call, response: HttpResponse) -> errors.ExchangeError | None:
        """What the venue states; 429 and 5xx are left to the session, which knows what they leave open."""
        if response.status == 429 or response.status >= 500:
            return None
        try:
            said = msgspec.json.decode(response.body, type=wire.Refusal)
        except msgspec.MsgspecError:
            return None
        if said.ok:
            return None
        default = errors.OrderRejected if call.endpoint.retry is Retry.ACT else errors.Refused
        return refused(wire.VENUE, call.endpoint.name, said.message, common.REFUSALS, said.code, default)


class ToyStreams(StreamDialect):
    """Topics are asked for by name and confirmed by an echo; a signed login opens the private ones."""

    heartbeat = b'{"op":"ping"}'

    def __init__(self, dialect: ToyDialect) -> None:
        self._dialect = dialect

    def token(self, frame: bytes) -> bytes:
        return frame[10 : frame.find(b'"', 10)] if frame.startswith(TOPIC_STARTS) else b""

    async def login(self, socket: Socket) -> None:
        socket.send(msgspec.json.encode({"op": LOGIN, **self._dialect.signature("GET", common.SPEC.websocket_path)}))

    def control(self, frame: bytes) -> Control:
        said = msgspec.json.decode(frame)
        if said["op"] == "subscribed":
            return Confirmed(said["to"])
        if said["op"] != "error":
            return None
        error = refused(wire.VENUE, "stream", said["message"], common.REFUSALS, said["code"], errors.Refused)
        return LoginDenied(error) if said["to"] == LOGIN else Denied(said["to"], error)

    def topic(
        self,
        channel: Channel,
        market: str,
        handler: Callable[[Any], Iterable[Any]],
        on_start: Callable[[], None] = lambda: None,
    ) -> Topic:
        """The topic of a channel. `market`: the venue's symbol, "" for topics of the account."""
        to = f"{channel.name}:{market}" if market else channel.name
        on, off = (msgspec.json.encode({"op": op, "to": to}) for op in ("subscribe", "unsubscribe"))
        return Topic(channel, to, channel.name.encode(), market, to, on, off, handler, on_start)
