"""Rates over HTTP: exact, explained, and unknown where they are unknown."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

from exchange_clients.domain.funding import FundingKind
from exchange_clients.engine.transport import HttpRequest
from tests.service.world import Row, running

VENUES = {
    "alpha": [
        Row("BTC", "0.0000125", 1, mark=90_000.0),
        Row("kPEPE", "0.00007198536", 8, mark=0.007),
        Row("2Z", "0", 1),
        Row("1INCH", None, 1),
        Row("0G", "0.0001", None),
        Row("PERP", "-0.000281547988", 8),
    ],
    "beta": [
        Row("BTC", "-0.000030084721", 8, mark=90_010.0, kind=FundingKind.ACCRUING, next_payment=None),
        Row("PEPE", "0.0000125", 1, mark=0.00000701),
    ],
}


async def test_each_rate_is_served_exactly_with_what_it_means(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        reply = await world.http.request(HttpRequest("GET", f"{world.base_url}/api/v1/funding-rates?include_metadata=true"))
        body = json.loads(reply.body, parse_float=Decimal, parse_int=Decimal)
        assert body["data"]["BTC"] == {"alpha": Decimal("0.0001"), "beta": Decimal("-0.000030084721")}
        assert body["data"]["PERP"] == {"alpha": Decimal("-0.000281547988")}
        beta = body["details"]["BTC"]["beta"]
        assert beta["rate_hourly"] == Decimal("-0.000030084721") / 8
        assert (beta["raw_rate"], beta["raw_unit"]) == ("-0.000030084721", "fraction per 8 h")
        assert (beta["kind"], beta["interval_hours"], beta["next_funding_time"]) == ("accruing", 8, None)
        assert (beta["provenance"], beta["stale"], beta["age_ms"]) == ("sandbox", False, 0)
        assert body["details"]["BTC"]["alpha"]["annual_percent"] == Decimal("10.95")
        assert body["count"] == 6
        assert body["dex_metadata"]["alpha"]["rates_count"] == 6


async def test_names_are_looked_up_and_never_dissected(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        body = await world.ok("/funding-rates")
        assert sorted(body["data"]) == ["0G", "1INCH", "2Z", "BTC", "PEPE", "PERP"]
        assert sorted(body["data"]["PEPE"]) == ["alpha", "beta"]
        for name in ("kPEPE", "KPEPE", "pepe", "1000PEPE", "1000pepe"):
            one = await world.ok(f"/funding-rates/ALPHA/{name}")
            assert (one["symbol"], one["venue_symbol"]) == ("PEPE", "kPEPE"), name
        assert (await world.ok("/funding-rates?symbol=kpepe&dex=Beta"))["data"] == {"PEPE": {"beta": 0.0001}}


async def test_a_true_zero_is_zero_and_unknown_is_null_with_a_reason(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        body = await world.ok("/funding-rates/alpha")
        zero, none, unread = (body["rates"][name] for name in ("2Z", "1INCH", "0G"))
        assert (zero["funding_rate"], zero["annualized_rate"], zero["rate_hourly"]) == (0.0, 0.0, 0.0)
        assert zero["unknown_because"] == ""
        assert (none["funding_rate"], none["raw_rate"], none["unknown_because"]) == (None, None, "the venue sent no rate")
        assert (unread["funding_rate"], unread["raw_rate"]) == (None, "0.0001")
        assert unread["unknown_because"] == "the venue sent no interval"
        one = await world.ok("/funding-rates/alpha/0g")
        assert (one["interval_hours"], one["kind"], one["open_interest_usd"]) == (None, None, 10_000_000.0)


async def test_annualising_uses_the_rate_s_own_interval(database_url: str) -> None:
    rows = {"alpha": [Row("A", "0.0001", 1), Row("B", "0.0001", 4), Row("C", "0.0001", 8)]}
    async with running(database_url, rows) as world:
        rates = (await world.ok("/funding-rates/alpha"))["rates"]
        assert [rates[name]["annualized_rate"] for name in "ABC"] == [0.876, 0.219, 0.1095]
        assert [rates[name]["interval_hours"] for name in "ABC"] == [1, 4, 8]


async def test_all_times_are_utc_with_z(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        one = await world.ok("/funding-rates/alpha/BTC")
        assert one["timestamp"] == "2026-01-02T12:00:00Z"
        assert one["next_funding_time"] == "2026-01-02T16:00:00Z"


async def test_a_comparison_has_a_direction_and_counts_costs_once(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        body = await world.ok("/funding-rates/compare?symbol=btc&dex1=alpha&dex2=BETA")
        assert (body["long_recommendation"], body["short_recommendation"]) == ("beta", "alpha")
        assert body["divergence"] == 0.000130084721
        assert body["divergence_bps"] == 1.30084721
        assert body["estimated_net_profit_8h"] < body["divergence"] - 2 * (0.0004 + 0.0004)
        assert body["dex1"]["funding_rate"] == 0.0001
        unknown = await world.ok("/funding-rates/compare?symbol=1INCH&dex1=alpha&dex2=alpha")
        assert unknown["divergence"] is None and "no rate" in unknown["note"]


async def test_unknown_names_are_404_with_the_known_ones(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        status, body = await world.get("/funding-rates/omega")
        assert (status, body["allowed"]) == (404, ["alpha", "beta"])
        status, body = await world.get("/funding-rates/alpha/BTCC")
        assert status == 404 and "BTC" in body["allowed"] and "did you mean" in body["detail"]
        status, body = await world.get("/funding-rates/beta/PERP")
        assert status == 404 and "on beta" in body["detail"]
        assert (await world.get("/funding-rates/compare?symbol=BTC&dex1=alpha"))[0] == 400
        assert (await world.get("/dexes/omega"))[0] == 404
        assert (await world.get("/health/dex/omega"))[0] == 404


async def test_the_table_ages_and_says_so(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        for adapter in world.adapters.values():
            adapter.hangs = True
        world.clock.advance(timedelta(seconds=301))
        detail = (await world.ok("/funding-rates"))["details"]["BTC"]["alpha"]
        assert (detail["stale"], detail["age_ms"]) == (True, 301_000)
