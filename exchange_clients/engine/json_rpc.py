"""Sockets that speak JSON-RPC: every request carries an id, its answer carries it back; data frames name their channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any, Generic, TypeVar

import msgspec

from exchange_clients.engine.endpoint import Channel
from exchange_clients.engine.stream_dialect import Confirmed, Control, Denied, LoginDenied, StreamDialect, Topic
from exchange_clients.errors import AuthenticationFailed, Refused

LOGIN_ID = 0
Content = TypeVar("Content")
_CHANNEL_STARTS = b'"params":{"channel":"'
_USUAL_HEAD = b'{"jsonrpc":"2.0","method":"subscription",' + _CHANNEL_STARTS


class Params(msgspec.Struct, Generic[Content], frozen=True, gc=False):
    data: Content


class RpcFrame(msgspec.Struct, Generic[Content], frozen=True, gc=False):
    """A data frame of any channel. Left out of garbage collection: what is decoded from JSON can't be part of a cycle."""

    params: Params[Content]


def content(frame: RpcFrame[Content]) -> tuple[Content]:
    """What a frame carries, for handlers of rows: one."""
    return (frame.params.data,)


class RpcError(msgspec.Struct, frozen=True):
    code: int
    message: str
    data: Any = None


class RpcAnswer(msgspec.Struct, frozen=True):
    """The answer to one request; `id` is the request's."""

    id: int | None = None
    error: RpcError | None = None


class JsonRpcStreams(StreamDialect):
    """The protocol has no heartbeat of its own; the transport's pings tell whether the other end lives, so silence means nothing."""

    silence_s_max = math.inf
    body_tail = 2

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._ids = count(LOGIN_ID + 1)

    def token(self, frame: bytes) -> bytes:
        if frame.startswith(_USUAL_HEAD):
            start = len(_USUAL_HEAD)
        else:
            start = frame.find(_CHANNEL_STARTS)
            if start < 0:
                return b""
            start += len(_CHANNEL_STARTS)
        return frame[start : frame.find(b'"', start)]

    def unwrap(self, frame: Any) -> Any:
        return frame.params.data

    def control(self, frame: bytes) -> Control:
        answer = msgspec.json.decode(frame, type=RpcAnswer)
        if answer.error is None:
            return Confirmed(str(answer.id))
        text, code = f"{answer.error.message} {answer.error.data or ''}".strip(), str(answer.error.code)
        if answer.id == LOGIN_ID:
            return LoginDenied(AuthenticationFailed(self._venue, "stream login", text, code))
        return Denied(str(answer.id or ""), Refused(self._venue, "subscribe", text, code))

    def request(self, method: str, params: dict[str, str], number: int) -> bytes:
        """One request as it is sent. Logins are numbered LOGIN_ID."""
        return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params, "id": number})

    def topic(
        self,
        channel: Channel,
        market: str,
        name: str,
        handler: Callable[[Any], Any],
        on_start: Callable[[], None] = lambda: None,
        state: Callable[[int | None], Any] | None = None,
        token: bytes = b"",
    ) -> Topic:
        """The topic of a channel. `market` fills `{market}` in the channel's name, which its frames carry, or else `token`."""
        number, wanted = next(self._ids), channel.name.format(market=market)
        on = self.request("subscribe", {"channel": wanted}, number)
        off = self.request("unsubscribe", {"channel": wanted}, next(self._ids))
        return Topic(channel, name, token or wanted.encode(), "", str(number), on, off, handler, on_start, state=state)
