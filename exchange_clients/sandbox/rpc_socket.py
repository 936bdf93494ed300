"""The venue's end of a socket that speaks JSON-RPC. Venues add their methods and their words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from exchange_clients.sandbox.streams import Topic, TopicSocket, VenueFacade

INVALID = -32600


def data_frame(channel: str, data: Any) -> dict[str, Any]:
    """What a subscription tells."""
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


def is_one_of(channel: str, patterns: Iterable[str], markets: Collection[str]) -> bool:
    """Whether a channel is called like one of `patterns`, in which `{market}` stands for one of `markets`."""
    named = [pattern.format(market=market) for pattern in patterns for market in channel.split(".") if market in markets]
    return channel in named or channel in patterns


class RpcSocket(TopicSocket[VenueFacade]):
    """Every request is answered with its own id, by a result or by an error. A venue knows its channels, and may know more methods."""

    @abstractmethod
    def topic(self, channel: str) -> Topic:
        """What is heard on a channel, whether there is such a channel or not."""

    @abstractmethod
    def objection(self, channel: str) -> tuple[int, str, str] | None:
        """Why a channel can't be heard: code, message and data."""

    @abstractmethod
    def opening(self, topic: Topic) -> Any:
        """What a subscription begins with, None for nothing."""

    def method(self, number: Any, name: str, params: dict[str, Any]) -> None:
        """A request: `reply` to it. Raises what reading `params` raises where they are not the method's."""
        if name not in ("subscribe", "unsubscribe"):
            self.refuse(number, -32601, "method not found", name)
            return
        channel = params["channel"]
        topic, is_heard = self.topic(channel), self.topic(channel) in self.topics
        objection = self.objection(channel) if name == "subscribe" else None
        if objection is None and is_heard is (name == "subscribe"):
            objection = (INVALID, f"invalid {name} request", "already subscribed" if is_heard else "not subscribed")
        if objection is not None:
            self.refuse(number, *objection)
            return
        self.reply(number, {"result": {"channel": channel}})
        if name == "unsubscribe":
            self.leave(topic)
        elif self.join(topic) and (first := self.opening(topic)) is not None:
            self.send(first)

    def on_frame(self, frame: bytes) -> None:
        number: Any = None
        try:
            message = msgspec.json.decode(frame)
            number = message.get("id")
            self.method(number, message["method"], message.get("params") or {})
        except msgspec.DecodeError:
            self.refuse(number, -32700, "parse error", "invalid JSON")
        except (KeyError, TypeError, AttributeError):
            self.refuse(number, INVALID, "invalid request", "invalid params")

    def refuse(self, number: Any, code: int, message: str, data: str) -> None:
        self.reply(number, {"error": {"code": code, "message": message, "data": data}})

    def reply(self, number: Any, outcome: dict[str, Any]) -> None:
        now_us = self.facade.clock.now_ms() * 1000
        self.send({"jsonrpc": "2.0", **outcome, "usIn": now_us, "usDiff": 0, "usOut": now_us, "id": number})
