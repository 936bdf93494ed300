"""Sockets whose frames say `{"channel": …, "data": …}` and whose subscriptions are confirmed by an echo of what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from exchange_clients.engine.endpoint import Channel
from exchange_clients.engine.stream_dialect import StreamDialect, Topic

Data = TypeVar("Data")
_CHANNEL_STARTS = b'"channel":"'
_USUAL_HEAD = b"{" + _CHANNEL_STARTS


class DataFrame(msgspec.Struct, Generic[Data], frozen=True, gc=False):
    """A frame of a channel. Left out of garbage collection: what is decoded from JSON can't be part of a cycle."""

    data: Data


class ChannelFrames(StreamDialect):
    """What such sockets have in common.

    A subscription is `{"method": "subscribe", <asked_in>: {<channel_key>: …, <market_key> or <account_key>: …}}`.
    """

    heartbeat = b'{"method":"ping"}'
    asked_in: ClassVar[str]
    channel_key: ClassVar[str]
    market_key: ClassVar[str]
    account_key: ClassVar[str]

    def token(self, frame: bytes) -> bytes:
        start = 1 if frame.startswith(_USUAL_HEAD) else frame.find(_CHANNEL_STARTS)
        return b"" if start < 0 else frame[start + 11 : frame.find(b'"', start + 11)]

    def identity(self, asked: dict[str, Any]) -> str:
        """What was asked for, in the same words whether we ask or the venue confirms."""
        return f"{asked[self.channel_key]}:{asked.get(self.market_key) or str(asked.get(self.account_key, '')).lower()}"

    def topic(
        self,
        channel: Channel,
        name: str,
        which: dict[str, Any],
        handler: Callable[[Any], Iterable[Any]],
        on_start: Callable[[], None] = lambda: None,
    ) -> Topic:
        """The topic of a channel for `which` market or account (and whatever else the venue wants to know)."""
        asked = {self.channel_key: channel.name, **which}
        on, off = (msgspec.json.encode({"method": m, self.asked_in: asked}) for m in ("subscribe", "unsubscribe"))
        market = str(which.get(self.market_key, ""))
        return Topic(channel, name, channel.name.encode(), market, self.identity(asked), on, off, handler, on_start)
