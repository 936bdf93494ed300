"""Collection: one venue's trouble stays its own, messages are kept, one process leads, everything survives a restart."""

from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from exchange_clients.engine.transport import HttpRequest
from exchange_clients.errors import OutcomeUnknown
from funding_rate_service.core.market import Market
from tests.service.world import NOON, HandClock, Row, RowsAdapter, running, until

TWO = {"alpha": [Row("BTC", "0.0001", 1)], "beta": [Row("BTC", "0.0", 1)]}


async def test_a_failing_venue_stops_nobody_and_its_message_is_kept(database_url: str) -> None:
    async with running(database_url, TWO) as world:
        world.adapters["beta"].failure = OutcomeUnknown("beta", "current_rates", "status 503 twice")
        await world.collected()
        await until(lambda: world.service.board.table.dexes["beta"].consecutive_errors > 0)
        beta = await world.ok("/health/dex/beta")
        assert (beta["status"], beta["is_healthy"]) == ("degraded", False)
        assert beta["last_error"] == "beta current_rates: status 503 twice"
        assert beta["last_error_at"] == "2026-01-02T12:00:00Z"
        health = await world.ok("/health")
        assert (health["status"], health["dex_summary"]) == ("degraded", {"total": 2, "active": 2, "healthy": 1})
        world.adapters["beta"].failure = None
        await until(lambda: world.service.board.table.dexes["beta"].consecutive_errors == 0)
        beta = await world.ok("/health/dex/beta")
        assert (beta["status"], beta["last_error"]) == ("healthy", "beta current_rates: status 503 twice")


async def test_a_bug_in_an_adapter_is_one_venue_s_failure(database_url: str) -> None:
    async with running(database_url, TWO) as world:
        world.adapters["alpha"].failure = ZeroDivisionError("division by zero")
        await until(lambda: world.service.board.table.dexes["alpha"].consecutive_errors > 0)
        assert (await world.ok("/health/dex/alpha"))["last_error"] == "division by zero"
        await world.collected()


async def test_a_hanging_venue_is_cut_off(database_url: str) -> None:
    async with running(database_url, TWO, hanging=["beta"], collection_timeout_loop_s=0.3) as world:
        await until(lambda: world.service.board.table.dexes["beta"].consecutive_errors > 0)
        assert (await world.ok("/dexes/beta"))["health"]["last_error"] == "no complete answer within 0.3 s"
        assert (await world.ok("/health"))["status"] == "degraded"


async def test_an_empty_answer_is_a_failure_not_an_empty_market(database_url: str) -> None:
    async with running(database_url, TWO) as world:
        world.adapters["alpha"].rows = []
        await until(lambda: world.service.board.table.dexes["alpha"].consecutive_errors > 0)
        assert (await world.ok("/health/dex/alpha"))["last_error"] == "the venue listed no markets"
        assert (await world.ok("/funding-rates/alpha/BTC"))["funding_rate"] == 0.0008


async def test_the_latest_rates_survive_a_restart_with_their_age(database_url: str) -> None:
    async with running(database_url, TWO):
        pass
    later = HandClock(NOON + timedelta(hours=1))
    async with running(database_url, TWO, clock=later, hanging=["alpha", "beta"]) as world:
        assert not await world.client.ready()
        detail = (await world.ok("/funding-rates"))["details"]["BTC"]["alpha"]
        assert (detail["age_ms"], detail["stale"]) == (3_600_000, True)


async def test_only_one_of_two_services_collects_and_both_serve(database_url: str) -> None:
    async with running(database_url, TWO) as leader, running(database_url, {}) as follower:
        await until(lambda: len(follower.service.board.table.markets) == 2)
        assert (await leader.ok("/health"))["is_leader"] is True
        assert (await follower.ok("/health"))["is_leader"] is False


async def test_a_venue_no_longer_configured_is_inactive_and_not_served(database_url: str) -> None:
    async with running(database_url, TWO):
        pass
    async with running(database_url, {"alpha": TWO["alpha"]}) as world:
        assert [(dex["name"], dex["is_active"]) for dex in (await world.ok("/dexes"))["dexes"]] == [
            ("alpha", True), ("beta", False),
        ]  # fmt: skip
        assert (await world.ok("/funding-rates"))["data"] == {"BTC": {"alpha": 0.0008}}


async def test_months_get_their_partitions(database_url: str) -> None:
    clock = HandClock(NOON.replace(month=11, day=30))
    async with running(database_url, TWO, clock=clock) as world:
        clock.advance(timedelta(days=40))
        await world.collected()
        rows = await world.service.database.fetch_all(
            "SELECT relname FROM pg_class WHERE relname LIKE 'funding_rates_____\\___' AND relkind = 'r' ORDER BY relname"
        )
        assert [row["relname"] for row in rows] == [f"funding_rates_{m}" for m in ("2026_11", "2026_12", "2027_01", "2027_02")]


async def test_what_is_stored_is_raw_value_unit_interval_kind_and_sign(database_url: str) -> None:
    async with running(database_url, {"alpha": [Row("BTC", "0.00007198536", 8), Row("ETH", None)]}) as world:
        known, unknown = await world.service.database.fetch_all(
            "SELECT f.* FROM funding_rates f JOIN instruments i ON i.id = f.instrument_id ORDER BY i.venue_symbol LIMIT 2"
        )
        assert (known["raw_value"], known["raw_unit"]) == ("0.00007198536", "fraction per 8 h")
        assert (known["interval_seconds"], known["kind"], known["positive_means"]) == (28800, "predicted", "longs pay shorts")
        assert (known["rate"], known["rate_hourly"]) == (Decimal("0.00007198536"), Decimal("0.00000899817"))
        assert (unknown["rate"], unknown["raw_value"], unknown["unknown_because"]) == (None, None, "the venue sent no rate")


async def test_the_tape_s_rates_come_out_as_they_went_in(database_url: str, shared_dir: Path) -> None:
    with (shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv").open() as file:
        tape = list(csv.DictReader(file))
    hour = "2026-01-02T22:00:00Z"
    rows = {
        venue: [
            Row(r["venue_symbol"], r["funding_rate"] or None, int(r["funding_interval_hours"] or 0) or None)
            for r in tape
            if r["venue"] == venue and r["hour_utc"] == hour
        ]
        for venue in sorted({r["venue"] for r in tape})
    }
    async with running(database_url, rows) as world:
        reply = await world.http.request(HttpRequest("GET", f"{world.base_url}/api/v1/funding-rates"))
        served = msgspec.json.decode(reply.body, type=_Details).details
        checked = 0
        for venue, listed in rows.items():
            by_name = {detail.venue_symbol: detail for row in served.values() for at, detail in row.items() if at == venue}
            for row in listed:
                rate = by_name[row.name].rate_hourly
                expected = None if row.rate is None or row.hours is None else Decimal(row.rate) / row.hours
                assert rate == expected, (venue, row.name)
                checked += 1
        assert checked == len(world.service.board.table.markets) > 700


class _Detail(msgspec.Struct):
    venue_symbol: str
    rate_hourly: Decimal | None


class _Details(msgspec.Struct):
    details: dict[str, dict[str, _Detail]]


def test_a_market_s_age_from_another_clock_s_future_is_no_freshness() -> None:
    seen = HandClock(NOON + timedelta(days=300))
    observation = RowsAdapter("alpha", seen, []).observation(Row("BTC"))
    assert Market(observation, None).is_stale(NOON, 300_000)
