"""Plays back what `capture` wrote: both transports at once, for a test that decodes it again, or to look at a day that went wrong."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from exchange_clients.engine.capture import VERSION, Line
from exchange_clients.engine.redaction import redact_url
from exchange_clients.engine.transport import HttpRequest, HttpResponse, OnClose, OnFrame, TransportFailure


class _Recorded:
    """One request and what came of it."""

    def __init__(self, asked: Line) -> None:
        self.asked = asked
        self.words = _words(asked.url, _content(asked))
        self.answer: Line | None = None
        self.is_used = False


class ReplayTransport:
    """An HttpTransport and a WebSocketTransport on a captured file. Raises ValueError for a file that is none.

    A request gets the first unused reply that was recorded under its method and path, of those the one whose words (query and
    body) agree most, so that nonces, times and signatures do not matter; when all are used, the last of them again. A socket
    gets the frames that came, at their pace, and none before as much was sent as had been by then.
    `speed`: recorded seconds per second of the event loop. `environment`, `start_ms`: what the first line tells.
    """

    def __init__(self, path: Path, speed: float = 1.0) -> None:
        self._speed = speed
        self._requests: dict[tuple[str, str], list[_Recorded]] = defaultdict(list)
        self._sockets: dict[str, deque[list[Line]]] = defaultdict(deque)
        self._open: set[_ReplaySocket] = set()
        lines = _lines(path)
        first = next(lines, None)
        if first is None or first.what != "begin" or first.version != VERSION:
            raise ValueError(f"{path} is not a capture of version {VERSION}")
        self.environment, self.start_ms = first.environment, first.at_ms
        asked: dict[int, _Recorded] = {}
        opened: dict[int, list[Line]] = {}
        for line in lines:
            if line.what == "request":
                asked[line.n] = _Recorded(line)
                self._requests[line.method, _path(line.url)].append(asked[line.n])
            elif line.what == "open":
                opened[line.n] = [line]
                self._sockets[_path(line.url)].append(opened[line.n])
            elif line.n in asked:
                asked[line.n].answer = line
            elif line.n in opened:
                opened[line.n].append(line)

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Raises TransportFailure where the recorded request failed, and for one that was never asked."""
        recorded = self._find(request)
        answer = recorded.answer
        recorded.is_used = True
        if answer is None:
            raise TransportFailure("the record ends before the reply", sent=True)
        await asyncio.sleep((answer.at_ms - recorded.asked.at_ms) / 1000 / self._speed)
        if answer.what == "failure":
            raise TransportFailure(answer.text, sent=answer.sent)
        return HttpResponse(answer.status, _content(answer), answer.headers)

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> _ReplaySocket:
        """Raises TransportFailure where opening failed, and when the record has no further socket at that path."""
        waiting = self._sockets.get(_path(redact_url(url)))
        if not waiting:
            raise TransportFailure(f"the record holds no further socket at {_path(url)}", sent=False)
        lines = waiting.popleft()
        if len(lines) > 1 and lines[1].what == "failure":
            raise TransportFailure(lines[1].text, sent=False)
        socket = _ReplaySocket(lines, self._speed, on_frame, on_close, self._open.discard)
        self._open.add(socket)
        return socket

    async def close(self) -> None:
        for socket in list(self._open):
            socket.close()

    def _find(self, request: HttpRequest) -> _Recorded:
        path = _path(redact_url(request.url))
        recorded = self._requests.get((request.method, path))
        if not recorded:
            raise TransportFailure(f"the record holds no reply to {request.method} {path}", sent=False)
        words = _words(request.url, request.body or b"")
        fresh = [entry for entry in recorded if not entry.is_used]
        return max(fresh or reversed(recorded), key=lambda entry: len(words & entry.words) - len(words ^ entry.words))


class _ReplaySocket:
    def __init__(self, lines: list[Line], speed: float, on_frame: OnFrame, on_close: OnClose, forget: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._on_close = on_close
        self._forget = forget
        self._speed = speed
        self._at_ms = lines[0].at_ms
        self._left = deque(lines[1:])
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_open = True
        self._schedule()

    def send(self, frame: bytes) -> None:
        self._sent += 1
        self._schedule()

    def close(self) -> None:
        self._end("closed by this side")

    def _schedule(self) -> None:
        """Wait for the next frame's moment, unless the client has not yet sent what it answers."""
        while self._left and self._left[0].what == "out" and self._sent:
            self._sent -= 1
            self._at_ms = self._left.popleft().at_ms
        if not self._is_open or self._timer is not None or not self._left or self._left[0].what == "out":
            return
        wait_s = max(0, self._left[0].at_ms - self._at_ms) / 1000 / self._speed
        self._timer = self._loop.call_later(wait_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        line = self._left.popleft()
        self._at_ms = line.at_ms
        if line.what == "closed":
            self._end(line.text)
            return
        self._on_frame(_content(line))
        self._schedule()

    def _end(self, reason: str) -> None:
        if self._is_open:
            self._is_open = False
            self._forget(self)
            if self._timer is not None:
                self._timer.cancel()
            self._loop.call_soon(self._on_close, reason)


def _lines(path: Path) -> Iterator[Line]:
    """Every whole line; a last one that a killed process left half written is skipped."""
    decode = msgspec.json.Decoder(Line).decode
    for number, text in enumerate(path.read_bytes().split(b"\n"), 1):
        if not text:
            continue
        try:
            yield decode(text)
        except msgspec.MsgspecError as error:
            if number == 1:
                raise ValueError(f"{path} is not a capture: {error}") from error
            return


def _content(line: Line) -> bytes:
    return b64decode(line.base64) if line.base64 else line.text.encode()


def _path(url: str) -> str:
    return urlsplit(url).path or "/"


def _words(url: str, body: bytes) -> set[str]:
    """Every query pair and every leaf of a JSON body, with its place."""
    words = {f"?{name}={value}" for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    try:
        words |= set(_leaves("", msgspec.json.decode(body)))
    except (msgspec.MsgspecError, RecursionError):
        words.add(body.decode("utf-8", "replace"))
    return words


def _leaves(place: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{place}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(f"{place}[{number}]", inner)
    else:
        yield f"{place}={value}"
