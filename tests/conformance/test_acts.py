"""What every venue's client promises of acting: once, without reading, and only what makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec
import pytest

from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import ByClientId, ByVenueId, Order, OrderRequest, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.errors import ExchangeError, Misconfigured
from tests.support.stage import Stage, eventually
from tests.support.wires import CountingHttp

Act = Callable[[BaseExchangeClient, OrderRequest, Order], Awaitable[object]]


def _further(order: Order) -> Decimal:
    assert order.price is not None
    return order.price


ACTS: dict[str, tuple[Capability | None, Act]] = {
    "place, to rest": (None, lambda c, r, o: c.place_order(msgspec.structs.replace(r, price=_further(o)))),
    "place, to fill": (None, lambda c, r, o: c.place_order(r)),
    "place, or cancel": (Capability.IOC, lambda c, r, o: c.place_order(_as(r, TimeInForce.IOC))),
    "place, post-only": (
        Capability.POST_ONLY,
        lambda c, r, o: c.place_order(msgspec.structs.replace(_as(r, TimeInForce.POST_ONLY), price=_further(o))),
    ),
    "place, at market": (
        Capability.MARKET,
        lambda c, r, o: c.place_order(msgspec.structs.replace(_as(r, TimeInForce.IOC), price=None)),
    ),
    "cancel by the venue's id": (None, lambda c, r, o: c.cancel_order(r.instrument, ByVenueId(o.venue_order_id))),
    "cancel by our id": (None, lambda c, r, o: c.cancel_order(r.instrument, ByClientId(o.client_order_id or ""))),
    "cancel all of a market": (Capability.CANCEL_ALL, lambda c, r, o: c.cancel_all_orders(r.instrument)),
    "cancel all": (Capability.CANCEL_ALL, lambda c, r, o: c.cancel_all_orders()),
    "amend": (Capability.AMEND, lambda c, r, o: c.amend_order(o, r.instrument, price=_further(o), size=o.size + r.size)),
    "set leverage": (Capability.SET_LEVERAGE, lambda c, r, o: c.set_leverage(r.instrument, 3)),
}


def _as(request: OrderRequest, kind: TimeInForce) -> OrderRequest:
    return msgspec.structs.replace(request, time_in_force=kind)


@pytest.mark.parametrize("act", ACTS)
async def test_an_acting_verb_sends_one_request_and_reads_nothing(on: Stage, act: str) -> None:
    """Every request after the act is cut: a read that fails must not deny what happened."""
    needed, verb = ACTS[act]
    if needed is not None and needed not in on.spec.capabilities:
        pytest.skip(f"{on.spec.name} does not declare {needed.value}")
    bitcoin = await on.client.instrument("BTC")
    away = await on.resting_price(bitcoin, Side.BUY)
    resting = await on.trade(price=away, time_in_force=TimeInForce.GTC)
    request = await on.request(time_in_force=TimeInForce.GTC)
    wire = CountingHttp(on.wiring.http)
    async with on.another_client(http=wire) as client:
        await client.fetch_balance()  # whatever a session needs to begin
        await client.verify_access()
        wire.only(1)
        await verb(client, request, resting)
        assert len(wire.sent) == 1


@pytest.mark.parametrize("act", ACTS)
async def test_an_acting_verb_that_could_not_be_sent_says_so(on: Stage, act: str) -> None:
    needed, verb = ACTS[act]
    if needed is not None and needed not in on.spec.capabilities:
        pytest.skip(f"{on.spec.name} does not declare {needed.value}")
    bitcoin = await on.client.instrument("BTC")
    resting = await on.trade(price=await on.resting_price(bitcoin, Side.BUY), time_in_force=TimeInForce.GTC)
    request = await on.request(time_in_force=TimeInForce.GTC)
    await on.vanish()
    with pytest.raises(ExchangeError) as error:
        await verb(on.client, request, resting)
    assert error.value.venue == on.spec.name and "nothing was sent" in str(error.value)


async def test_two_clients_of_one_key_do_not_stand_in_each_others_way(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    price = await on.resting_price(bitcoin, Side.BUY)
    async with on.another_client() as second:
        requests = [await on.request(price=price, time_in_force=TimeInForce.GTC) for _ in range(20)]
        clients = [on.client, second] * 10
        placed = await asyncio.gather(*(c.place_order(r) for c, r in zip(clients, requests, strict=True)))
        assert len({order.venue_order_id for order in placed}) == 20
        await eventually(lambda: len(on.exchange.orders(on.account)) == 20)
        for client, order in zip(clients, placed, strict=True):
            await client.cancel_order(bitcoin, order.ref)
    await eventually(lambda: not on.exchange.orders(on.account))


# What makes no sense is told before anything leaves this machine.


def _foreign(instrument: Instrument) -> Instrument:
    return msgspec.structs.replace(instrument, venue="elsewhere")


WRONG_REQUESTS: dict[str, Callable[[OrderRequest], dict[str, object]]] = {
    "another venue's instrument": lambda r: {"instrument": _foreign(r.instrument)},
    "a float for a size": lambda r: {"size": float(r.size)},
    "no size": lambda r: {"size": Decimal(0)},
    "a negative size": lambda r: {"size": -r.size},
    "half a lot": lambda r: {"size": r.size + r.instrument.lot_size / 2},
    "an endless size": lambda r: {"size": Decimal("Infinity")},
    "a size that is no number": lambda r: {"size": Decimal("NaN")},
    "a text for a size": lambda r: {"size": "0.01"},
    "a size beyond all measure": lambda r: {"size": Decimal("1e300")},
    "a size below all measure": lambda r: {"size": Decimal("1e-300")},
    "a price beyond all measure": lambda r: {"price": Decimal("1e999999")},
    "a market without lots": lambda r: {"instrument": msgspec.structs.replace(r.instrument, lot_size=Decimal(0))},
    "a market whose lots are no number": lambda r: {
        "instrument": msgspec.structs.replace(r.instrument, lot_size=Decimal("NaN"))
    },
    "a float for a price": lambda r: {"price": float(r.price or 1)},
    "a negative price": lambda r: {"price": Decimal(-1)},
    "a price of nothing": lambda r: {"price": Decimal(0)},
    "a price that is no number": lambda r: {"price": Decimal("NaN")},
    "an id that is no UUID": lambda r: {"client_order_id": "my-1"},
    "an id in capitals": lambda r: {"client_order_id": r.client_order_id.upper()},
    "an id that is no text": lambda r: {"client_order_id": 7},
}


async def _sends_nothing(on: Stage, verb: Callable[[BaseExchangeClient], Awaitable[object]]) -> None:
    wire = CountingHttp(on.wiring.http)
    async with on.another_client(http=wire) as client:
        with pytest.raises(ExchangeError) as error:
            await verb(client)
    assert error.value.venue == on.spec.name
    assert not wire.sent, f"{wire.sent[0].method} {wire.sent[0].url} left this machine"


@pytest.mark.parametrize("wrong", WRONG_REQUESTS)
async def test_an_order_that_makes_no_sense_is_not_sent(on: Stage, wrong: str) -> None:
    request = await on.request()
    changed = msgspec.structs.replace(request, **WRONG_REQUESTS[wrong](request))
    await _sends_nothing(on, lambda client: client.place_order(changed))


@pytest.mark.parametrize("ref", [ByClientId(""), ByVenueId(""), ByClientId("my-1"), ByClientId("../orders"), ByVenueId(7)])
async def test_an_order_without_a_proper_name_is_not_asked_for(on: Stage, ref: ByClientId | ByVenueId) -> None:
    bitcoin = await on.client.instrument("BTC")
    await _sends_nothing(on, lambda client: client.cancel_order(bitcoin, ref))
    await _sends_nothing(on, lambda client: client.fetch_order(bitcoin, ref))


@pytest.mark.parametrize("name", ["my-1", "../1", "1 or 1", "0x", "9" * 40, "-1", "１"])
async def test_a_name_that_no_venue_gave_is_refused_here_or_there(on: Stage, name: str) -> None:
    bitcoin = await on.client.instrument("BTC")
    with pytest.raises(ExchangeError):
        await on.client.cancel_order(bitcoin, ByVenueId(name))
    with pytest.raises(ExchangeError):
        await on.client.fetch_order(bitcoin, ByVenueId(name))


async def test_another_venues_instrument_is_refused_by_every_verb_that_reads(on: Stage) -> None:
    """Its name may be another market's here, whose book or fills would be told under the wrong one."""
    foreign = _foreign(await on.client.instrument("BTC"))
    reads = (
        on.client.fetch_order_book(foreign),
        on.client.fetch_quote(foreign),
        on.client.fetch_trades(foreign),
        on.client.fetch_open_orders(foreign),
        on.client.fetch_fills(foreign),
        on.client.fetch_funding_payments(foreign),
        on.client.fetch_order(foreign, ByVenueId("1")),
    )
    for read in reads:
        with pytest.raises(Misconfigured, match="instrument of"):
            await read
    with pytest.raises(Misconfigured, match="instrument of"):
        on.client.stream_book(foreign)


async def test_another_venues_instrument_is_refused_by_every_verb_that_acts(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    foreign, name = _foreign(bitcoin), ByClientId(on.client_order_id())
    resting = await on.trade(price=await on.resting_price(bitcoin, Side.BUY), time_in_force=TimeInForce.GTC)
    assert resting.status is OrderStatus.OPEN and resting.price is not None
    price, capabilities = resting.price, on.spec.capabilities
    await _sends_nothing(on, lambda client: client.cancel_order(foreign, name))
    await _sends_nothing(on, lambda client: client.fetch_order(foreign, name))
    await _sends_nothing(on, lambda client: client.amend_order(resting, foreign, price=price, size=resting.size))
    if Capability.CANCEL_ALL in capabilities:
        await _sends_nothing(on, lambda client: client.cancel_all_orders(foreign))
    await _sends_nothing(on, lambda client: client.set_leverage(foreign, 3))


@pytest.mark.needs(Capability.AMEND)
@pytest.mark.parametrize("size", [0.02, Decimal(0), Decimal(-1), Decimal("0.0100000001"), Decimal("NaN")])
async def test_an_amendment_that_makes_no_sense_is_not_sent(on: Stage, size: Decimal) -> None:
    bitcoin = await on.client.instrument("BTC")
    resting = await on.trade(price=await on.resting_price(bitcoin, Side.BUY), time_in_force=TimeInForce.GTC)
    price = _further(resting)
    await _sends_nothing(on, lambda client: client.amend_order(resting, bitcoin, price=price, size=size))
    await _sends_nothing(on, lambda client: client.amend_order(resting, bitcoin, price=-price, size=resting.size))


@pytest.mark.needs(Capability.SET_LEVERAGE)
@pytest.mark.parametrize("leverage", [0, -3, 2.5, Decimal(3), "3", True])
async def test_a_leverage_that_makes_no_sense_is_not_sent(on: Stage, leverage: int) -> None:
    bitcoin = await on.client.instrument("BTC")
    await _sends_nothing(on, lambda client: client.set_leverage(bitcoin, leverage))
