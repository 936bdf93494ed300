"""What differs between venues on a WebSocket, and what one subscription wants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from exchange_clients.engine.endpoint import Channel
from exchange_clients.engine.transport import Socket
from exchange_clients.errors import ExchangeError


class Confirmed(msgspec.Struct, frozen=True):
    """The venue confirmed the topic whose `Topic.confirms_as` is `key`."""

    key: str


class Denied(msgspec.Struct, frozen=True):
    """The venue refused the topic whose `Topic.confirms_as` is `key`; "" where it does not say which."""

    key: str
    error: ExchangeError


class LoginDenied(msgspec.Struct, frozen=True):
    """The venue refused the login; private topics can't be read on this socket."""

    error: ExchangeError


class Answer(msgspec.Struct, frozen=True):
    """The venue wants `frame` in reply (a pong)."""

    frame: bytes


Control = Confirmed | Denied | LoginDenied | Answer | None


class Blind(msgspec.Struct, frozen=True):
    """Yielded by a handler for a row that can't be read: readers are told Lost(reason) and Resumed, and fetch what matters."""

    reason: str


@dataclass(frozen=True)
class Topic:
    """What one subscription wants.

    `name`: for people, and what makes readers of one topic share it. `token`: what `StreamDialect.token` gives for its frames.
    `key`: tells topics that share a token apart, compared with what `Channel.keyed_by` or `StreamDialect.key` finds. `confirms_as`:
    None where the venue acknowledges nothing. `subscribe`: the frame to send, or a function for words that must be fresh.

    `handler`: a decoded frame → events; it may raise Gap or yield Blind. With `state`, it applies the frame and returns whether
    anything changed, and `state(depth)` builds the event when somebody reads it (None: nothing is known).

    `on_start`: runs before every (re)subscription, to forget state. `snapshot`: reads the state that the frames continue; they
    wait until it came.
    """

    channel: Channel
    name: str
    token: bytes
    key: str
    confirms_as: str | None
    subscribe: bytes | Callable[[], bytes]
    unsubscribe: bytes
    handler: Callable[[Any], Any]
    on_start: Callable[[], None] = lambda: None
    snapshot: Callable[[], Awaitable[Iterable[Any] | bool]] | None = None
    state: Callable[[int | None], Any] | None = None


class StreamDialect(ABC):
    """What differs between venues on a WebSocket.

    `heartbeat_every_s`, `silence_s_max`: of the socket; each channel has its own silence besides. `renew_every_s`: how often
    `renew` runs, for sockets that live by a lease. `numbers_frames`: frames are numbered through the whole connection. `body_after`,
    `body_tail`: what stands before a frame's body, and how many bytes after it.
    """

    heartbeat: bytes | None = None
    heartbeat_every_s: float = 20.0
    silence_s_max: float = 60.0
    renew_every_s: float = float("inf")
    numbers_frames: ClassVar[bool] = False
    body_after: ClassVar[bytes] = b'"data":'
    body_tail: ClassVar[int] = 1

    @abstractmethod
    def token(self, frame: bytes) -> bytes:
        """Where a frame belongs, peeked without decoding; b"" for control frames."""

    def decoder(self, channel: Channel) -> Callable[[bytes], Any]:
        """How frames of a channel are read: as JSON of the type that its row names, or of its body, found without the envelope."""
        whole = msgspec.json.Decoder(channel.frame, strict=False).decode
        if channel.body is None:
            return whole
        body, mark, tail = msgspec.json.Decoder(channel.body, strict=False).decode, self.body_after, -self.body_tail

        def decode(frame: bytes) -> Any:
            try:
                return body(frame[frame.find(mark) + len(mark) : tail])
            except msgspec.MsgspecError:
                return self.unwrap(whole(frame))  # an envelope in another order; or the frame's own error, told with its path

        return decode

    def key(self, channel: Channel, frame: Any) -> str:
        """Tells apart topics of one token from the decoded frame, where `Channel.keyed_by` does not."""
        return ""

    def unwrap(self, frame: Any) -> Any:
        """The body of a decoded frame."""
        return frame.data

    @abstractmethod
    def control(self, frame: bytes) -> Control:
        """Read a frame that belongs to no topic."""

    def number(self, frame: bytes) -> int | None:
        """The frame's number on this connection; asked only with `numbers_frames`. None: this frame has none."""
        return None

    async def address(self, base: str) -> str:
        """Where to connect: `base`, or with a path or a key that only a call can tell. Runs before every connect."""
        return base

    async def login(self, socket: Socket) -> None:  # noqa: B027  # most venues want none
        """Send what opens the private channels. Runs once per connection, before the first private topic is asked for."""

    async def login_again(self, error: ExchangeError) -> bool:
        """The login was refused. True: what was wrong with it is mended (a stale token is forgotten), dial again."""
        return False

    async def renew(self) -> None:  # noqa: B027  # most venues want none
        """Prolong what the socket lives by (a listen key). Raises ExchangeError: the socket is dialled again."""

    def headers(self) -> dict[str, str]:
        """Headers of the handshake."""
        return {}
