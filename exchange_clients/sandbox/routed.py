"""A façade that is a table of calls and a table of feeds. What a venue adds is how it says yes, says no and knows who asks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec

from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.sandbox.events import SandboxEvent
from exchange_clients.sandbox.exchange import SandboxExchange
from exchange_clients.sandbox.meter import SpentMeter
from exchange_clients.sandbox.orders import Rejected
from exchange_clients.sandbox.routes import Ask, Routes
from exchange_clients.sandbox.streams import StreamingFacade, Topic

MALFORMED = (msgspec.MsgspecError, LookupError, ValueError, TypeError, ArithmeticError)
"""What a handler raises over a request that is not the venue's."""


class Refusal(Exception):
    """The venue says no: HTTP status, code and words."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status, self.code, self.words = status, code, words


@dataclass(frozen=True)
class Feed:
    """`on`: the event that feeds it. `topics`: who hears of an event. `row`: what they hear, made once per topic."""

    on: type[Any]
    topics: Callable[[Any], Iterable[Topic]]
    row: Callable[[Any], Any]


class RoutedFacade(StreamingFacade):
    """`routes` and `feeds` are set by the venue's constructor; `meters` are all budgets that its endpoints name.

    A request goes: route → who asks → budgets → handler → the venue's words for what came of it.
    """

    routes: Routes
    feeds: tuple[Feed, ...]
    meters: ClassVar[tuple[Meter, ...]]

    def __init__(self, exchange: SandboxExchange) -> None:
        super().__init__(exchange)
        self.spent = {meter: SpentMeter(meter, exchange.clock) for meter in self.meters}

    @abstractmethod
    def account(self, ask: Ask) -> str:
        """Who asks a private call. Raises Refusal."""

    @abstractmethod
    def accept(self, ask: Ask, reply: Any) -> HttpResponse:
        """A success as the venue words it."""

    @abstractmethod
    def refuse(self, refusal: Refusal) -> HttpResponse:
        """A refusal as the venue words it."""

    @abstractmethod
    def worded(self, no: Rejected) -> Refusal:
        """What the venue says where the exchange refuses."""

    @abstractmethod
    def frame(self, topic: Topic, row: Any) -> Any:
        """A data frame of a topic."""

    def spender(self, meter: Meter, ask: Ask, address: str) -> str:
        """Whom a budget is kept for: the account of a private call, else the address; a venue may count otherwise."""
        return ask.account or address

    def budget(self, meter: Meter, left: float) -> dict[str, str]:
        """Headers that tell what is left of the endpoint's own budget."""
        return {}

    def exhausted(self, meter: Meter) -> Refusal:
        """What is said when a budget is spent."""
        return Refusal(429, "RATE_LIMIT_EXCEEDED", "rate limit exceeded")

    def handle(self, request: HttpRequest, address: str) -> HttpResponse:
        headers: dict[str, str] = {}
        try:
            ask = self.routes.find(request)
            if ask is None:
                raise Refusal(404, "NOT_FOUND", f"no route for {request.method} {request.url}")
            if ask.endpoint.private:
                ask = replace(ask, account=self.account(ask))
            over, headers = self._spend(ask, address)
            if over is not None:
                raise self.exhausted(over)
            response = self.accept(ask, self.routes.handlers[ask.endpoint](ask))
        except Refusal as refusal:
            response = self.refuse(refusal)
        except Rejected as no:
            response = self.refuse(self.worded(no))
        except MALFORMED as error:
            response = self.refuse(Refusal(400, "VALIDATION_ERROR", str(error)))
        return HttpResponse(response.status, response.body, {**response.headers, **headers})

    def on_event(self, event: SandboxEvent) -> None:
        for feed in self.feeds:
            if isinstance(event, feed.on):
                for topic in feed.topics(event):
                    self.publish(topic, lambda: self.frame(topic, feed.row(event)))  # noqa: B023  # called at once

    def _spend(self, ask: Ask, address: str) -> tuple[Meter | None, dict[str, str]]:
        """Take from every budget of a call, or from none. Returns the budget that is spent, and the headers of the call's own."""
        endpoint, draws = ask.endpoint, []
        for meter, weight in ((endpoint.meter, endpoint.weight), *endpoint.also):
            draws.append((meter, self.spender(meter, ask, address), weight))
        spent = next((meter for meter, key, weight in draws if self.spent[meter].left(key) < weight), None)
        for meter, key, weight in () if spent else draws:
            self.spent[meter].spend(key, weight)
        own, key, _ = draws[0]
        return spent, self.budget(own, self.spent[own].left(key))
