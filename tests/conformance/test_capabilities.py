"""What is declared is implemented, and the rest says so."""

from __future__ import annotations

from decimal import Decimal

import pytest

from exchange_clients import registry
from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.orders import TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.errors import Unsupported
from tests.support.stage import Stage
from tests.support.wires import CountingHttp

VERBS = {
    Capability.AMEND: "_amend",
    Capability.CANCEL_ALL: "_cancel_all",
    Capability.SET_LEVERAGE: "_set_leverage",
    Capability.STREAM_BOOK: "stream_book",
    Capability.STREAM_ORDERS: "stream_orders",
    Capability.STREAM_FILLS: "stream_fills",
    Capability.STREAM_ACCOUNT: "stream_account",
}


def test_declared_is_implemented_and_the_rest_is_unsupported(venue: str) -> None:
    client_class = registry.spec(venue).client_class()
    assert client_class.capabilities == registry.spec(venue).capabilities
    for capability, verb in VERBS.items():
        overridden = getattr(client_class, verb) is not getattr(BaseExchangeClient, verb)
        assert overridden == (capability in client_class.capabilities), f"{venue}: {verb}"


async def test_using_what_is_not_declared_raises(on: Stage) -> None:
    for capability in set(Capability) - on.spec.capabilities:
        with pytest.raises(Unsupported, match=capability.value):
            on.client.require(capability)


async def test_a_verb_that_is_not_declared_says_so_and_sends_nothing(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    order = await on.trade(price=await on.resting_price(bitcoin, Side.BUY), time_in_force=TimeInForce.GTC)
    wire = CountingHttp(on.wiring.http)
    async with on.another_client(http=wire) as client:
        calls = {
            Capability.AMEND: lambda: client.amend_order(order, bitcoin, price=Decimal(1), size=order.size),
            Capability.CANCEL_ALL: client.cancel_all_orders,
            Capability.SET_LEVERAGE: lambda: client.set_leverage(bitcoin, 2),
        }
        for capability in calls.keys() - on.spec.capabilities:
            with pytest.raises(Unsupported, match=capability.value):
                await calls[capability]()
        assert not wire.sent
