"""What a venue is, as data: everything that the rest of the system needs to know without importing the venue's code."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from exchange_clients.base import BaseExchangeClient, BaseFundingAdapter, Capability
from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import Misconfigured

__all__ = ["AdapterClass", "ClientClass", "Urls", "VenueSpec"]


class Urls(msgspec.Struct, frozen=True):
    """Base addresses of one installation, without trailing slash. `others`: REST hosts beside the first, by `Endpoint.host`."""

    rest: str
    websocket: str
    others: Mapping[str, str] = {}


class ClientClass(Protocol):
    """A venue's subclass of BaseExchangeClient."""

    venue: str
    capabilities: frozenset[Capability]

    def __call__(self, wiring: Wiring) -> BaseExchangeClient: ...


class AdapterClass(Protocol):
    """A venue's subclass of BaseFundingAdapter."""

    venue: str

    def __call__(self, wiring: Wiring) -> BaseFundingAdapter: ...


class VenueSpec(msgspec.Struct, frozen=True):
    """One venue.

    `urls`: per environment (the sandbox's are given at run time). `rest_path`, `websocket_path`: what the venue's addresses
    end in, so that a sandbox on another host serves the same paths. `fees`: the default tier, fractions of notional.
    `client`, `adapter`, `sandbox`: `module:Class`, imported when asked for, so that a venue's libraries load with its first use.
    `credential_fields_optional`: those that only some accounts need.
    `symbol_format`: the venue's spelling, with `{base}`. `extra`: the pip extra that its libraries come with.
    """

    name: str
    display_name: str
    urls: Mapping[Environment, Urls]
    rest_path: str
    websocket_path: str
    credential_fields: tuple[str, ...]
    fees: FeeRates
    funding_interval_hours: Decimal
    symbol_format: str
    rate_limit_per_minute: int
    capabilities: frozenset[Capability]
    client: str
    adapter: str
    sandbox: str
    extra: str = ""
    credential_fields_optional: tuple[str, ...] = ()

    def urls_of(self, environment: Environment) -> Urls:
        """The venue's own addresses. Raises Misconfigured where it has no such installation."""
        urls = self.urls.get(environment)
        if urls is None:
            known = ", ".join(found.value for found in self.urls)
            raise Misconfigured(self.name, "addresses", f"there is no {environment.value} installation; there is {known}")
        return urls

    def urls_at(self, root: str) -> Urls:
        """The addresses of this venue served somewhere else, at `root` (such as `http://127.0.0.1:4001`), under its own paths."""
        root = root.rstrip("/")
        scheme, _, authority = root.partition("://")
        sockets = f"{'ws' if scheme == 'http' else 'wss'}://{authority}"
        named = {name: url for urls in self.urls.values() for name, url in urls.others.items()}
        others = {name: f"{root}{urlsplit(url).path}" for name, url in named.items()}
        return Urls(f"{root}{self.rest_path}", f"{sockets}{self.websocket_path}", others)

    def client_class(self) -> ClientClass:
        """The venue's BaseExchangeClient subclass; construct it with an `engine.wiring.Wiring`."""
        found: ClientClass = _load(self.client)
        return found

    def adapter_class(self) -> AdapterClass:
        """The venue's BaseFundingAdapter subclass; construct it with an `engine.wiring.Wiring`."""
        found: AdapterClass = _load(self.adapter)
        return found

    def sandbox_class(self) -> Any:
        """The venue's sandbox façade; construct it with a `sandbox.exchange.SandboxExchange`."""
        return _load(self.sandbox)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
