"""What a venue is, as data: everything that the rest of the system needs to know without importing the venue's code."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import Any

import msgspec

from exchange_clients.base import Capability
from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.provenance import Environment


class Urls(msgspec.Struct, frozen=True):
    """Base addresses of one installation, without trailing slash."""

    rest: str
    websocket: str


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

    def client_class(self) -> Any:
        """The venue's BaseExchangeClient subclass; construct it with an `engine.wiring.Wiring`."""
        return _load(self.client)

    def adapter_class(self) -> Any:
        """The venue's BaseFundingAdapter subclass; construct it with an `engine.wiring.Wiring`."""
        return _load(self.adapter)

    def sandbox_class(self) -> Any:
        """The venue's sandbox façade; construct it with a `sandbox.exchange.SandboxExchange`."""
        return _load(self.sandbox)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
