"""What only the toy does. A new venue's tests begin like these: a vector, odd rows, and the façade asked by hand."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchange_clients.domain import (
    AccountEvent,
    BookEvent,
    Connected,
    FillEvent,
    Instrument,
    Level,
    Lost,
    OrderBook,
    OrderEvent,
    Provenance,
    Resumed,
)
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.endpoint import Call
from exchange_clients.engine.handlers import WholeBooks, each_row
from exchange_clients.engine.rows import readable
from exchange_clients.engine.stream_dialect import Blind
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.errors import AuthenticationFailed, ProtocolViolation, VenueClosed
from exchange_clients.toy import common, wire
from exchange_clients.toy.dialect import ToyDialect
from exchange_clients.toy.signing import Signer
from tests.support.stage import Stage, collect, stage
from tests.support.venues import TOY

TIME_MS = 1_767_400_060_000


def rows(*texts: str) -> list[msgspec.Raw]:
    return [msgspec.Raw(text.encode()) for text in texts]


def test_a_signature_is_over_time_method_path_with_query_and_body() -> None:
    """HMAC-SHA256 of `1767400060000POST/api/v1/order{"size":"1"}`, by `openssl dgst -sha256 -hmac secret`."""
    signer = Signer("secret")
    signature = signer.sign(TIME_MS, "POST", "/api/v1/order", b'{"size":"1"}')
    assert signature == "7347cbf0988211e3a5551b331a47fc51c6e60d9ec333648207e94de1933460c0"
    assert signer.has_signed(signature, TIME_MS, "POST", "/api/v1/order", b'{"size":"1"}')
    for changed in (
        (TIME_MS + 1, "POST", "/api/v1/order", b'{"size":"1"}'),
        (TIME_MS, "PUT", "/api/v1/order", b'{"size":"1"}'),
        (TIME_MS, "POST", "/api/v1/order?x=1", b'{"size":"1"}'),
        (TIME_MS, "POST", "/api/v1/order", b'{"size":"2"}'),
    ):
        assert not signer.has_signed(signature, *changed)


MARKET = '{"symbol":"BTC-PERP","base":"BTC","tick":"1","lot":"0.001","minNotional":"10","maxLeverage":"20"}'


def test_an_odd_market_is_left_out_and_another_kind_is_not_ours() -> None:
    spot, odd = '{"symbol":"BTC-SPOT","base":null}', '{"symbol":"ETH-PERP","base":"ETH","tick":"NaN","lot":"1"}'
    nothing = MARKET.replace('"tick":"1"', '"tick":"0"')
    found: list[Instrument] = readable(rows(spot, odd, nothing, MARKET, "7"), wire.INSTRUMENT)
    assert [instrument.venue_symbol for instrument in found] == ["BTC-PERP"]


def test_of_an_order_that_can_not_be_read_it_is_told_that_it_was_missed() -> None:
    order = '{"id":"7","symbol":"BTC-PERP","side":"buy","size":"1","filled":"0","status":"OPEN","time":1,"reduceOnly":false}'
    foreign, odd = order.replace("PERP", "SPOT"), order.replace("OPEN", "LIQUIDATING")
    told = list(each_row(OrderEvent, wire.ORDER)(DataFrame(rows(order, foreign, odd, order))))
    assert [type(event) for event in told] == [OrderEvent, Blind, OrderEvent]


def test_a_whole_book_that_is_older_is_passed_over_and_one_that_crosses_is_a_gap() -> None:
    def book(sequence: int | None, bid: float = 1.0) -> OrderBook:
        return OrderBook(TOY, "BTC", [Level(bid, 1.0)], [Level(2.0, 1.0)], 0, Provenance.SANDBOX, sequence)

    books = WholeBooks(lambda frame: frame)
    assert books(book(5)) and not books(book(4)) and books(book(5)) and books(book(None))
    books.forget()
    assert books(book(1)) == (BookEvent(book(1)),)
    with pytest.raises(Gap):
        books(book(2, bid=2.0))


async def ask(on: Stage, method: str, path: str, **headers: str) -> tuple[int, Any]:
    response: HttpResponse = await on.wiring.http.request(HttpRequest(method, f"{on.wiring.rest_url}{path}", headers))
    return response.status, msgspec.json.decode(response.body)


async def test_the_facade_refuses_what_is_not_signed_for_this_path_and_instant() -> None:
    async with stage(TOY) as on:
        key, secret = on.credentials["api_key"], on.credentials["api_secret"]

        async def balance(time_ms: int, path: str = "/api/v1/balance") -> tuple[int, Any]:
            proof = {"X-KEY": key, "X-TIME": str(time_ms), "X-SIGN": Signer(secret).sign(time_ms, "GET", path)}
            return await ask(on, "GET", "/balance", **proof)

        now_ms = on.clock.now_ms()
        assert (await balance(now_ms))[1]["result"]["wallet"] == "10000"
        for status, said in (
            await balance(now_ms - common.SIGNED_FOR_MS - 100),
            await balance(now_ms, "/api/v1/positions"),
            await ask(on, "GET", "/balance"),
        ):
            assert (status, said["ok"], said["code"]) == (401, False, "BAD_SIGNATURE")


async def test_the_facade_keeps_the_budget_of_orders_per_account() -> None:
    async with stage(TOY) as on:
        path = "/api/v1/order?id=1"
        time_ms = on.clock.now_ms()
        proof = {
            "X-KEY": on.credentials["api_key"],
            "X-TIME": str(time_ms),
            "X-SIGN": Signer(on.credentials["api_secret"]).sign(time_ms, "DELETE", path),
        }
        said = [(await ask(on, "DELETE", "/order?id=1", **proof))[0] for _ in range(int(common.PER_ACCOUNT.capacity) + 1)]
        assert set(said[:-1]) == {404} and said[-1] == 429


async def test_a_refused_login_ends_what_is_private_and_nothing_else() -> None:
    async with stage(TOY) as on:
        wrong = on.another_client(credentials=type(on.credentials)({**on.credentials.values, "api_secret": "no"}))
        async with wrong:
            bitcoin = await on.client.instrument("BTC")
            async with wrong.stream_book(bitcoin) as books, wrong.stream_fills() as fills:
                assert isinstance(await anext(books), Connected)
                with pytest.raises(AuthenticationFailed):
                    await anext(fills)
                assert isinstance(await anext(books), BookEvent)


async def test_a_position_that_can_not_be_read_is_an_error_that_names_the_row() -> None:
    async with stage(TOY) as on:
        await on.trade()

        class Odd:
            async def request(self, request: HttpRequest) -> HttpResponse:
                response = await on.wiring.http.request(request)
                return msgspec.structs.replace(response, body=response.body.replace(b'"size":"0.01"', b'"size":"some"'))

            async def close(self) -> None: ...

        async with on.another_client(http=Odd()) as client:
            with pytest.raises(ProtocolViolation, match="BTC-PERP"):
                await client.fetch_positions()


async def test_a_venue_that_pauses_blames_no_order() -> None:
    async with stage(TOY) as on:
        dialect = ToyDialect(on.wiring)
        body = b'{"ok":false,"code":"MAINTENANCE","message":"only cancellations now"}'
        error = dialect.refusal(Call(common.PLACE), HttpResponse(403, body))
        assert isinstance(error, VenueClosed)


async def test_the_account_is_told_whole_at_once_and_after_every_fill() -> None:
    async with stage(TOY) as on, on.client.stream_account() as account, on.client.stream_fills() as fills:
        reading = asyncio.create_task(collect(account, lambda e: isinstance(e[-1], AccountEvent) and bool(e[-1].positions)))
        await asyncio.sleep(0.3)
        order = await on.trade(size=0.02)
        events = await reading
        first, last = events[1], events[-1]
        assert first.positions == () and first.balance.wallet == Decimal(10_000)
        assert [p.size for p in last.positions] == [order.size] == [Decimal("0.02")]
        told = await collect(fills, lambda e: isinstance(e[-1], FillEvent))
        assert not [event for event in told if isinstance(event, Lost | Resumed)]
