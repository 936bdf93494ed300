"""The road to a venue's HTTP: which failure means what, what is tried again, and that nothing acts twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import msgspec
import pytest

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.endpoint import Call, Endpoint, Meter, Retry
from exchange_clients.engine.retry import ATTEMPTS_MAX
from exchange_clients.engine.session import RETRY_AFTER_S_DEFAULT, Dialect, Session
from exchange_clients.engine.transport import HttpRequest, HttpResponse, TransportFailure
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import (
    RETRY_AFTER_S_MAX,
    AuthenticationFailed,
    ExchangeError,
    Misconfigured,
    NotSent,
    OutcomeUnknown,
    ProtocolViolation,
    RateLimited,
    Refused,
)
from exchange_clients.sandbox.virtual_loop import run_virtual


class Answer(msgspec.Struct):
    value: int


METER = Meter("calls", capacity=100, window_s=60)
READ = Endpoint("look", "GET", "/look/{what}", Answer, METER)
ACT = Endpoint("act", "POST", "/act", Answer, METER, retry=Retry.ACT, private=True)
GOOD = HttpResponse(200, b'{"value": 7}')
GONE = TransportFailure("connection refused", sent=False)
LOST = TransportFailure("reset by peer", sent=True)


class Scripted:
    """A transport that answers from a list."""

    def __init__(self, answers: Sequence[HttpResponse | TransportFailure]) -> None:
        self.answers = list(answers)
        self.requests: list[HttpRequest] = []

    async def request(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, TransportFailure):
            raise answer
        return answer

    async def close(self) -> None:
        pass


def ask(
    endpoint: Endpoint, *answers: HttpResponse | TransportFailure, dialect: Dialect | None = None, credentials: bool = True
) -> tuple[object, Scripted]:
    """Use an endpoint; what came out (a value or an error) and the transport it went through. Virtual time."""
    transport = Scripted(answers)

    async def main() -> object:
        secrets = Credentials({"key": "s3cret"}) if credentials else None
        wiring = Wiring(
            Environment.SANDBOX,
            "http://venue/v1",
            "",
            LoopClock(0),
            transport,
            None,
            secrets,
            random=Random(1),  # type: ignore[arg-type]
        )
        session = Session("venue", wiring, dialect or Dialect())
        try:
            return await session.call(
                endpoint, path={"what": "a/b"} if endpoint is READ else None, query={"q": "x y", "n": None}
            )
        except ExchangeError as error:
            return error

    return run_virtual(main), transport


def test_a_read_fills_in_path_and_query() -> None:
    answer, transport = ask(READ, GOOD)
    assert answer == Answer(7)
    assert transport.requests[0].url == "http://venue/v1/look/a%2Fb?q=x+y"


@pytest.mark.parametrize("trouble", [GONE, LOST, HttpResponse(503, b"busy"), HttpResponse(429, b"slow down")])
def test_a_read_is_repeated_after_trouble(trouble: HttpResponse | TransportFailure) -> None:
    answer, transport = ask(READ, trouble, trouble, GOOD)
    assert answer == Answer(7) and len(transport.requests) == 3


def test_reads_are_not_repeated_for_ever() -> None:
    answer, transport = ask(READ, *[LOST] * 10)
    assert isinstance(answer, OutcomeUnknown) and len(transport.requests) == ATTEMPTS_MAX


def test_acting_is_repeated_only_when_nothing_was_sent() -> None:
    answer, transport = ask(ACT, GONE, GONE, GOOD)
    assert answer == Answer(7) and len(transport.requests) == 3


@pytest.mark.parametrize(
    "trouble", [LOST, HttpResponse(500, b""), HttpResponse(502, b""), HttpResponse(429, b""), HttpResponse(200, b"<html>")]
)
def test_acting_in_doubt_is_never_repeated(trouble: HttpResponse | TransportFailure) -> None:
    answer, transport = ask(ACT, trouble, GOOD)
    assert isinstance(answer, OutcomeUnknown) and len(transport.requests) == 1
    assert answer.venue == "venue" and answer.operation == "act"


def test_what_was_never_sent_says_so() -> None:
    answer, _ = ask(ACT, *[GONE] * 10)
    assert isinstance(answer, NotSent) and "nothing was sent" in str(answer)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (404, Refused), (401, AuthenticationFailed), (403, AuthenticationFailed)]
)
def test_a_refusal_is_final(status: int, kind: type[ExchangeError]) -> None:
    for endpoint in (READ, ACT):
        answer, transport = ask(endpoint, HttpResponse(status, b"no"), GOOD)
        assert type(answer) is kind and len(transport.requests) == 1


def test_an_unreadable_reply_to_a_read_keeps_the_bytes() -> None:
    answer, transport = ask(READ, HttpResponse(200, b'{"value": "many"}'), GOOD)
    assert isinstance(answer, ProtocolViolation) and answer.raw == b'{"value": "many"}' and len(transport.requests) == 1


def test_acting_without_credentials_sends_nothing() -> None:
    answer, transport = ask(ACT, GOOD, credentials=False)
    assert isinstance(answer, Misconfigured) and not transport.requests


def test_retry_after_is_respected() -> None:
    async def main() -> float:
        transport = Scripted([HttpResponse(429, b"", {"retry-after": "5"}), GOOD])
        wiring = Wiring(Environment.SANDBOX, "http://venue", "", LoopClock(0), transport, None)  # type: ignore[arg-type]
        begin = asyncio.get_running_loop().time()
        await Session("venue", wiring, Dialect()).call(READ, path={"what": "x"})
        return asyncio.get_running_loop().time() - begin

    assert run_virtual(main) >= 5


NARROW = Meter("narrow", capacity=10, window_s=60)
LOOK = Endpoint("look", "GET", "/look", Answer, NARROW)
DO = Endpoint("do", "POST", "/do", Answer, NARROW, retry=Retry.ACT)


def in_session(story: Callable[[Session, Scripted], Awaitable[None]], *answers: HttpResponse) -> None:
    """A session whose budgets hold between calls. Virtual time from 0."""

    async def main() -> None:
        transport = Scripted(answers)
        wiring = Wiring(Environment.SANDBOX, "http://venue", "", LoopClock(0), transport, None, random=Random(1))  # type: ignore[arg-type]
        await story(Session("venue", wiring, Dialect()), transport)

    run_virtual(main)


def test_a_429_closes_the_meter_for_every_other_call() -> None:
    async def story(session: Session, transport: Scripted) -> None:
        with pytest.raises(OutcomeUnknown):
            await session.call(DO)
        assert asyncio.get_running_loop().time() == 0
        await session.call(LOOK)
        assert asyncio.get_running_loop().time() == RETRY_AFTER_S_DEFAULT

    in_session(story, HttpResponse(429, b"slow down"), GOOD)


def test_a_429_says_how_long_the_meter_is_closed() -> None:
    async def story(session: Session, transport: Scripted) -> None:
        reading = asyncio.create_task(session.call(LOOK))
        await asyncio.sleep(0.001)
        with pytest.raises(NotSent, match="too late"):
            await session.call(DO)
        assert asyncio.get_running_loop().time() < 1 and len(transport.requests) == 1, "late is at an old price: not sent"
        await session.call(DO, within_s=10)
        assert asyncio.get_running_loop().time() >= 7, "the venue said 7 s to another call of the same budget"
        await reading

    in_session(story, HttpResponse(429, b"", {"retry-after": "7"}), GOOD, GOOD)


def test_an_act_that_can_not_connect_is_given_up_in_time() -> None:
    async def story(session: Session, transport: Scripted) -> None:
        with pytest.raises(NotSent):
            await session.call(DO, within_s=0.2)
        assert asyncio.get_running_loop().time() < 0.5

    in_session(story, *[TransportFailure("connection refused", sent=False)] * 4)


def test_urgent_acts_may_use_what_other_acts_leave() -> None:
    """Ten units: reads get eight, orders nine, cancellations and hedges all."""

    async def story(session: Session, transport: Scripted) -> None:
        for _ in range(9):
            await session.call(DO)
        with pytest.raises(NotSent):
            await session.call(DO)
        await session.call(DO, urgent=True)
        with pytest.raises(NotSent):
            await session.call(DO, urgent=True)

    in_session(story, *[GOOD] * 10)


def test_rows_that_come_back_are_paid_for_afterwards() -> None:
    rows = Endpoint("list", "GET", "/list", list[int], LOOK.meter, 1, rows_per_unit=20)

    async def story(session: Session, transport: Scripted) -> None:
        await session.call(rows)
        begun = asyncio.get_running_loop().time()
        await session.call(LOOK)
        assert asyncio.get_running_loop().time() - begun >= 59, "200 rows cost ten units more"

    in_session(story, HttpResponse(200, msgspec.json.encode(list(range(200)))), GOOD)


def test_reads_leave_a_share_of_the_budget_to_acting_calls() -> None:
    async def story(session: Session, transport: Scripted) -> None:
        reads = [asyncio.create_task(session.call(LOOK)) for _ in range(12)]
        await asyncio.sleep(1)
        assert sum(read.done() for read in reads) == 8
        await session.call(DO)
        assert asyncio.get_running_loop().time() == 1, "acting waits for nobody's curiosity"
        await asyncio.gather(*reads)
        assert asyncio.get_running_loop().time() >= 60

    in_session(story, *[GOOD] * 13)


@pytest.mark.parametrize("said", ["inf", "1e300", "86400", "121"])
def test_a_venue_that_says_to_wait_very_long_does_not_hang_us(said: str) -> None:
    """The caller learns of it at once and decides; the meter stays closed for an hour at most."""

    async def story(session: Session, transport: Scripted) -> None:
        with pytest.raises(RateLimited) as limited:
            await session.call(LOOK)
        assert asyncio.get_running_loop().time() == 0 and 120 < limited.value.retry_after_s <= RETRY_AFTER_S_MAX
        await asyncio.sleep(RETRY_AFTER_S_MAX + 1)
        await session.call(LOOK)

    in_session(story, HttpResponse(429, b"", {"retry-after": said}), GOOD)


@pytest.mark.parametrize("said", ["nan", "-5", "", "soon", "-inf"])
def test_a_wait_that_is_no_time_is_a_short_one(said: str) -> None:
    async def story(session: Session, transport: Scripted) -> None:
        await session.call(LOOK)
        assert asyncio.get_running_loop().time() <= 1

    in_session(story, HttpResponse(429, b"", {"retry-after": said}), GOOD)


class Stating(Dialect):
    """A venue that states refusals in its body and can be recovered from once."""

    def __init__(self, recovers: bool) -> None:
        self.recovers = recovers
        self.recovered = 0

    def refusal(self, call: Call, response: HttpResponse) -> ExchangeError | None:
        return AuthenticationFailed("venue", call.endpoint.name, "expired", "expired") if b"expired" in response.body else None

    async def recover(self, error: Refused) -> bool:
        self.recovered += 1
        return self.recovers


def test_an_expired_session_is_mended_once() -> None:
    dialect = Stating(recovers=True)
    answer, transport = ask(ACT, HttpResponse(200, b"expired"), GOOD, dialect=dialect)
    assert answer == Answer(7) and dialect.recovered == 1 and len(transport.requests) == 2
    answer, transport = ask(ACT, HttpResponse(200, b"expired"), HttpResponse(200, b"expired"), GOOD, dialect=Stating(True))
    assert isinstance(answer, AuthenticationFailed) and len(transport.requests) == 2


def test_what_can_not_be_mended_is_not_tried_again() -> None:
    answer, transport = ask(ACT, HttpResponse(200, b"expired"), GOOD, dialect=Stating(recovers=False))
    assert isinstance(answer, AuthenticationFailed) and len(transport.requests) == 1


def test_credentials_hide_in_every_rendering() -> None:
    secret = Credentials({"private_key": "s3cret", "account": "me"})
    assert "s3cret" not in repr(secret) + str(secret) + f"{secret}"
    assert isinstance(RateLimited("v", "o", "d", 2.0).retry_after_s, float)


@pytest.mark.parametrize("where", ["https://elsewhere.example/v1/act", "/v2/act", ""])
def test_a_redirect_is_an_error_of_its_own_and_is_not_asked_again(where: str) -> None:
    moved = HttpResponse(307, b'{"value": 7}', {"location": where})
    said, transport = ask(READ, moved, GOOD)
    assert isinstance(said, ProtocolViolation) and "redirects are never followed" in str(said) and len(transport.requests) == 1
    assert "elsewhere.example" in str(said) if "example" in where else "another path" in str(said)
    said, transport = ask(ACT, moved, GOOD)
    assert isinstance(said, OutcomeUnknown) and "is not known" in str(said) and len(transport.requests) == 1


def test_somebody_may_look_on() -> None:
    seen: list[tuple[str, int]] = []

    class Looks:
        def reply(self, endpoint: Endpoint, response: HttpResponse, seconds: float) -> None:
            seen.append((endpoint.name, response.status))

        def frame(self, channel: object, frame: bytes) -> None: ...

    async def main() -> None:
        transport = Scripted([HttpResponse(500, b""), GOOD])
        wiring = Wiring(
            Environment.SANDBOX,
            "http://venue",
            "",
            LoopClock(0),
            transport,
            None,
            observer=Looks(),  # type: ignore[arg-type]
        )
        await Session("venue", wiring, Dialect()).call(READ, path={"what": "a"})

    run_virtual(main)
    assert seen == [("look", 500), ("look", 200)]
