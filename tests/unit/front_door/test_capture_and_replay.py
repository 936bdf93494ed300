"""What went over the wire is written down without secrets, and decodes again to the same values."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from exchange_clients import Network, OrderRequest, Provenance, Sandbox, Side, TimeInForce, registry
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.events import Connected
from exchange_clients.engine.capture import Capture
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.redaction import HIDDEN, redact_headers, redact_text, redact_url
from exchange_clients.engine.transport import HttpRequest, HttpResponse, TransportFailure
from exchange_clients.errors import ExchangeError, Misconfigured, OutcomeUnknown
from exchange_clients.sandbox.virtual_loop import run_virtual

START_MS = 1_767_400_000_000
VENUES = registry.names()
Story = Callable[[Network, str, Credentials], Awaitable[list[Any]]]


async def a_day(network: Network, venue: str, credentials: Credentials) -> list[Any]:
    """Everything a client does, with what it was told; domain values only."""
    told: list[Any] = []
    async with network.client(venue, credentials) as client, network.adapter(venue) as adapter:
        bitcoin = await client.instrument("BTC")
        book = await client.fetch_order_book(bitcoin)
        told += [bitcoin, book, await client.fetch_trades(bitcoin), await client.fetch_stats(), await adapter.current_rates()]
        assert book.best_ask is not None
        price = bitcoin.round_price(book.best_ask * 1.01, Side.BUY)
        size = bitcoin.round_size(0.01)
        reading = [
            asyncio.create_task(_read(client.stream_book(bitcoin), lambda events: len(events) == 8)),
            asyncio.create_task(_read(client.stream_fills(), lambda events: len(events) == 2)),
            asyncio.create_task(_read(client.stream_account(), lambda events: bool(getattr(events[-1], "positions", ())))),
        ]
        await asyncio.sleep(0.5)
        wanted = OrderRequest(str(UUID(int=1)), bitcoin, Side.BUY, size, price, TimeInForce.IOC)
        told.append(await client.place_order(wanted))
        books, fills, account = [await task for task in reading]
        told += [books, fills, account[-1]]
        told += [await client.fetch_fills(), await client.fetch_positions(), await client.fetch_balance()]
        told.append(await client.fetch_fee_rates())
    return told


async def _read(stream: Any, until: Callable[[list[Any]], bool]) -> list[Any]:
    """Events, connectivity aside: in which order two topics are confirmed within one millisecond is nobody's promise."""
    events: list[Any] = []
    async with stream:
        async for event in stream:
            events.append(event)
            if until(events):
                break
    return [event for event in events if not isinstance(event, Connected)]


def captured(venue: str, path: Path) -> tuple[list[Any], Credentials]:
    async def story() -> tuple[list[Any], Credentials]:
        async with Sandbox([venue], clock=LoopClock(START_MS), latency_s=0.01, capture=path) as world:
            credentials = world.enrol(venue)
            return await a_day(world.network, venue, credentials), credentials

    return run_virtual(story)


def text_of(values: list[Any]) -> str:
    return repr(values).replace(repr(Provenance.SANDBOX), repr(Provenance.REPLAY))


@pytest.mark.parametrize("venue", VENUES)
def test_a_captured_day_decodes_again_to_the_same_values(venue: str, tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    told, credentials = captured(venue, path)

    async def again() -> list[Any]:
        async with Network.replay(path) as network:
            return await a_day(network, venue, credentials)

    replayed = run_virtual(again)
    for number, (then, now) in enumerate(zip(told, replayed, strict=True)):
        assert text_of([then]) == repr([now]), f"value {number} differs"
    assert repr(Provenance.SANDBOX) in repr(told) and repr(Provenance.SANDBOX) not in repr(replayed)


@pytest.mark.parametrize("venue", VENUES)
def test_a_record_says_when_which_way_and_where_and_holds_no_secret(venue: str, tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    _, credentials = captured(venue, path)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert (lines[0]["what"], lines[0]["environment"], lines[-1]["what"]) == ("begin", "sandbox", "end")
    assert {line["what"] for line in lines[1:-1]} >= {"request", "reply", "open", "in", "out"}
    assert all(line["at_ms"] >= START_MS and line["url"] for line in lines[1:-1])
    for name, value in credentials.values.items():
        if "private" in name or "secret" in name:
            assert value.removeprefix("0x") not in text
    for line in lines:
        for name, value in line.get("headers", {}).items():
            if re.search("sign|auth|token|key", name, re.IGNORECASE):
                assert value == HIDDEN
        body = line.get("text", "")
        assert not re.search(r'"[^"]*signature":\s*"(?!\(hidden\))[^"]{12,}', body)
        assert not re.search(r'"[rs]":\s*"0x[0-9a-f]{60,}', body)
        assert not re.search(r"eyJ[\w-]+\.[\w-]+\.(?!\(hidden\))", body)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"signature":"0x1234567890abcdef","size":0.10}', '{"signature":"(hidden)","size":0.10}'),
        (
            '{"signature":{"r":"0x00112233445566","s":"0x99887766554433","v":27}}',
            '{"signature":{"r":"(hidden)","s":"(hidden)","v":27}}',
        ),
        ('{"signature":"[\\"123456\\",\\"789012\\"]","a":1}', '{"signature":"(hidden)","a":1}'),
        ('{"token":"USDC","feeToken":"USDC","access_token":"abcdefghijklmnop"}',
         '{"token":"USDC","feeToken":"USDC","access_token":"(hidden)"}'),
        ('{"jwt_token":"eyJhbGciOiJ9.eyJleHAiOjF9.c2lnbmF0dXJl"}', '{"jwt_token":"eyJhbGciOiJ9.eyJleHAiOjF9.(hidden)"}'),
        ('{"params":{"bearer":"eyJhbGciOiJ9.eyJleHAiOjF9.c2lnbmF0dXJl"}}', '{"params":{"bearer":"eyJhbGciOiJ9.eyJleHAiOjF9.(hidden)"}}'),
        ("Authorization: Bearer abc123", "Authorization: Bearer (hidden)"),
        ("pass it on: 0xfeedbeef", "pass it on: 0x(hidden)"),
    ],
)  # fmt: skip
def test_what_opens_something_is_hidden_and_the_rest_is_left_alone(text: str, redacted: str) -> None:
    assert redact_text(text, ["feedbeef"]) == redacted


def test_headers_and_addresses_lose_their_secrets() -> None:
    assert redact_headers({"X-API-KEY": "k", "Set-Cookie": "c", "Content-Type": "json"}) == {
        "X-API-KEY": HIDDEN, "Set-Cookie": HIDDEN, "Content-Type": "json",
    }  # fmt: skip
    assert (
        redact_url("https://a.example/x?symbol=BTC&signature=abc&y=1")
        == "https://a.example/x?symbol=BTC&signature=(hidden)&y=1"
    )
    assert redact_url(f"wss://a.example/ws/{'aB3' * 20}") == "wss://a.example/ws/(hidden)"
    assert redact_url(f"https://a.example/auth/0x{'b3' * 20}").endswith("b3"), "a public key in a path is none"


class Answers:
    """An HTTP transport that answers what it is told."""

    def __init__(self, *answers: HttpResponse | TransportFailure) -> None:
        self.answers = list(answers)

    async def request(self, request: HttpRequest) -> HttpResponse:
        answer = self.answers.pop(0)
        if isinstance(answer, TransportFailure):
            raise answer
        return answer

    async def close(self) -> None: ...


def test_failures_and_bytes_that_are_no_text_come_back_as_they_were(tmp_path: Path) -> None:
    from exchange_clients.engine.replay import ReplayTransport

    async def story() -> None:
        clock, path = LoopClock(START_MS), tmp_path / "x"
        capture = Capture(path, clock, "testnet")
        http = capture.http(Answers(HttpResponse(200, b"\xff\x00"), TransportFailure("cut", sent=True)))
        ask = HttpRequest("POST", "https://a.example/v1/x", {}, b'{"type":"a","nonce":1}')
        await http.request(ask)
        with pytest.raises(TransportFailure):
            await http.request(HttpRequest("POST", "https://a.example/v1/x", {}, b'{"type":"b","nonce":2}'))
        capture.close()
        capture.close()
        with path.open("ab") as file:
            file.write(b'{"at_ms":1,"wha')  # the process was killed here
        recorded = ReplayTransport(path)
        with pytest.raises(TransportFailure, match="cut") as failure:
            await recorded.request(HttpRequest("POST", "http://replay/v1/x", {}, b'{"type":"b","nonce":7}'))
        assert failure.value.sent
        assert (await recorded.request(ask)).body == b"\xff\x00"
        with pytest.raises(TransportFailure, match="holds no reply to GET /v1/x") as failure:
            await recorded.request(HttpRequest("GET", "http://replay/v1/x"))
        assert not failure.value.sent

    run_virtual(story)


async def test_an_older_record_is_not_written_over_and_no_record_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("precious")
    with pytest.raises(Misconfigured, match="can't be written: File exists"):
        Network("testnet", capture=path)
    with pytest.raises(Misconfigured, match="is not a capture"):
        Network.replay(path)
    with pytest.raises(Misconfigured, match="can't be replayed"):
        Network.replay(tmp_path / "absent")


def test_a_full_disk_ends_the_record_and_not_the_program(tmp_path: Path) -> None:
    async def story() -> None:
        capture = Capture(tmp_path / "x", LoopClock(START_MS), "testnet")
        assert capture._file is not None
        capture._file.close()
        capture._file = open("/dev/full", "wb", buffering=0)  # noqa: ASYNC230, SIM115
        http = capture.http(Answers(HttpResponse(200, b"{}"), HttpResponse(200, b"{}")))
        for _ in range(2):
            assert (await http.request(HttpRequest("GET", "https://a.example/"))).status == 200
        assert capture.broken == "No space left on device"
        capture.close()

    run_virtual(story)


@pytest.mark.parametrize("venue", VENUES)
def test_a_lost_reply_is_lost_again(venue: str, tmp_path: Path) -> None:
    path = tmp_path / "x"

    async def place(network: Network, credentials: Credentials) -> ExchangeError | None:
        client = network.client(venue, credentials)
        bitcoin = await client.instrument("BTC")
        price = bitcoin.round_price(90_000.0, Side.BUY)
        try:
            await client.place_order(OrderRequest(str(UUID(int=1)), bitcoin, Side.BUY, bitcoin.round_size(0.01), price))
        except ExchangeError as error:
            return error
        return None

    async def first() -> tuple[ExchangeError | None, Credentials]:
        async with Sandbox([venue], clock=LoopClock(START_MS), faults=["lost_reply"], capture=path) as world:
            return await place(world.network, world.enrol(venue)), world.enrol(venue)

    async def again(credentials: Credentials) -> ExchangeError | None:
        async with Network.replay(path) as network:
            return await place(network, credentials)

    error, credentials = run_virtual(first)
    assert isinstance(error, OutcomeUnknown)
    assert str(run_virtual(lambda: again(credentials))) == str(error)
