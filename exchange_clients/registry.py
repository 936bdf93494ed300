"""The venues. Adding one is adding one line; its code is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module

from exchange_clients.domain.spellings import did_you_mean
from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.errors import Misconfigured
from exchange_clients.spec import VenueSpec

__all__ = ["names", "register", "rows", "spec"]

_VENUES: dict[str, str] = {
    "hyperliquid": "exchange_clients.hyperliquid.common:SPEC",
    "paradex": "exchange_clients.paradex.common:SPEC",
    "pacifica": "exchange_clients.pacifica.common:SPEC",
}
_others: dict[str, str] = {}


def names() -> tuple[str, ...]:
    """The names of all venues, in the order of the registry."""
    return tuple(_VENUES)


def register(name: str, path: str) -> None:
    """Make a venue known that is not of this library. `spec` finds it from now on; `names`, which says what there is, does not.

    `path`: `module:attribute` of its VenueSpec. Raises Misconfigured for a name that means something else already.
    """
    if (_VENUES | _others).get(name.lower(), path) != path:
        raise Misconfigured(name, "registry", "another venue has this name")
    _others[name.lower()] = path


def spec(name: str) -> VenueSpec:
    """The venue called `name` (any case). Raises Misconfigured, with close matches and the known ones, for any other name."""
    module, _, attribute = _path(name).partition(":")
    found: VenueSpec = getattr(import_module(module), attribute)
    return found


def rows(name: str) -> tuple[tuple[Endpoint, ...], tuple[Channel, ...]]:
    """The endpoints and the channels of a venue's table, each name once."""
    table = vars(import_module(_path(name).partition(":")[0])).values()
    endpoints = {row.name: row for row in table if isinstance(row, Endpoint)}
    channels = {row.name: row for row in table if isinstance(row, Channel)}
    return tuple(endpoints.values()), tuple(channels.values())


def _path(name: str) -> str:
    path = _VENUES.get(name.lower()) or _others.get(name.lower())
    if path is None:
        raise Misconfigured(name, "registry", f"unknown venue; known are {', '.join(_VENUES)}{did_you_mean(name, _VENUES)}")
    return path
