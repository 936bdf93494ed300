"""What is declared is implemented, and the rest says so."""

from __future__ import annotations

import pytest

from exchange_clients import registry
from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.errors import Unsupported
from tests.support.stage import Stage

VERBS = {
    Capability.AMEND: "_amend",
    Capability.CANCEL_ALL: "cancel_all_orders",
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
