"""The client against what the venue really says: closed hours, odd rows, foreign fees, contradictions, refused tokens."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from exchange_clients import errors
from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.events import AccountEvent, Connected, FillEvent, Lost, OrderEvent, Resumed
from exchange_clients.domain.orders import ByVenueId, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.rate_limit import RateLimits
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.paradex import common
from exchange_clients.paradex.client import ParadexClient
from exchange_clients.paradex.funding_adapter import ParadexFundingAdapter
from exchange_clients.sandbox.faults import Fault, FaultKind
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.trading.intents import SetLeverageIntent
from exchange_clients.trading.order_desk import OrderDesk
from tests.support.stage import SteppedClock, collect
from tests.venues.paradex.test_paradex_rules import MONDAY_0429
from tests.venues.paradex.test_paradex_sandbox import BTC, Set, on, scene, token, with_credentials

__all__ = ["on"]  # the fixture


def altered(on: Set, path: str, change: Any) -> None:
    """From now on replies to `path` are what `change` makes of them."""
    handle = on.facade.handle

    def changed(request: HttpRequest, address: str) -> HttpResponse:
        reply = handle(request, address)
        if request.url.partition("?")[0] != f"/v1{path}" or reply.status >= 300:
            return reply
        body = json.loads(reply.body)
        return HttpResponse(reply.status, json.dumps(change(body) or body).encode(), reply.headers)

    on.facade.handle = changed  # type: ignore[method-assign]


def rows(body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body["results"]
    return found


# Hours


async def test_a_closed_venue_is_not_the_orders_fault_and_can_be_asked_before() -> None:
    async with scene(SteppedClock(MONDAY_0429), ModelPrices(7, MONDAY_0429)) as on:
        await on.client.check_open()
        on.clock.jump(60_000)  # type: ignore[attr-defined]
        with pytest.raises(errors.VenueClosed, match="cancel_only"):
            await on.client.check_open()
        with pytest.raises(errors.VenueClosed) as refusal:
            await on.client.place_order(await on.order())
        assert refusal.value.code == "SYSTEM_STATUS_CANCEL_ONLY" and not isinstance(refusal.value, errors.OrderRejected)
        on.clock.jump(120_000)  # type: ignore[attr-defined]
        with pytest.raises(errors.VenueClosed) as refusal:
            await on.client.place_order(await on.order())
        assert refusal.value.code == "SYSTEM_STATUS_POST_ONLY"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("IP_NOT_ALLOWED", errors.AuthenticationFailed),
        ("INVALID_SUBKEY", errors.AuthenticationFailed),
        ("EVM_SIGNATURE_VERIFICATION_FAILED", errors.AuthenticationFailed),
        ("MARKET_NOT_OPEN", errors.VenueClosed),
        ("MARKET_MARGIN_RESTRICTED", errors.Refused),
        ("NO_ACCESS_TO_MARKET", errors.Refused),
        ("INVALID_TIMESTAMP", errors.Refused),
        ("DUPLICATED_CLIENT_ID", errors.OrderRejected),
        ("A_NEW_WORD", errors.OrderRejected),
    ],
)
async def test_codes_come_as_what_they_mean(on: Set, monkeypatch: pytest.MonkeyPatch, code: str, kind: Any) -> None:
    request = await on.order()
    await on.client.fetch_balance()
    said = json.dumps({"error": code, "message": "no", "data": None}).encode()
    monkeypatch.setattr(on.facade, "handle", lambda request, address: HttpResponse(400, said, {}))
    with pytest.raises(errors.Refused) as refusal:
        await on.client.place_order(request)
    assert type(refusal.value) is kind and refusal.value.code == code
    assert ("clock" in str(refusal.value)) == (code == "INVALID_TIMESTAMP")


# Odd rows


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("price_tick_size", ""),
        ("price_tick_size", "0"),
        ("min_notional", None),
        ("symbol", None),
        ("order_size_increment", "NaN"),
    ],
)
async def test_an_odd_market_is_left_out_and_the_others_are_told(on: Set, field: str, said: Any) -> None:
    names = list(on.facade.exchange.listings)
    altered(on, "/markets", lambda body: rows(body)[1].update({field: said}))
    listed = {instrument.venue_symbol for instrument in await on.client.fetch_instruments()}
    assert listed == set(names) - {names[1]}


@pytest.mark.parametrize(("field", "said"), [("mark_price", "-"), ("created_at", None), ("funding_rate", "NaN"), ("bid", {})])
async def test_odd_figures_are_unknown_and_the_others_are_told(on: Set, field: str, said: Any) -> None:
    altered(on, "/markets/summary", lambda body: rows(body)[1].update({field: said}))
    async with ParadexFundingAdapter(on.wiring) as adapter:
        seen = await adapter.current_rates()
    assert len(seen) == len(on.facade.exchange.listings) == len(await on.client.fetch_stats())
    unknown = [observation.unknown_because for observation in seen if observation.rate is None]
    assert unknown == (["the venue gave 'NaN', which is no number"] if field == "funding_rate" else [])


async def test_an_odd_row_of_our_own_money_is_named_not_skipped(on: Set) -> None:
    await on.client.place_order(await on.order())
    for path, field, read in (
        ("/positions", "side", on.client.fetch_positions),
        ("/fills", "price", on.client.fetch_fills),
        ("/balance", "size", on.client.fetch_balance),
    ):
        altered(on, path, lambda body, field=field: rows(body)[0].update({field: "SIDEWAYS"}))
        with pytest.raises(errors.ProtocolViolation, match="a row can't be read"):
            await read()


async def test_words_about_our_own_rows_may_be_missing(on: Set) -> None:
    await on.client.place_order(await on.order())
    gone = ("last_updated_at", "liquidation_price", "leverage", "average_entry_price", "unrealized_pnl")
    altered(on, "/positions", lambda body: [rows(body)[0].pop(name) for name in gone] and None)
    (position,) = await on.client.fetch_positions()
    assert (position.size, position.entry_price, position.leverage) == (Decimal("0.01"), None, None)
    assert abs(position.updated_ms - on.clock.now_ms()) < 60_000
    altered(on, "/fills", lambda body: rows(body)[0].update(client_id=None, realized_funding=None))
    assert len(await on.client.fetch_fills()) == 1


async def test_rows_of_other_kinds_are_dropped_before_anything_is_strict(on: Set) -> None:
    await on.client.place_order(await on.order())
    option = {"market": "BTC-USD-96000-C", "side": "STRADDLE"}
    for path in ("/positions", "/fills", "/orders"):
        altered(on, path, lambda body: {**body, "results": [option, *(body["results"] or [])]})
    assert len(await on.client.fetch_positions()) == len(await on.client.fetch_fills()) == 1
    assert await on.client.fetch_open_orders() == []


async def test_a_page_of_other_kinds_does_not_end_the_list(on: Set) -> None:
    await on.client.place_order(await on.order())
    option, own = {"market": "BTC-USD-96000-C", "id": "1", "created_at": 1}, on.facade.routes.handlers[common.FILLS]
    on.facade.routes.handlers[common.FILLS] = lambda ask: (
        own(replace(ask, query={})) if "cursor" in ask.query else {"next": "more", "results": [option]}
    )
    assert len(await on.client.fetch_fills()) == 1


async def test_lists_that_are_null_are_empty(on: Set) -> None:
    bitcoin = await on.client.instrument("BTC")
    assert on.get("/v1/orders", await token(on))[1] == {"results": None}
    assert [await on.client.fetch_open_orders(), await on.client.fetch_positions(), await on.client.fetch_fills()] == [
        [],
        [],
        [],
    ]
    assert await on.client.fetch_funding_payments(bitcoin) == []


async def test_an_odd_row_in_a_stream_is_told_and_the_stream_lives_on(on: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = on.client.stream_orders()
    await collect(orders, lambda e: isinstance(e[-1], Connected))
    say = on.facade.order
    with monkeypatch.context() as patch:
        patch.setattr(on.facade, "order", lambda order: {**say(order), "status": "HALF_OPEN"})
        on.facade.exchange.place(on.account, BTC, Side.BUY, Decimal("0.01"), None, TimeInForce.IOC, False, None)
        on.world.advance()
    await on.client.place_order(await on.order())
    events = await collect(orders, lambda e: isinstance(e[-1], OrderEvent))
    assert [type(e) for e in events[:2]] == [Lost, Resumed] and "HALF_OPEN" in str(events[0])


async def test_a_reply_to_an_order_in_another_shape_is_doubt(on: Set) -> None:
    request = await on.order()
    altered(on, "/orders", lambda body: ["queued"])
    with pytest.raises(errors.OutcomeUnknown):
        await on.client.place_order(request)
    altered(on, "/orders", lambda body: {"status": "WAITING"})
    with pytest.raises(errors.OutcomeUnknown):
        await on.client.place_order(await on.order())


# Money


async def test_a_fee_in_another_token_says_so_and_is_kept_apart_in_the_books(on: Set) -> None:
    from exchange_clients.trading.ledger import LegStatement

    on.facade.pay_fees_in_dime(on.account, Decimal(1000))
    await on.client.place_order(await on.order())
    (fill,) = await on.client.fetch_fills()
    assert fill.fee_asset == "DIME" and fill.fee > 0
    leg = LegStatement("paradex", "BTC").with_fill(fill, None)
    assert leg.fees == 0 and leg.other_fees == (("DIME", fill.fee),)
    twice = leg.with_fill(fill, None)
    assert twice.other_fees == (("DIME", 2 * fill.fee),) and twice.net == twice.price
    assert (await on.client.fetch_balance()).wallet == 10_000


async def test_fees_are_those_of_the_market_where_it_has_its_own(on: Set) -> None:
    bitcoin, ether = await on.client.instrument("BTC"), await on.client.instrument("ETH")
    usual = await on.client.fetch_fee_rates()
    own = FeeRates(maker=Decimal("-0.0001"), taker=Decimal("0.001"))
    on.facade.exchange.listings[BTC] = replace(on.facade.exchange.listings[BTC], fees=own)
    assert [await on.client.fetch_fee_rates(i) for i in (bitcoin, ether)] == [own, usual]


async def test_funding_that_waits_is_shown_and_is_part_of_the_result(on: Set) -> None:
    await on.client.place_order(await on.order(size=Decimal(1)))
    on.clock.jump(6 * 3_600_000)  # type: ignore[attr-defined]
    (position,) = await on.client.fetch_positions()
    assert position.unrealised_funding is not None and position.unrealised_pnl is not None and position.entry_price is not None
    assert position.unrealised_funding != 0
    by_price = position.unrealised_pnl - position.unrealised_funding
    assert abs(by_price - (on.facade.exchange.state(BTC).mark - position.entry_price)) < 1


async def test_a_payment_that_contradicts_its_fill_raises_the_alarm(on: Set) -> None:
    bitcoin = await on.client.instrument("BTC")
    await on.client.place_order(await on.order(size=Decimal(1)))
    on.clock.jump(6 * 3_600_000)  # type: ignore[attr-defined]
    await on.client.place_order(await on.order(side=Side.SELL, price=None, reduce_only=True, size=Decimal(1)))
    paid = [payment.amount for payment in await on.client.fetch_funding_payments(bitcoin)]
    assert any(paid) and sum(paid) == sum(p.amount for p in on.facade.exchange.funding_payments(on.account))

    def turned(body: Any) -> None:
        for row in rows(body):
            row["payment"] = str(-Decimal(row["payment"]))

    altered(on, "/funding/payments", turned)
    with pytest.raises(errors.ProtocolViolation, match="sign"):
        await on.client.fetch_funding_payments(bitcoin)


async def test_a_makers_fill_on_the_other_side_than_its_order_raises_the_alarm(on: Set) -> None:
    """OpenAPI calls FillResult.side the taker's side; if it were, every fill of a resting order would be booked reversed."""
    bitcoin = await on.client.instrument("BTC")
    resting = await on.rest()
    book = on.facade.exchange
    price = book.orders(on.account)[0].price
    assert price is not None
    state = book.prices.state
    fall = (price * Decimal("0.99")) / book.state(BTC).mark
    book.prices.state = lambda venue, name, ms: (  # type: ignore[method-assign]
        (found := state(venue, name, ms)) and replace(found, mark=found.mark * fall, index=found.index * fall)
    )
    on.clock.jump(5_000)  # type: ignore[attr-defined]
    on.world.advance()
    (fill,) = await on.client.fetch_fills(bitcoin)
    assert (fill.side, fill.venue_order_id, fill.liquidity.value) == (Side.BUY, resting.venue_order_id, "maker")

    def takers(body: Any) -> None:
        for row in rows(body):
            row["side"] = "SELL"

    altered(on, "/fills", takers)
    with pytest.raises(errors.ProtocolViolation, match="its order"):
        await on.client.fetch_fills(bitcoin)
    async with ParadexClient(on.wiring) as restarted:  # knows no orders: asks for them
        with pytest.raises(errors.ProtocolViolation, match="its order"):
            await restarted.fetch_fills(bitcoin)


# Orders


async def test_an_order_tells_how_long_it_may_rest(on: Set) -> None:
    resting = await on.rest()
    assert resting.time_in_force is TimeInForce.GTC
    assert (await on.client.fetch_open_orders())[0].time_in_force is TimeInForce.GTC


async def test_a_market_order_is_sent_without_a_price(on: Set) -> None:
    """ccxt PR 28204: a price with type MARKET is refused."""
    placed = await on.client.place_order(await on.order(price=None))
    found = await on.client.fetch_order(await on.client.instrument("BTC"), ByVenueId(placed.venue_order_id))
    assert found.status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("ORDER_EXCEEDS_POSITION_LIMIT", OrderStatus.REJECTED),
        ("REDUCE_ONLY_WILL_DECREASE", OrderStatus.REJECTED),
        ("SELF_TRADE", OrderStatus.CANCELLED),
        ("MMP_TRIGGERED", OrderStatus.CANCELLED),
    ],
)
async def test_reasons_that_public_code_has_seen(on: Set, reason: str, status: OrderStatus) -> None:
    resting = await on.rest()
    altered(on, f"/orders/{resting.venue_order_id}", lambda body: body.update(status="CLOSED", cancel_reason=reason))
    found = await on.client.fetch_order(await on.client.instrument("BTC"), ByVenueId(resting.venue_order_id))
    assert (found.status, found.reason) == (status, reason)


async def test_a_subkey_that_may_not_set_leverage_is_fine_where_it_is_set_already(on: Set) -> None:
    bitcoin = await on.client.instrument("BTC")
    await on.client.set_leverage(bitcoin, 7)
    assert await on.client.fetch_leverage(bitcoin) == 7
    async with ParadexClient(with_credentials(on, private_key=on.facade.subkey(on.account))) as client:
        with pytest.raises(errors.Refused):
            await client.set_leverage(bitcoin, 7)
        desk = OrderDesk({"paradex": client}, on.clock)
        set_already, other = [await desk.set_leverage(SetLeverageIntent(bitcoin, leverage)) for leverage in (7, 9)]
        assert (set_already.failure, bool(other.failure)) == ("", True)  # type: ignore[union-attr]


# Sockets


async def test_a_token_that_the_socket_refuses_is_replaced_and_every_topic_lives(on: Set) -> None:
    await on.client.fetch_balance()
    on.client._dialect.token.text = "e30.e30.forged"
    account, fills = on.client.stream_account(), on.client.stream_fills()
    await collect(fills, lambda e: isinstance(e[-1], Connected))
    await collect(account, lambda e: isinstance(e[-1], AccountEvent))
    await on.client.place_order(await on.order())
    assert await collect(fills, lambda e: isinstance(e[-1], FillEvent))


async def test_an_account_is_connected_once_and_read_whole_once(on: Set) -> None:
    asked: list[str] = []
    handle = on.facade.handle
    on.facade.handle = lambda request, address: (asked.append(request.url), handle(request, address))[1]  # type: ignore[method-assign]
    stream = on.client.stream_account()
    events = await collect(stream, lambda e: isinstance(e[-1], AccountEvent))
    with pytest.raises(TimeoutError):
        while True:
            events.append(await asyncio.wait_for(anext(stream), 0.1))
    assert [type(e) for e in events] == [Connected, AccountEvent]
    assert sum("/positions" in url for url in asked) == 1


async def test_a_dropped_account_is_resumed_once() -> None:
    async with scene(None, None, Fault(FaultKind.DROPPED_SOCKET, nth=6)) as on:
        stream = on.client.stream_account()
        await collect(stream, lambda e: isinstance(e[-1], AccountEvent))
        await on.client.place_order(await on.order())
        events = await collect(stream, lambda e: isinstance(e[-1], Resumed))
        assert [type(e) for e in events if isinstance(e, (Connected, Lost, Resumed))] == [Lost, Resumed]


async def test_private_calls_draw_on_the_budget_of_the_address_too(on: Set) -> None:
    """Docs: rate-limits/api, the note under private endpoints."""
    drawn: list[tuple[str, str]] = []

    class Counted(RateLimits):
        def try_take(self, venue: str, meter: Meter, key: str, *_: Any) -> float:
            drawn.append((meter.name, key))
            return 0.0

    request = await on.order()
    async with ParadexClient(replace(on.wiring, limits=Counted())) as client:
        await client.fetch_balance()
        drawn.clear()
        await client.fetch_positions()
        await client.place_order(request)
    address = (common.PER_ADDRESS.name, "")
    assert drawn == [(common.READS.name, on.account), address, (common.ORDERS.name, on.account), address]
