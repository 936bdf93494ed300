"""How far our clock is from a venue's, by the dates of its replies."""

from __future__ import annotations

import pytest

from exchange_clients.domain.provenance import Environment
from exchange_clients.domain.times import from_ms
from exchange_clients.engine.clock import SystemClock
from exchange_clients.engine.clock_reading import ClockReading
from exchange_clients.engine.endpoint import Endpoint, Meter
from exchange_clients.engine.session import Dialect, Session
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.engine.wiring import Wiring

NOON_MS = 1_767_355_200_000
NOON = "Fri, 02 Jan 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("asked", "heard", "ahead"),
    [
        (0, 100, 0),
        (-50, 0, 0),
        (999, 1_200, 0),  # the second was cut off
        (1_999, 2_100, 1_000),
        (20_999, 21_050, 20_000),
        (-20_050, -20_000, -20_000),
        (-20_000, 20_000, 0),  # a reply that took so long proves nothing
        (-30_000, -6_000, -6_000),
    ],
)
def test_what_a_reply_proves(asked: int, heard: int, ahead: int) -> None:
    reading = ClockReading.of(HttpResponse(200, b"", {"date": NOON}), NOON_MS + asked, NOON_MS + heard)
    assert reading is not None and reading.ahead_ms() == ahead


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": NOON, "age": "30"}])
def test_a_reply_without_a_date_of_its_own_says_nothing(headers: dict[str, str]) -> None:
    assert ClockReading.of(HttpResponse(200, b"", headers), 0, 0) is None


@pytest.mark.parametrize("date", ["yesterday", "Fri, 99 Jan 2026 12:00:00 GMT", "0", "Mon, 01 Jan 99999999999 00:00:00 GMT"])
def test_a_date_that_is_none_says_nothing(date: str) -> None:
    reading = ClockReading.of(HttpResponse(200, b"", {"date": date}), 0, 0)
    assert reading is not None and reading.ahead_ms() is None


class Dated:
    """A venue whose clock stands `behind_ms` of market time behind ours; `status`: of its replies."""

    def __init__(self, clock: SystemClock, behind_ms: int) -> None:
        self.clock, self.behind_ms, self.is_dated, self.status = clock, behind_ms, True, 200

    async def request(self, request: HttpRequest) -> HttpResponse:
        date = f"{from_ms(self.clock.now_ms() - self.behind_ms):%a, %d %b %Y %H:%M:%S GMT}"
        return HttpResponse(self.status, b"", {"date": date} if self.is_dated else {})

    async def close(self) -> None:
        return


READ = Endpoint("look", "GET", "/look", None, Meter("calls", capacity=100, window_s=60))


@pytest.mark.parametrize("speed", [1.0, 400.0, 2000.0])
async def test_a_session_tells_it_in_time_of_the_wire(speed: float) -> None:
    clock = SystemClock.starting_at(NOON_MS, speed)
    venue = Dated(clock, round(20_000 * speed))
    session = Session("dated", Wiring(Environment.SANDBOX, "http://dated", "", clock, venue, None), Dialect())  # type: ignore[arg-type]
    assert session.clock_ahead_ms is None
    await session.call(READ)
    assert session.clock_ahead_ms is not None and 18_900 < session.clock_ahead_ms <= 20_000
    venue.is_dated = False
    await session.call(READ)
    assert session.clock_ahead_ms > 18_900, "a reply without a date takes nothing back"
    venue.is_dated, venue.behind_ms = True, 0
    await session.call(READ)
    assert session.clock_ahead_ms == 0
