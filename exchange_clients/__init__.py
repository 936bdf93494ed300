"""Async clients for perpetual-futures DEXes: one engine, many dialects.

Start at `Network` (real venues), `Sandbox` (simulated ones, no keys, no network), `base` (what every client can do) and `errors`
(what can go wrong). Importing this package opens nothing, reads nothing and changes no process-wide state; a name is loaded when
it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exchange_clients.base import BaseExchangeClient, BaseFundingAdapter, Capability, MarketClient
    from exchange_clients.domain.credentials import Credentials
    from exchange_clients.domain.instruments import Instrument
    from exchange_clients.domain.orders import Order, OrderRequest, OrderStatus, TimeInForce
    from exchange_clients.domain.provenance import Environment, Provenance
    from exchange_clients.domain.side import Side
    from exchange_clients.errors import ExchangeError
    from exchange_clients.network import Network
    from exchange_clients.sandbox.sandbox import Sandbox

_HOMES = {
    "BaseExchangeClient": "base",
    "BaseFundingAdapter": "base",
    "Capability": "base",
    "Credentials": "domain.credentials",
    "Environment": "domain.provenance",
    "ExchangeError": "errors",
    "Instrument": "domain.instruments",
    "MarketClient": "base",
    "Network": "network",
    "Order": "domain.orders",
    "OrderRequest": "domain.orders",
    "OrderStatus": "domain.orders",
    "Provenance": "domain.provenance",
    "Sandbox": "sandbox.sandbox",
    "Side": "domain.side",
    "TimeInForce": "domain.orders",
}

__all__ = [
    "BaseExchangeClient",
    "BaseFundingAdapter",
    "Capability",
    "Credentials",
    "Environment",
    "ExchangeError",
    "Instrument",
    "MarketClient",
    "Network",
    "Order",
    "OrderRequest",
    "OrderStatus",
    "Provenance",
    "Sandbox",
    "Side",
    "TimeInForce",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
