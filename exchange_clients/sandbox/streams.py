"""Who hears what: sockets with subscriptions, and a façade that publishes to them. Venues add the words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from exchange_clients.engine.clock import Clock
from exchange_clients.sandbox.events import SandboxEvent
from exchange_clients.sandbox.exchange import SandboxExchange
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer

Topic = tuple[str, str]
"""(channel, market or account or "")."""


class StreamingFacade(Facade):
    """A façade with sockets. `book_channel`: the channel whose markets move for as long as somebody hears it.

    A channel in several kinds is named `<channel>@<kind>`.
    """

    clock: Clock
    book_channel: ClassVar[str]

    def __init__(self, exchange: SandboxExchange) -> None:
        self.exchange = exchange
        self.clock = exchange.clock
        self.sockets: dict[TopicSocket[Any], None] = {}
        exchange.subscribe(self.on_event)

    def market_of(self, topic: Topic) -> str:
        """The market that must move while `topic` is heard, "" for none."""
        return topic[1] if topic[0].partition("@")[0] == self.book_channel else ""

    def heard(self) -> list[Topic]:
        """Every topic that somebody hears, each once, in the order of subscription."""
        return list(dict.fromkeys(topic for socket in self.sockets for topic in socket.topics))

    @abstractmethod
    def on_event(self, event: SandboxEvent) -> None:
        """Publish what the exchange says to the topics that it concerns."""

    def publish(self, topic: Topic, message: Callable[[], Any]) -> None:
        """Send a message (bytes: as they are) to whoever hears `topic`. It is made once, and only when somebody does."""
        hearers = [socket for socket in self.sockets if topic in socket.topics]
        if hearers:
            said = message()
            frame = said if isinstance(said, bytes) else msgspec.json.encode(said)
            for socket in hearers:
                socket.peer.send(frame)


VenueFacade = TypeVar("VenueFacade", bound=StreamingFacade)


class TopicSocket(FacadeSocket, Generic[VenueFacade]):
    """One client's socket and the topics that it hears."""

    def __init__(self, facade: VenueFacade, peer: Peer) -> None:
        self.facade = facade
        self.peer = peer
        self.topics: dict[Topic, None] = {}
        facade.sockets[self] = None

    def join(self, topic: Topic) -> bool:
        """Hear `topic` from now on; False when it is heard already."""
        if topic in self.topics:
            return False
        if market := self.facade.market_of(topic):
            self.facade.exchange.watch(market)
        self.topics[topic] = None
        return True

    def leave(self, topic: Topic) -> bool:
        """Hear `topic` no more; False when it was not heard."""
        if topic not in self.topics:
            return False
        del self.topics[topic]
        if market := self.facade.market_of(topic):
            self.facade.exchange.unwatch(market)
        return True

    def on_close(self) -> None:
        for topic in tuple(self.topics):
            self.leave(topic)
        self.facade.sockets.pop(self, None)

    def send(self, message: Any) -> None:
        """Push one frame: JSON, or bytes as they are."""
        self.peer.send(message if isinstance(message, bytes) else msgspec.json.encode(message))


class Pace:
    """A venue's own pace: at most one message of a topic in so many milliseconds of market time, the newest state then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[Topic, tuple[int, Any]] = {}

    def is_due(self, topic: Topic, every_ms: int) -> bool:
        """Whether `topic` may be told now. Whoever ticks every 500 ms is never a few ms too early."""
        return self._clock.now_ms() - self._told.get(topic, (0, None))[0] >= every_ms * 0.9

    def is_news(self, topic: Topic, state: Any) -> bool:
        """Whether `state` differs from what was told last; it counts as told now."""
        before = self._told.get(topic, (0, None))[1]
        self._told[topic] = (self._clock.now_ms(), state)
        return bool(before != state)
