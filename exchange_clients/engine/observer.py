"""Somebody who looks on: sees every reply and frame with the row that it belongs to, and changes nothing."""

from __future__ import annotations

from typing import Protocol

from exchange_clients.engine.endpoint import Channel, Endpoint
from exchange_clients.engine.transport import HttpResponse


class Observer(Protocol):
    """Told before anything is decoded. Must not raise and must not take long: it stands on the way of every frame."""

    def reply(self, endpoint: Endpoint, response: HttpResponse, seconds: float) -> None:
        """A reply of any status, `seconds` of the event loop after it was asked for."""

    def frame(self, channel: Channel, frame: bytes) -> None:
        """A data frame of a topic that somebody reads."""
