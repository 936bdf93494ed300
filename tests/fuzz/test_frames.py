"""Whatever comes through a socket, streams give events of the domain or end with an ExchangeError, and the socket outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_clients import registry
from exchange_clients.domain.events import BookEvent, Lost
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.transport import HttpResponse, OnClose, OnFrame, Socket
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import ExchangeError
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.fuzz.conftest import EFFORT
from tests.fuzz.corpus import STREAMS, Corpus
from tests.fuzz.mutations import Draw, mutated, with_each_number_as
from tests.fuzz.soundness import assert_sound
from tests.fuzz.test_replies import ScriptedHttp

GAP_S = 0.001

Frames = list[tuple[int, bytes]]


@dataclass
class ScriptedSockets:
    """On each connection the same frames, each after the client has said as much as when it was recorded."""

    frames: Frames
    connections: int = 0
    unspoken: int = 0
    on_close: list[OnClose] = field(default_factory=list)

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        self.connections += 1
        self.on_close.append(on_close)
        return _End(self, list(self.frames), on_frame, on_close)

    async def close(self) -> None:
        """Nothing is open."""


class _End:
    def __init__(self, wire: ScriptedSockets, frames: Frames, on_frame: OnFrame, on_close: OnClose) -> None:
        self._wire = wire
        self._frames = frames
        self._on_frame = on_frame
        self._on_close = on_close
        self._said = 0
        self._open = True
        self._speaking = False

    def send(self, frame: bytes) -> None:
        self._said += 1
        if not self._speaking:
            self._speaking = True
            asyncio.get_running_loop().call_later(GAP_S, self._speak)

    def close(self) -> None:
        if self._open:
            self._open = False
            asyncio.get_running_loop().call_soon(self._on_close, "closed by us")

    def _speak(self) -> None:
        if self._open and self._frames and self._frames[0][0] <= self._said:
            self._on_frame(self._frames.pop(0)[1])
            asyncio.get_running_loop().call_later(GAP_S, self._speak)
        else:
            self._speaking = False
            self._wire.unspoken = len(self._frames)


@dataclass
class Seen:
    """What came of it. `faults`: what the loop was told that nobody caught."""

    events: dict[str, list[Any]]
    endings: dict[str, BaseException | None]
    faults: list[Any]
    connections: int
    unspoken: int
    redialled: bool


def watch(words: Corpus, frames: Frames) -> Seen:
    """All streams of one client, fed with `frames`; afterwards the line drops, which a living stream answers by dialling again."""

    async def main() -> Seen:
        spec, faults = registry.spec(words.venue), list[Any]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        wire, http = ScriptedSockets(frames), ScriptedHttp(words.stream_replies, -1, HttpResponse(200, b""))
        wiring = Wiring(
            environment=Environment.SANDBOX,
            rest_url=f"http://{words.venue}.sandbox{spec.rest_path}",
            websocket_url=f"ws://{words.venue}.sandbox{spec.websocket_path}",
            clock=LoopClock(words.now_ms),
            http=http,
            websocket=wire,
            credentials=words.credentials,
        )
        events: dict[str, list[Any]] = {name: [] for name in STREAMS}
        async with spec.client_class()(wiring) as client:
            reading = {
                name: asyncio.create_task(_read(open_stream(client, words.bitcoin), events[name]))
                for name, open_stream in STREAMS.items()
            }
            await asyncio.sleep(GAP_S * (len(frames) + 50))
            dialled, alive = wire.connections, any(not task.done() for task in reading.values())
            for on_close in wire.on_close:
                on_close("the line dropped")
            await asyncio.sleep(40)
            redialled = wire.connections > dialled or not alive
        done = await asyncio.gather(*reading.values(), return_exceptions=True)
        endings = dict(zip(reading, done, strict=True))
        return Seen(events, endings, faults, wire.connections, wire.unspoken, redialled)

    return run_virtual(main)


async def _read(stream: Any, events: list[Any]) -> None:
    async for event in stream:
        events.append(event)


def odd_frames(draw: Draw, good: Frames, elsewhere: list[bytes]) -> Frames:
    """The same frames with one thing wrong: one changed, lost, doubled, out of turn, or put in from nowhere."""
    frames = list(good)
    at = draw(st.integers(0, len(frames) - 1))
    after, frame = frames[at]
    how = draw(st.sampled_from(("changed", "changed", "changed", "changed", "lost", "twice", "early", "noise", "foreign")))
    if how == "changed":
        frames[at] = (after, mutated(draw, frame))
    elif how == "lost":
        del frames[at]
    elif how == "twice":
        frames.insert(at, frames[at])
    elif how == "early":
        frames.insert(max(at - draw(st.integers(1, 5)), 0), frames.pop(at))
    elif how == "noise" or not elsewhere:
        frames.insert(at, (after, draw(st.binary(max_size=80))))
    else:
        frames.insert(at, (after, mutated(draw, draw(st.sampled_from(elsewhere)))))
    return frames


def test_the_script_alone_is_a_good_day(words: Corpus) -> None:
    """Otherwise what follows would try nothing."""
    seen = watch(words, words.frames)
    assert seen.unspoken == 0 and not seen.faults and seen.redialled
    for name, events in seen.events.items():
        kinds = {type(event) for event in events}
        assert len(kinds) >= 2, f"{name}: {kinds}"
        assert_sound(events)
    assert set(seen.endings.values()) == {None}


@EFFORT
@given(data=st.data())
def test_any_frame_gives_events_or_an_exchange_error(words: Corpus, data: st.DataObject) -> None:
    seen = watch(words, odd_frames(data.draw, words.frames, words.elsewhere))
    assert not seen.faults, seen.faults
    for name, ending in seen.endings.items():
        assert ending is None or isinstance(ending, ExchangeError), f"{name} ended with {ending!r}"
        assert_sound(seen.events[name])
        for event in seen.events[name]:
            assert not isinstance(event, BookEvent) or not event.book.is_crossed()
    assert seen.redialled, "the stream died without a word"


def test_every_number_of_every_kind_of_frame_once_as_nan(words: Corpus) -> None:
    """No chance here: a field that lets NaN through is found. Frames with the same fields are one kind."""
    tried = set[frozenset[str]]()
    for at, (after, frame) in enumerate(words.frames):
        odd = with_each_number_as(frame, "NaN")
        if frozenset(odd) in tried:
            continue
        tried.add(frozenset(odd))
        for place, body in odd.items():
            seen = watch(words, [*words.frames[:at], (after, body), *words.frames[at + 1 :]])
            assert not seen.faults and seen.redialled, place
            for name, events in seen.events.items():
                try:
                    assert_sound(events)
                except AssertionError as unsound:
                    raise AssertionError(f"{name}, {place}: {unsound}") from unsound


@settings(EFFORT, max_examples=EFFORT.max_examples // 5)
@given(data=st.data())
def test_one_odd_frame_is_trouble_for_its_own_topic_alone(words: Corpus, data: st.DataObject) -> None:
    """A frame of the book that can't be read leaves orders, fills and the account in peace, and they it."""
    marked = [at for at, (_, frame) in enumerate(words.frames) if _is_book(words.venue, frame)]
    at = data.draw(st.sampled_from(marked))
    frames = list(words.frames)
    frames[at] = (frames[at][0], mutated(data.draw, frames[at][1]))
    seen, good = watch(words, frames), watch(words, words.frames)
    for name in ("orders", "fills", "account"):
        before_drop = [event for event in seen.events[name] if not isinstance(event, Lost)]
        assert before_drop[:1] == good.events[name][:1] and seen.endings[name] is None, f"{name}: {seen.endings[name]!r}"


def _is_book(venue: str, frame: bytes) -> bool:
    return registry.spec(venue).sandbox_class().book_marker in frame
