"""The client before the venue as it is today: stories in bytes, events and intents, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from decimal import Decimal
from functools import wraps
from typing import Any

import msgspec
import pytest

from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.events import AccountEvent, BookEvent, Connected, FillEvent, Lost, OrderEvent, Resumed
from exchange_clients.domain.orders import ByClientId, OrderStatus, TimeInForce
from exchange_clients.engine.transport import HttpRequest, HttpResponse, TransportFailure
from exchange_clients.errors import (
    AuthenticationFailed,
    Misconfigured,
    NotSent,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolViolation,
    RateLimited,
    Refused,
)
from exchange_clients.hyperliquid import common, sandbox
from exchange_clients.hyperliquid.client import HyperliquidClient
from exchange_clients.hyperliquid.signing import Signer
from exchange_clients.sandbox.client import memory_wiring
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.venues.hyperliquid.support import HOUR_MS, START_MS, Day, day, enrol_agent, open_sub_account

Story = Callable[[Day], Coroutine[Any, Any, None]]


def told(before: Callable[[Day], None] = lambda _: None) -> Callable[[Story], Callable[[], None]]:
    """A test that lives in virtual time. `before`: what is different at the venue today."""

    def telling(story: Story) -> Callable[[], None]:
        @wraps(story)
        def test() -> None:
            async def live() -> None:
                async with day(before) as today:
                    await story(today)

            run_virtual(live)

        del test.__wrapped__  # type: ignore[attr-defined]  # pytest would ask it for a fixture
        return test

    return telling


async def until(stream: Any, enough: Callable[[list[Any]], bool], within_s: float = 30.0) -> list[Any]:
    events: list[Any] = []

    async def read() -> None:
        async for event in stream:
            events.append(event)
            if enough(events):
                return

    await asyncio.wait_for(read(), within_s)
    return events


class Listening:
    """An HTTP transport that keeps what was sent and may answer in the venue's place."""

    def __init__(self, inner: Any, answers: Callable[[dict[str, Any]], Any] = lambda _: None) -> None:
        self.inner, self.answers = inner, answers
        self.sent: list[dict[str, Any]] = []

    async def request(self, request: HttpRequest) -> HttpResponse:
        body = json.loads(request.body or b"{}")
        self.sent.append(body)
        answer = self.answers(body)
        if isinstance(answer, Exception):
            raise answer
        return await self.inner.request(request) if answer is None else HttpResponse(200, json.dumps(answer).encode())

    async def close(self) -> None: ...


def overheard(today: Day, answers: Callable[[dict[str, Any]], Any] = lambda _: None, **keys: str) -> tuple[Any, Listening]:
    line = Listening(today.transport, answers)
    credentials = Credentials({"private_key": today.key, "account_address": today.user} | keys)
    wiring = memory_wiring(common.SPEC, today.transport, today.clock, credentials)
    return HyperliquidClient(replace(wiring, http=line)), line


def unified(today: Day) -> None:
    today.facade.conditions.modes[today.user] = "unifiedAccount"


# The account


@told(unified)
async def test_a_unified_account_is_streamed_from_both_states(today: Day) -> None:
    """webData2 is withdrawn; the perpetual summary means nothing here (pmxt-dev/pmxt#2180, nautechsystems/nautilus_trader#4206)."""
    async with today.client.stream_account() as stream:
        first = await until(stream, lambda e: isinstance(e[-1], AccountEvent))
        assert isinstance(first[0], Connected) and first[-1].balance.wallet == 10_000
        await today.buy(0.1)
        events = await until(stream, lambda e: isinstance(e[-1], AccountEvent) and bool(e[-1].positions and e[-1].balance))
        balance = events[-1].balance
        assert events[-1].positions[0].size == Decimal("0.1")
        assert balance.wallet == today.exchange.wallet(today.user) < 10_000
        assert abs(balance.wallet - balance.available - today.exchange.initial_margin(today.user)) < 5
        assert abs(balance.equity - today.exchange.equity(today.user)) < 50


@told(unified)
async def test_a_unified_account_can_carry_a_second_pair(today: Day) -> None:
    """With a position open its perpetual state shows next to nothing; what is free is total less hold."""
    await today.buy(0.1)
    balance = await today.client.fetch_balance()
    assert balance.wallet == today.exchange.wallet(today.user)
    bound = balance.wallet - balance.available
    assert abs(bound - today.exchange.initial_margin(today.user)) < 5 and 400 < bound < 500


def idle_spot(today: Day) -> None:
    today.facade.conditions.spot[today.user] = Decimal(50_000)


@told(idle_spot)
async def test_spot_usdc_of_a_standard_account_is_no_collateral(today: Day) -> None:
    """MetaMask/metamask-mobile#29110."""
    balance = await today.client.fetch_balance()
    assert (balance.wallet, balance.equity, balance.available) == (10_000, 10_000, 10_000)


@told()
async def test_an_account_that_is_switched_over_is_followed(today: Day) -> None:
    assert (await today.client.fetch_balance()).wallet == 10_000
    unified(today)
    await asyncio.sleep(61)
    assert (await today.client.fetch_balance()).wallet == 10_000, "read from the spot state now: the other one says 0"


@told(lambda today: today.facade.conditions.modes.update({today.user: "somethingNew"}))
async def test_an_account_mode_that_nobody_knows_is_not_guessed(today: Day) -> None:
    with pytest.raises(ProtocolViolation):
        await today.client.fetch_balance()


# Whose account


@told()
async def test_an_agent_of_the_master_acts_for_the_sub_account(today: Day) -> None:
    """hummingbot/hummingbot#7312: not named, the order would be the master's."""
    sub = open_sub_account(today.facade, today.user)
    agent = enrol_agent(today.facade, today.user, START_MS + HOUR_MS)
    for key in (today.key, agent):
        client = today.another(key, sub)
        await client.place_order(await today.request())
        await client.verify_access()
    assert len(today.exchange.orders(sub)) == 2 and not today.exchange.orders(today.user)


@told()
async def test_what_the_account_is_is_asked_once(today: Day) -> None:
    """userRole costs 60 of 1200, and a first order should not wait for it once access was verified."""
    agent = enrol_agent(today.facade, today.user, START_MS + HOUR_MS)
    client, line = overheard(today, private_key=agent)
    await client.verify_access()
    for _ in range(2):
        await client.place_order(await today.request())
    assert [body.get("user") for body in line.sent if body.get("type") == "userRole"] == [Signer(agent).address, today.user]


@told()
async def test_nobody_acts_for_a_strangers_account(today: Day) -> None:
    other = today.world.enrol("hyperliquid", "other", Decimal(500))["account_address"]
    for kind in ("subAccount", "vault"):
        theirs = open_sub_account(today.facade, other, kind)
        client = today.another(today.key, theirs)
        with pytest.raises(AuthenticationFailed):
            await client.verify_access()
        with pytest.raises(AuthenticationFailed, match="Vault not registered"):
            await client.place_order(await today.request())
    assert not today.exchange.orders(today.user)


@told()
async def test_an_order_is_not_sent_while_it_is_not_known_for_whom(today: Day) -> None:
    agent = enrol_agent(today.facade, today.user, START_MS + HOUR_MS)

    def broken(body: dict[str, Any]) -> Any:
        return TransportFailure("no reply", sent=True) if body.get("type") == "userRole" else None

    client, line = overheard(today, broken, private_key=agent)
    with pytest.raises(NotSent, match="nothing was sent"):
        await client.place_order(await today.request())
    assert not [body for body in line.sent if "action" in body]


# Acts


@told()
async def test_an_isolated_only_market_is_never_asked_for_cross_margin(today: Day) -> None:
    today.facade.conditions.isolated_only.add("BTC")
    bitcoin = await today.client.instrument("BTC")
    assert bitcoin.isolated_only and not (await today.client.instrument("ETH")).isolated_only
    await today.client.set_leverage(bitcoin, 3)
    assert today.exchange.leverage(today.user, "BTC") == 3


async def part_filled(today: Day) -> Any:
    """A post-only order of 0.05 of which the market has taken 0.02."""
    placed = await today.client.place_order(await today.request(size=0.05))
    order = today.exchange._accounts[today.user].orders[int(placed.venue_order_id)]
    order.filled, order.cost = Decimal("0.02"), Decimal("0.02") * (order.price or 0)
    return placed


@told()
async def test_an_open_order_is_told_as_it_is_now(today: Day) -> None:
    """orderStatus alone tells what had filled when it came to rest (hyperliquid-dex/hyperliquid-python-sdk#141)."""
    placed = await part_filled(today)
    bitcoin = await today.client.instrument("BTC")
    order = await today.client.fetch_order(bitcoin, placed.ref)
    assert (order.status, order.size, order.filled) == (OrderStatus.OPEN, Decimal("0.05"), Decimal("0.02"))
    assert order.time_in_force is TimeInForce.POST_ONLY
    by_name = await today.client.fetch_order(bitcoin, ByClientId(placed.client_order_id))
    assert by_name.filled == Decimal("0.02")


@told()
async def test_an_amendment_replaces_what_is_left_on_the_same_terms(today: Day) -> None:
    """The venue takes the size sent as a fresh order (nautechsystems/nautilus_trader#3986), and any time in force with it."""
    placed = await part_filled(today)
    bitcoin = await today.client.instrument("BTC")
    order = await today.client.fetch_order(bitcoin, placed.ref)
    assert order.price is not None
    amended = await today.client.amend_order(order, bitcoin, price=order.price - 100, size=Decimal("0.06"))
    (resting,) = today.exchange.orders(today.user)
    assert (resting.size, resting.filled, resting.time_in_force) == (Decimal("0.04"), 0, TimeInForce.POST_ONLY)
    assert (amended.size, amended.filled, amended.status) == (Decimal("0.06"), Decimal("0.02"), OrderStatus.PENDING)
    assert amended.venue_order_id == str(resting.order_id) != placed.venue_order_id
    assert amended.time_in_force is TimeInForce.POST_ONLY


@told()
async def test_an_order_of_unknown_terms_is_not_amended(today: Day) -> None:
    placed = msgspec.structs.replace(await today.client.place_order(await today.request()), time_in_force=None)
    bitcoin = await today.client.instrument("BTC")
    assert placed.price is not None
    with pytest.raises(Misconfigured, match="fetch_order tells it"):
        await today.client.amend_order(placed, bitcoin, price=placed.price - 100, size=placed.size)


@pytest.mark.parametrize("status", ["waitingForFill", {}, {"unheardOf": 1}, 7, None])
def test_a_reply_that_names_no_outcome_is_an_unknown_outcome(status: Any) -> None:
    """hummingbot/hummingbot#7619, ccxt/ccxt#25934."""

    @told()
    async def story(today: Day) -> None:
        answer = {"status": "ok", "response": {"type": "order", "data": {"statuses": [status]}}}
        client, _ = overheard(today, lambda body: answer if "action" in body else None)
        with pytest.raises(OutcomeUnknown):
            await client.place_order(await today.request())

    story()


@told()
async def test_a_part_filled_reply_ends_only_what_may_not_rest(today: Day) -> None:
    for tif, expected in ((TimeInForce.GTC, OrderStatus.PENDING), (TimeInForce.IOC, OrderStatus.CANCELLED)):
        filled = {"filled": {"totalSz": "0.004", "avgPx": "90000", "oid": 5}}
        answer = {"status": "ok", "response": {"type": "order", "data": {"statuses": [filled]}}}
        client, _ = overheard(today, lambda body, said=answer: said if "action" in body else None)
        order = await client.place_order(await today.request(tif=tif))
        assert (order.status, order.filled) == (expected, Decimal("0.004"))


@told()
async def test_every_act_says_until_when_it_may_be_taken(today: Day) -> None:
    """With that an outcome that is unknown becomes certain; gitbook "Exchange endpoint", expiresAfter."""
    client, line = overheard(today)
    began_ms = today.clock.now_ms()
    placed = await client.place_order(await today.request())
    bitcoin = await client.instrument("BTC")
    await client.cancel_order(bitcoin, placed.ref)
    await client.set_leverage(bitcoin, 5)
    acts = [body for body in line.sent if "action" in body]
    assert len(acts) == 3 and all(0 <= body["expiresAfter"] - began_ms - 10_000 < 1000 for body in acts)


@told()
async def test_an_act_that_arrives_too_late_does_nothing(today: Day) -> None:
    request, bitcoin = await today.request(), await today.client.instrument("BTC")
    today.transport._latency = lambda: 11.0  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown):
        await today.client.place_order(request)
    today.transport._latency = lambda: 0.01  # type: ignore[method-assign]
    await asyncio.sleep(30)
    with pytest.raises(OrderNotFound):
        await today.client.fetch_order(bitcoin, ByClientId(request.client_order_id))


@told()
async def test_a_nonce_that_another_program_used_is_passed_over(today: Day) -> None:
    """ccxt/ccxt#30348, JKorf/HyperLiquid.Net#75."""
    signer, now_ms = Signer(today.key), today.clock.now_ms()
    for ahead in range(40):
        nonce = now_ms + ahead
        signature = signer.sign_action({"type": "noop"}, nonce, mainnet=False)
        assert today.facade.act({"action": {"type": "noop"}, "nonce": nonce, "signature": signature})["status"] == "ok"
    order = await today.client.place_order(await today.request())
    assert order.status is OrderStatus.OPEN


@told()
async def test_a_spent_allowance_stops_neither_reads_nor_cancellations(today: Day) -> None:
    """gitbook "Rate limits": actions of an address are counted apart, cancellations have more."""
    bitcoin = await today.client.instrument("BTC")
    placed = await today.client.place_order(await today.request())
    requests = [await today.request() for _ in range(4)]
    today.facade.allowance.first = 2
    for request in requests[:2]:
        await today.client.place_order(request)  # the last of its allowance, and the one in ten seconds
    with pytest.raises(RateLimited, match="Too many cumulative requests"):
        await today.client.place_order(requests[2])
    before = today.clock.now_ms()
    assert await today.client.fetch_open_orders()
    await today.client.cancel_order(bitcoin, placed.ref)
    assert today.clock.now_ms() - before < 1000
    with pytest.raises(NotSent, match="actions per account"):
        await today.client.place_order(requests[3])


@told()
async def test_long_lists_are_paid_for(today: Day) -> None:
    """gitbook "Rate limits": one more for 20 rows, which only the reply tells."""
    for _ in range(30):
        await today.buy(0.05)
    client, limits = today.client, today.client._session._wiring.limits
    key = (client.venue, common.PER_ADDRESS.name, "")
    before = limits._limits[key]._used
    rows = len(await client.fetch_fills())
    assert rows >= 30 and limits._limits[key]._used - before == 20 + rows // 20


# Rows that are odd, and rows that are not ours


def elsewhere(today: Day) -> None:
    order = {"side": "B", "limitPx": "12.5", "sz": "1.0", "origSz": "2.0", "oid": 7, "timestamp": START_MS}
    fill = {"px": "12.5", "sz": "1.0", "side": "B", "time": START_MS, "oid": 7, "crossed": True, "fee": "0.1", "tid": 9}
    today.facade.conditions.elsewhere[today.user] = [
        ({**order, "coin": coin}, {**fill, "coin": coin, "feeToken": "PURR"})
        for coin in ("@107", "PURR/USDC", "#250", "xyz:TSLA")
    ]


@told(elsewhere)
async def test_markets_of_other_kinds_are_not_ours(today: Day) -> None:
    async with today.client.stream_fills() as stream:
        await today.buy()
        events = await until(stream, lambda e: isinstance(e[-1], FillEvent))
    assert {e.fill.symbol for e in events if isinstance(e, FillEvent)} == {"BTC"}
    assert {fill.symbol for fill in await today.client.fetch_fills()} == {"BTC"}
    assert not await today.client.fetch_open_orders()


@told()
async def test_an_unknown_word_of_an_order_blinds_for_a_moment_and_kills_nothing(today: Day) -> None:
    """nktkas/hyperliquid@1f76511 brought `internalCancel`; the next word will come as unannounced."""
    async with today.client.stream_orders() as stream:
        await until(stream, lambda e: isinstance(e[-1], Connected))
        today.facade.conditions.words[1_000_001] = "vanishedMysteriously"
        odd = await today.client.place_order(await today.request())
        await today.client.place_order(await today.request())
        events = await until(stream, lambda e: isinstance(e[-1], OrderEvent))
    assert [type(event) for event in events] == [Lost, Resumed, OrderEvent]
    assert "vanishedMysteriously" in events[0].reason
    with pytest.raises(ProtocolViolation, match="vanishedMysteriously"):
        await today.client.fetch_order(await today.client.instrument("BTC"), odd.ref)


@told()
async def test_an_odd_row_about_our_money_is_named(today: Day) -> None:
    await today.buy()
    (row,) = today.facade._fills(today.user)
    client, _ = overheard(today, lambda body: [row, {**row, "px": "-"}] if body.get("type") == "userFillsByTime" else None)
    with pytest.raises(ProtocolViolation, match=r'"px": ?"-"'):
        await client.fetch_fills()


@told()
async def test_a_position_of_which_little_is_told_is_still_a_position(today: Day) -> None:
    state = today.facade.state(today.user)
    bare = {"type": "oneWay", "position": {"coin": "BTC", "szi": "-0.5", "entryPx": "", "leverage": {"type": "cross"}}}
    client, _ = overheard(
        today, lambda body: {**state, "assetPositions": [bare]} if body.get("type") == "clearinghouseState" else None
    )
    (position,) = await client.fetch_positions()
    assert (position.symbol, position.size) == ("BTC", Decimal("-0.5"))
    assert (position.entry_price, position.unrealised_pnl, position.leverage) == (None, None, None)
    with pytest.raises(ProtocolViolation, match="equity is not known"):
        await client.fetch_balance()


@told()
async def test_fees_in_another_token_are_told_as_such(today: Day) -> None:
    today.facade.conditions.fee_token = "HYPE"
    await today.buy()
    assert {fill.fee_asset for fill in await today.client.fetch_fills()} == {"HYPE"}


@told()
async def test_one_odd_market_is_left_out(today: Day) -> None:
    meta = {"universe": [{"name": "ODD", "szDecimals": "many"}, {"name": "BTC", "szDecimals": 5}]}
    client, _ = overheard(today, lambda body: meta if body.get("type") == "meta" else None)
    (bitcoin,) = await client.fetch_instruments()
    assert (bitcoin.symbol, bitcoin.venue_id) == ("BTC", "1"), "the others keep their place"


# Streams


@told()
async def test_books_come_fast(today: Day) -> None:
    """Without `fast` they would come every five seconds (pmxt-dev/pmxt#1879)."""
    async with today.client.stream_book(await today.client.instrument("BTC")) as stream:
        before = today.clock.now_ms()
        events = await until(stream, lambda e: sum(isinstance(x, BookEvent) for x in e) == 11)
    assert 4_000 < today.clock.now_ms() - before < 6_500
    assert {len(e.book.bids) for e in events if isinstance(e, BookEvent)} == {5}


@told()
async def test_a_refused_topic_takes_no_other_along(today: Day) -> None:
    bitcoin = await today.client.instrument("BTC")
    gone = msgspec.structs.replace(bitcoin, symbol="GONE", venue_symbol="GONE")
    async with today.client.stream_book(gone) as lost, today.client.stream_book(bitcoin) as good:
        with pytest.raises(Refused, match="Invalid subscription"):
            await until(lost, lambda _: False)
        await until(good, lambda e: sum(isinstance(x, BookEvent) for x in e) == 3)


@told()
async def test_a_withdrawn_account_channel_takes_neither_books_nor_fills(today: Day) -> None:
    sandbox.KINDS.discard("spotState")
    try:
        async with today.client.stream_fills() as fills, today.client.stream_account() as account:
            with pytest.raises(Refused, match="Error parsing JSON"):
                await until(account, lambda _: False)
            await today.buy()
            await until(fills, lambda e: isinstance(e[-1], FillEvent))
    finally:
        sandbox.KINDS.add("spotState")
