"""What the bot asks the funding service."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from exchange_clients.engine.transport import HttpRequest, HttpResponse
from funding_rate_service.client import FundingServiceClient
from runbot import RankedByService


class Answering:
    """A service that says one thing to every question; `asked`: the questions."""

    def __init__(self, status: int, body: bytes) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self._reply = HttpResponse(status, body)

    async def request(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(parse_qs(urlsplit(request.url).query))
        return self._reply

    async def close(self) -> None:
        return


def source(http: Answering) -> RankedByService:
    return RankedByService(FundingServiceClient("http://service", http), 72.0, Decimal(1000))


async def test_the_ranking_is_asked_for_without_a_floor() -> None:
    http = Answering(200, b'{"opportunities": []}')
    assert await source(http).opportunities() == ()
    assert http.asked[0]["min_divergence"] == ["0"]


async def test_a_held_pair_is_asked_for_by_name_without_a_floor() -> None:
    http = Answering(200, b'{"opportunities": []}')
    assert await source(http).of_pair("ETH", ("east", "north")) is None
    assert (http.asked[0]["symbol"], http.asked[0]["dex_pair"]) == (["ETH"], ["east,north"])
    assert (http.asked[0]["min_divergence"], http.asked[0]["min_profit"]) == (["0"], ["-1000"])


async def test_a_symbol_that_the_service_has_dropped_is_unknown_and_hides_nothing_else() -> None:
    assert await source(Answering(404, b'{"detail": "no such symbol"}')).of_pair("ETH", ("east", "north")) is None
