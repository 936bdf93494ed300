"""The ranking over HTTP: what is paired, what it costs, how it is filtered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exchange_clients.domain.funding import FundingKind
from exchange_clients.domain.provenance import Provenance
from funding_rate_service.collection.collector import pair
from funding_rate_service.database.rate_store import RateWriter
from tests.service.world import NOON, HandClock, Row, RowsAdapter, running, spec

VENUES = {
    "alpha": [
        Row("BTC", "0.0001", 1, mark=90_000.0, oi=30_000_000.0),
        Row("ETH", "0.0008", 8, mark=3_000.0),
        Row("kPEPE", "0.0002", 1, mark=0.007),
        Row("SOL", "0.0001", 8, mark=130.0),
    ],
    "beta": [
        Row("BTC", "-0.0000125", 1, mark=90_090.0, kind=FundingKind.ACCRUING, next_payment=None),
        Row("ETH", "0.0001", 8, mark=3_000.0),
        Row("PEPE", "0.0000125", 1, mark=0.00000701),
    ],
    "gamma": [
        Row("BTC", "0.0000125", 1, mark=90_000.0, volume=1_000_000.0),
        Row("SOL", "0.005", 8, mark=130.0, spread_bps=None),
    ],
}


async def test_the_ranking_is_long_low_short_high_with_costs_counted_once(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        body = await world.ok("/opportunities?symbol=BTC&limit=1")
        best = body["opportunities"][0]
        assert (best["long_dex"], best["short_dex"]) == ("beta", "alpha")
        assert (best["long_rate"], best["short_rate"], best["divergence"]) == (-0.0001, 0.0008, 0.0009)
        assert best["carry_hourly"] == 0.0001125
        assert best["estimated_fees"] == 0.0016
        assert best["cost_entry"] == best["cost_exit"] == pytest.approx(0.0008 + 0.0002 + best["slippage"])
        net = 0.0001125 * 168 - 2 * best["cost_entry"]
        assert best["net_profit_percent"] == pytest.approx(net)
        assert best["expected_net_percent"] == pytest.approx(100 * net)
        assert best["annualized_apy"] == pytest.approx(net * 8760 / 168)
        assert best["net_apr_percent"] == pytest.approx(100 * net * 8760 / 168)
        assert best["breakeven_hours"] == pytest.approx(2 * best["cost_entry"] / 0.0001125)
        assert best["price_gap"] == pytest.approx(-90 / 90_045)
        assert best["capacity_usd"] == 100_000.0
        assert (best["oi_ratio"], best["oi_imbalance"]) == (pytest.approx(1 / 3), "short_heavy")
        assert best["avg_spread_bps"] == pytest.approx(2.0)
        assert best["next_payments"]["short"] == {
            "dex": "alpha", "at": "2026-01-02T16:00:00Z", "in_ms": 4 * 3_600_000, "kind": "predicted",
        }  # fmt: skip
        assert best["next_payments"]["long"] == {"dex": "beta", "at": None, "in_ms": None, "kind": "accruing"}
        assert (best["long_leg"]["raw_rate"], best["short_leg"]["interval_hours"]) == ("-0.0000125", 1)
        assert best["discovered_at"] == "2026-01-02T12:00:00Z"


async def test_a_thousand_unit_market_pairs_with_the_plain_one(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        (pepe,) = (await world.ok("/opportunities/symbol/kPEPE"))["opportunities"]
        assert (pepe["symbol"], pepe["long_dex"], pepe["short_dex"]) == ("PEPE", "beta", "alpha")
        assert pepe["price_gap"] == pytest.approx((7.0 - 7.01) / 7.005)
        assert pepe["short_leg"]["mark_price"] == pytest.approx(0.000007)


async def test_the_short_history_is_admitted(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        best = (await world.ok("/opportunities/best"))["opportunity"]
        assert (best["half_life_hours"], best["net_low"], best["net_high"]) == (None, None, None)
        assert best["history_note"] == "0 consecutive hours are known, 48 are needed"


async def test_the_past_gives_a_half_life_and_a_band_also_after_a_restart(database_url: str) -> None:
    rows = {"alpha": [Row("BTC", "0.0001", 1)], "beta": [Row("BTC", "0.00001", 1)]}
    clock = HandClock()
    async with running(database_url, rows, clock=clock) as world:
        writer, level = RateWriter(world.service.database), 0.0
        for hour in range(60):
            clock.advance(timedelta(hours=1))
            level = 0.8 * level + (1 if hour * 7919 % 13 > 6 else -1) * 0.00001
            for name, rate in (("alpha", f"{0.0001 + level:.9f}"), ("beta", "0.00001")):
                adapter = RowsAdapter(name, clock, [Row("BTC", rate, 1)])
                await writer.write(name, pair(await adapter.current_rates(), await adapter.market_stats()))
    async with running(database_url, rows, clock=clock) as world:
        (best,) = (await world.ok("/opportunities"))["opportunities"]
        assert best["history_hours"] >= 60 and best["history_note"] == ""
        assert 0 < best["half_life_hours"] < 24
        assert best["net_low"] < best["net_high"] < 3.0
        assert (await world.ok("/health/database"))["statistics"]["rates_last_24h"] >= 48


async def test_maker_costs_are_the_maker_fees_alone(database_url: str) -> None:
    async with running(database_url, VENUES, specs={"alpha": spec("alpha", maker="-0.0001")}) as world:
        best = (await world.ok("/opportunities?symbol=ETH&fee_role=maker"))["opportunities"][0]
        assert best["cost_entry"] == pytest.approx(0.0)
        assert best["slippage"] == 0.0
        bigger = (await world.ok("/opportunities?symbol=BTC&size_usd=100000"))["opportunities"][0]
        small = (await world.ok("/opportunities?symbol=BTC&size_usd=100"))["opportunities"][0]
        assert bigger["slippage"] > small["slippage"] > 0


async def test_fees_come_from_the_venues_table_and_nowhere_else(database_url: str) -> None:
    async with running(database_url, VENUES, specs={"alpha": spec("alpha", taker="0.0011")}) as world:
        assert (await world.ok("/dexes/alpha"))["fee_structure"]["taker_fee_percent"] == 0.0011
        best = (await world.ok("/opportunities?symbol=BTC&dex_pair=alpha,beta"))["opportunities"][0]
        assert best["estimated_fees"] == pytest.approx(2 * (0.0011 + 0.0004))


async def test_missing_quotes_are_said_not_guessed(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        (sol,) = (await world.ok("/opportunities?symbol=SOL"))["opportunities"]
        assert (sol["slippage"], sol["short_dex_spread_bps"], sol["avg_spread_bps"]) == (None, None, None)
        assert sol["confidence"] == "low"
        assert any("gamma: no quotes" in text for text in sol["cost_assumptions"])
        assert (await world.ok("/opportunities?symbol=SOL&max_spread=50"))["total_count"] == 0


async def test_total_count_is_counted_before_the_page(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        everything = await world.ok("/opportunities?min_profit=-1&min_divergence=0&limit=100")
        assert everything["total_count"] == len(everything["opportunities"]) == 6
        page = await world.ok("/opportunities?min_profit=-1&min_divergence=0&limit=2&offset=2")
        assert page["total_count"] == 6
        assert page["opportunities"] == everything["opportunities"][2:4]


FILTERS: list[tuple[str, set[str]]] = [
    ("symbol=BTC", {"beta>alpha", "gamma>alpha", "beta>gamma"}),
    ("symbol=BTC&dex=gamma", {"gamma>alpha", "beta>gamma"}),
    ("symbol=BTC&required_dex=Gamma", {"gamma>alpha", "beta>gamma"}),
    ("symbol=BTC&dex_pair=BETA,gamma", {"beta>gamma"}),
    ("symbol=BTC&dexes=beta", {"beta>alpha", "beta>gamma"}),
    ("symbol=BTC&whitelist_dexes=alpha,gamma", {"gamma>alpha"}),
    ("symbol=BTC&exclude_dexes=gamma", {"beta>alpha"}),
    ("symbol=BTC&min_volume=2000000", {"beta>alpha"}),
    ("symbol=BTC&max_volume=2000000", {"gamma>alpha", "beta>gamma"}),
    ("symbol=BTC&oi_ratio_min=0.5", {"beta>gamma"}),
    ("symbol=BTC&required_dex=alpha&max_oi=20000000", set()),
    ("symbol=BTC&required_dex=gamma&max_oi=20000000", {"gamma>alpha", "beta>gamma"}),
    ("symbol=BTC&min_divergence=0.0005", {"beta>alpha", "gamma>alpha"}),
    ("symbol=BTC&min_divergence=0.0009", {"beta>alpha"}),
    ("symbol=BTC&max_breakeven_hours=20", {"beta>alpha"}),
]


async def test_filters(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        for query, pairs in FILTERS:
            body = await world.ok(f"/opportunities?min_profit=-1&limit=100&{query}")
            assert {f"{o['long_dex']}>{o['short_dex']}" for o in body["opportunities"]} == pairs, query


async def test_every_order_is_an_order_with_unknown_last(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        spec_ = await world.ok("/openapi.json")
        fields = spec_["components"]["schemas"]["SortField"]["enum"]
        assert len(fields) == 17
        for name in fields:
            for descending in (True, False):
                body = await world.ok(f"/opportunities?min_profit=-1&limit=100&sort_by={name}&sort_desc={descending}")
                values = [o[name] for o in body["opportunities"]]
                known = [value for value in values if value is not None]
                assert values[len(known) :] == [None] * (len(values) - len(known))
                assert known == sorted(known, reverse=descending), name


WRONG = (
    "dex_pair=alpha",
    "dex_pair=alpha,omega",
    "dex_pair=alpha,alpha",
    "dex_pair=",
    "sort_by=profit",
    "dexes=omega",
    "fee_role=both",
    "limit=0",
    "limit=101",
    "limit=x",
    "horizon_hours=0",
    "min_profit=nan",
    "offset=-1",
    "size_usd=-5",
    "max_age_ms=soon",
)


async def test_a_bad_parameter_is_400_and_says_what_is_allowed(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        for query in WRONG:
            status, body = await world.get(f"/opportunities?{query}")
            assert status == 400, (query, body)
            assert query.split("=")[0] in body["detail"]
            if query.startswith(("sort_by", "fee_role", "dex")):
                assert body["allowed"], query


async def test_unknown_dex_and_symbol_are_404(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        for query in ("dex=omega", "required_dex=omega", "symbol=NOPE"):
            status, body = await world.get(f"/opportunities?{query}")
            assert status == 404 and body["allowed"], query


async def test_stale_rates_are_not_ranked_unless_asked_and_then_flagged(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        world.adapters["beta"].hangs = True
        world.clock.advance(timedelta(seconds=301))
        await world.collected()
        fresh = await world.ok("/opportunities?min_profit=-1&limit=100&symbol=BTC")
        assert {o["long_dex"] for o in fresh["opportunities"]} == {"gamma"}
        assert fresh["excluded"]["stale"] == 2
        asked = await world.ok("/opportunities?min_profit=-1&limit=100&symbol=BTC&max_age_ms=400000")
        flagged = {o["long_dex"]: (o["stale"], o["stale_because"]) for o in asked["opportunities"] if o["short_dex"] == "alpha"}
        assert flagged == {"beta": (True, "beta was last observed 301 s ago"), "gamma": (False, "")}


async def test_finished_replies_expire_when_something_in_them_turns_stale(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        assert (await world.ok("/opportunities"))["total_count"] > 0
        for adapter in world.adapters.values():
            adapter.hangs = True
        world.clock.advance(timedelta(seconds=301))
        body = await world.ok("/opportunities")
        assert (body["total_count"], body["opportunities"]) == (0, [])
        best = await world.ok("/opportunities/best")
        assert (best["opportunity"], best["rank"]) == (None, None)


async def test_what_can_t_be_the_same_thing_is_not_paired(database_url: str) -> None:
    rows = {
        "alpha": [Row("BTC", "0.001", mark=100.0), Row("A", "0.001", mark=1.0), Row("B", "0.001", mark=None), Row("C", None)],
        "beta": [
            Row("BTC", "0.0", mark=100.0, provenance=Provenance.LIVE),
            Row("A", "0.0", mark=1.03),
            Row("B", "0.0", mark=1.0),
            Row("C", "0.0"),
        ],
    }
    async with running(database_url, rows) as world:
        body = await world.ok("/opportunities?min_profit=-1")
        assert body["total_count"] == 0
        assert body["excluded"] == {
            "unknown_rate": 1, "stale": 0, "mixed_provenance": 1, "unknown_price": 1, "price_disagrees": 1,
        }  # fmt: skip
    async with running(database_url, rows, price_band=0.05) as world:
        assert [o["symbol"] for o in (await world.ok("/opportunities?min_profit=-1"))["opportunities"]] == ["A"]


async def test_default_replies_are_the_same_from_bytes_and_from_the_routes(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        assert world.service.board.encoded.keys() == {"/api/v1/opportunities", "/api/v1/funding-rates"}
        assert await world.ok("/opportunities") == await world.ok("/opportunities?limit=10")
        assert await world.ok("/funding-rates") == await world.ok("/funding-rates?include_metadata=false")


async def test_the_typed_client_reads_what_the_service_says(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        assert await world.client.ready()
        best = (await world.client.opportunities(symbol="BTC", size_usd=500, sort_desc=True))[0]
        assert (best.long_dex, best.short_dex, str(best.short_rate)) == ("beta", "alpha", "0.0008")
        assert best.next_payments.short.at is not None and best.next_payments.short.at > NOON
        assert str((await world.client.rates(dex="beta"))["BTC"]["beta"].rate_hourly) == "-0.0000125"
        assert {venue.dex_name for venue in (await world.client.health()).dex_health} == {"alpha", "beta", "gamma"}
