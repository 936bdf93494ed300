"""Who hears what: sockets with subscriptions, and a façade that publishes to them. Venues add the words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from exchange_clients.sandbox.events import SandboxEvent
from exchange_clients.sandbox.exchange import SandboxExchange
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer

Topic = tuple[str, str]
"""(channel, market or account or "")."""


class StreamingFacade(Facade):
    """A façade with sockets. `book_channel`: the channel whose markets move for as long as somebody hears it.

    A channel in several kinds is named `<channel>@<kind>`.
    """

    book_channel: ClassVar[str]

    def __init__(self, exchange: SandboxExchange) -> None:
        self.exchange = exchange
        self.clock = exchange.clock
        self.sockets: dict[TopicSocket[Any], None] = {}
        exchange.subscribe(self.on_event)

    @abstractmethod
    def on_event(self, event: SandboxEvent) -> None:
        """Publish what the exchange says to the topics that it concerns."""

    def publish(self, topic: Topic, message: Callable[[], Any]) -> None:
        """Send a message to whoever hears `topic`. It is made once, and only when somebody does."""
        hearers = [socket for socket in self.sockets if topic in socket.topics]
        if hearers:
            frame = msgspec.json.encode(message())
            for socket in hearers:
                socket.peer.send(frame)


VenueFacade = TypeVar("VenueFacade", bound=StreamingFacade)


class TopicSocket(FacadeSocket, Generic[VenueFacade]):
    """One client's socket and the topics that it hears."""

    def __init__(self, facade: VenueFacade, peer: Peer) -> None:
        self.facade = facade
        self.peer = peer
        self.topics: set[Topic] = set()
        facade.sockets[self] = None

    def join(self, topic: Topic) -> bool:
        """Hear `topic` from now on; False when it is heard already."""
        if topic in self.topics:
            return False
        if topic[0].partition("@")[0] == self.facade.book_channel:
            self.facade.exchange.watch(topic[1])
        self.topics.add(topic)
        return True

    def leave(self, topic: Topic) -> bool:
        """Hear `topic` no more; False when it was not heard."""
        if topic not in self.topics:
            return False
        self.topics.remove(topic)
        if topic[0].partition("@")[0] == self.facade.book_channel:
            self.facade.exchange.unwatch(topic[1])
        return True

    def on_close(self) -> None:
        for topic in tuple(self.topics):
            self.leave(topic)
        self.facade.sockets.pop(self, None)

    def send(self, message: Any) -> None:
        """Push one JSON frame."""
        self.peer.send(msgspec.json.encode(message))
