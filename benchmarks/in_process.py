"""`python -m benchmarks.in_process`: CPU of our own code alone, from the socket's callback to the reader of `stream_book`.

No kernel, no frame server, no peers: frames are handed to the client by a scripted socket in the same process. These numbers repeat
within a few percent where those over loopback differ by a third, so they are for comparing one state of this code with another.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import uvloop

from benchmarks import frames
from benchmarks.frame_server import confirmation
from benchmarks.peers.ours_book import bitcoin, client_of
from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import SystemClock
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.transport import OnClose, OnFrame, Socket
from exchange_clients.engine.wiring import Wiring

FRAMES = 20_000
WARM = 2_000
ROUNDS = 7
TURN_FRAMES = 100  # what one turn of the loop reads where frames come back to back


class Script:
    """A WebSocketTransport whose one socket confirms what it is asked and says what it is told to."""

    def __init__(self) -> None:
        self.say: OnFrame = lambda frame: None

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        self.say = on_frame
        return _Socket(on_frame)

    async def close(self) -> None:
        """Nothing is open."""


class _Socket:
    def __init__(self, on_frame: OnFrame) -> None:
        self._on_frame = on_frame

    def send(self, frame: bytes) -> None:
        if b'"subscribe"' in frame:
            asyncio.get_running_loop().call_soon(self._on_frame, confirmation(json.loads(frame)))

    def close(self) -> None:
        """Nobody listens."""


async def cpu_us(venue: str, feed: Sequence[bytes], turn_frames: int) -> tuple[float, int]:
    """CPU µs of one frame after the warm-up, and how many states the reader saw. `turn_frames`: to a turn of the loop."""
    script, http = Script(), AiohttpTransport()
    wiring = Wiring(
        environment=Environment.SANDBOX,
        rest_url="http://127.0.0.1:1",
        websocket_url="ws://127.0.0.1:1",
        clock=SystemClock(),
        http=http,
        websocket=script,
    )
    client, loop, states, at, started = client_of(venue, wiring), asyncio.get_running_loop(), 0, 0, 0.0

    def turn() -> None:
        nonlocal at, started
        if at == WARM:
            started = time.process_time()
        say = script.say
        for frame in feed[at : at + turn_frames]:
            say(frame)
        at += turn_frames
        if at < len(feed):
            loop.call_soon(turn)

    async for event in client.stream_book(bitcoin(venue), depth=20):
        if isinstance(event, BookEvent):
            states += 1
            if event.book.time_ms == frames.EPOCH_MS + len(feed) - 1:
                break
        else:
            loop.call_soon(turn)
    spent = time.process_time() - started
    await client.close()
    await http.close()
    return spent / (len(feed) - WARM) * 1e6, states


def main() -> None:
    books: dict[str, tuple[str, Callable[[int], list[bytes]]]] = {
        "Hyperliquid l2Book 20×2": ("hyperliquid", frames.hyperliquid_books),
        "Paradex deltas": ("paradex", frames.paradex_deltas),
    }
    for name, (venue, made) in books.items():
        feed = made(WARM + FRAMES)
        for how, turn_frames in (("back to back", TURN_FRAMES), ("one at a time", 1)):
            rounds = [uvloop.run(cpu_us(venue, feed, turn_frames)) for _ in range(ROUNDS)]
            spent = sorted(us for us, _ in rounds)
            seen = rounds[0][1] / len(feed)
            sys.stdout.write(
                f"{name}, {how}: {spent[0]:.2f} to {spent[-1]:.2f}, median {spent[ROUNDS // 2]:.2f} µs; seen {seen:.0%}\n"
            )


if __name__ == "__main__":
    main()
