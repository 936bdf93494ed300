"""A venue that has changed: a façade whose replies and frames gain, lose or retype a field, or whose frames get lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.sandbox.facade import Facade, FacadeSocket, Peer

Change = Callable[[dict[str, Any], str], None]


def add(members: dict[str, Any], name: str) -> None:
    members[name] = {"inner": 1}


def remove(members: dict[str, Any], name: str) -> None:
    members.pop(name, None)


def as_number(members: dict[str, Any], name: str) -> None:
    if isinstance(members.get(name), str):
        members[name] = float(members[name])


def as_object(members: dict[str, Any], name: str) -> None:
    if name in members:
        members[name] = {"value": members[name]}


class Drifting(Facade):
    """`path`: which member of which objects, as the probe spells it (`.results[].symbol`); `change`: what becomes of it.

    `lose_every`: each so many-th book frame of a socket is lost. `behind_s`: seconds by which its `Date` header is late.
    """

    def __init__(self, inner: Facade, path: str = "", change: Change = remove, lose_every: int = 0, date: str = "") -> None:
        self.inner = inner
        self.venue = inner.venue  # type: ignore[misc]
        self.book_marker = inner.book_marker  # type: ignore[misc]
        self.orders = 0
        self._path = re.findall(r"\.(\w+)|\[(\d*)\]", path)
        self._change = change
        self._lose_every = lose_every
        self._date = date

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        self.orders += self.inner.places_order(request)
        response = self.inner.handle(request, address)
        headers = {**response.headers, **({"date": self._date} if self._date else {})}
        return HttpResponse(response.status, self.changed(response.body), headers)

    def connect(self, opening: HttpRequest, peer: Peer) -> FacadeSocket:
        return self.inner.connect(opening, _DriftingPeer(self, peer, self._lose_every))

    def places_order(self, request: HttpRequest) -> bool:
        return self.inner.places_order(request)

    def enrol(self, name: str, balance: str) -> dict[str, str]:
        return self.inner.enrol(name, balance)

    def changed(self, content: bytes) -> bytes:
        """The same JSON with the change in it, where it has such a place."""
        if not self._path or content[:1] not in (b"{", b"["):
            return content
        value = msgspec.json.decode(content)
        self._apply(value, self._path)
        return msgspec.json.encode(value)

    def _apply(self, value: Any, path: list[tuple[str, str]]) -> None:
        (name, index), rest = path[0], path[1:]
        if name and isinstance(value, dict):
            if not rest:
                self._change(value, name)
            elif name in value:
                self._apply(value[name], rest)
        elif not name and isinstance(value, list) and rest:
            for inner in value if not index else value[int(index) : int(index) + 1]:
                self._apply(inner, rest)


class _DriftingPeer:
    def __init__(self, venue: Drifting, peer: Peer, lose_every: int) -> None:
        self._venue = venue
        self._peer = peer
        self._lose_every = lose_every
        self._books = 0

    def send(self, frame: bytes) -> None:
        if self._lose_every and self._venue.book_marker in frame:
            self._books += 1
            if self._books % self._lose_every == 0:
                return
        self._peer.send(self._venue.changed(frame))

    def close(self, reason: str) -> None:
        self._peer.close(reason)
