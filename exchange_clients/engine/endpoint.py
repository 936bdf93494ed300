"""A venue's API as rows of data. The same rows feed the session, the rate limiter, the generated reference and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Retry(StrEnum):
    """READ: may be repeated after anything but a refusal. ACT: money moves; repeated only when certainly nothing was sent."""

    READ = "read"
    ACT = "act"


class Meter(msgspec.Struct, frozen=True):
    """A budget the venue keeps: `capacity` units in any `window_s` seconds, counted per `key` (address, account, …)."""

    name: str
    capacity: float
    window_s: float


class Endpoint(msgspec.Struct, frozen=True):
    """One call.

    `path` may hold `{names}`. `reply`: the wire type of a success (None: the body is not looked at). `weight`: units of `meter`.
    `private`: whether the call needs credentials. `operation`: the venue's own word for it where one path carries several.
    `host`: which of the venue's hosts (Wiring.rest_urls), "" for the usual one. `also`: other budgets that a call draws on, with its
    weight there. `rows_per_unit`: a list that comes back costs one more unit of `meter` for so many rows, known only afterwards.
    `urgent`: an act that may use the whole of a budget, like a cancellation. `strict`: the wire type with its rows, where `reply` leaves
    them to be read one by one; for whoever compares what comes with what is known.
    """

    name: str
    method: str
    path: str
    reply: Any
    meter: Meter
    weight: float = 1.0
    retry: Retry = Retry.READ
    private: bool = False
    operation: str = ""
    timeout_s: float = 10.0
    host: str = ""
    also: tuple[tuple[Meter, float], ...] = ()
    rows_per_unit: int = 0
    urgent: bool = False
    strict: Any = None

    @property
    def shape(self) -> Any:
        """The wire type of a success, down to its rows."""
        return self.reply if self.strict is None else self.strict


class Call(msgspec.Struct, frozen=True):
    """One use of an endpoint: what to fill in, before signing."""

    endpoint: Endpoint
    path: Mapping[str, str] = {}
    query: Mapping[str, str | int] = {}
    payload: Any = None


class SequenceRule(StrEnum):
    """How a channel's frames hang together."""

    NONE = "events without order numbers"
    SNAPSHOT = "every frame is complete"
    INCREMENT = "a snapshot, then changes numbered without gaps"
    CHAIN = "a snapshot, then changes that name the one before"
    RANGE = "a snapshot, then changes that cover ranges of numbers"


class Channel(msgspec.Struct, frozen=True):
    """One kind of stream. `name`: the venue's. `frame`: the wire type of a whole frame, None where frames
    are no JSON (the dialect's `decoder` reads them). `sequence`: what counts as a gap.

    `private`: the stream logs in before it asks for such a topic, and only then. `conflate`: a slow reader gets only the newest
    state (for snapshots of a state, never for events). `silence_s_max`: seconds without a frame, on a socket that lives, after which
    the topic is told as lost and asked for again; infinite where silence is normal. `keyed_by`: what stands before the market's name
    in a frame, so that topics of one channel are told apart without decoding ("" where a dialect's `key` does it). `body`: the type
    of what the frame carries; where it is given, that alone is decoded (the dialect knows where it stands) and handed to handlers.
    `strict`: as of an Endpoint.
    """

    name: str
    frame: Any
    sequence: SequenceRule
    private: bool = False
    conflate: bool = False
    silence_s_max: float = float("inf")
    keyed_by: bytes = b""
    body: Any = None
    strict: Any = None

    @property
    def shape(self) -> Any:
        """The wire type of a frame, down to its rows."""
        return self.frame if self.strict is None else self.strict
