"""Looks on while a venue is walked, and keeps measurements by row: fields, statuses, times, never a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import msgspec

from exchange_clients.domain.times import to_ms
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.transport import HttpResponse
from exchange_clients.probe.fields import Fields

FRAMES_LOOKED_AT = 2_000
BUDGET_WORDS = ("ratelimit", "rate-limit", "used-weight", "order-count", "quota")


def row_of(row: Endpoint | Channel) -> str:
    """The key that measurements of a row are kept under: calls and streams may share a name."""
    return f"{'call' if isinstance(row, Endpoint) else 'stream'} {row.name}"


class Row:
    """What one endpoint or channel was seen to do. `at`: loop seconds of frames. `unreadable`: what its decoder said."""

    def __init__(self, shape: object) -> None:
        self.fields = Fields(shape)
        self.statuses: dict[int, int] = defaultdict(int)
        self.round_trips_s: list[float] = []
        self.at: list[float] = []
        self.bytes = 0
        self.unreadable: dict[str, int] = defaultdict(int)
        self._decoder = None if shape is None else msgspec.json.Decoder(shape, strict=False)

    def look(self, content: bytes) -> None:
        """Take note of one reply or frame."""
        self.bytes += len(content)
        try:
            self.fields.add(msgspec.json.decode(content))
            if self._decoder is not None:
                self._decoder.decode(content)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            self.unreadable[f"{type(error).__name__}: {error}"] += 1


class Watcher:
    """An engine Observer. `now_ms`: this machine's clock. `loop_time`: seconds of the event loop.

    `behind_ms`: by how much this clock may be behind the venue's: each `Date` header, which is cut to seconds, narrows the two
    bounds. `headers`: what the venue says of budgets.
    """

    def __init__(self, now_ms: Callable[[], int], loop_time: Callable[[], float]) -> None:
        self.rows: dict[str, Row] = {}
        self.spent: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.headers: dict[str, str] = {}
        self.dates = 0
        self.behind_ms = (-float("inf"), float("inf"))
        self._now_ms = now_ms
        self._loop_time = loop_time

    def reply(self, endpoint: Endpoint, response: HttpResponse, seconds: float) -> None:
        row = self.rows.setdefault(row_of(endpoint), Row(endpoint.shape))
        row.statuses[response.status] += 1
        row.round_trips_s.append(seconds)
        for meter, weight in ((endpoint.meter, endpoint.weight), *endpoint.also):
            self.spent[meter.name].append((self._loop_time(), weight))
        if response.status < 300 and (response.body or endpoint.reply is not None):
            row.look(response.body)
        for name, value in response.headers.items():
            if any(word in name for word in BUDGET_WORDS):
                self.headers[name] = value[:80]
        self._compare_clocks(response.headers.get("date", ""), seconds)

    def frame(self, channel: Channel, frame: bytes) -> None:
        row = self.rows.setdefault(row_of(channel), Row(channel.shape))
        row.at.append(self._loop_time())
        is_json = channel.frame is not None  # other frames name no fields
        if len(row.at) <= FRAMES_LOOKED_AT and is_json:
            row.look(frame)
        else:
            row.bytes += len(frame)

    def _compare_clocks(self, date: str, seconds: float) -> None:
        try:
            venue_ms = to_ms(parsedate_to_datetime(date))
        except (TypeError, ValueError):
            return
        self.dates += 1
        now_ms = self._now_ms()  # the venue wrote its date between the request and now, and cut it to the second
        earliest, latest = venue_ms - now_ms, venue_ms + 1000 - (now_ms - seconds * 1000)
        low, high = self.behind_ms
        self.behind_ms = max(low, earliest), min(high, latest)
