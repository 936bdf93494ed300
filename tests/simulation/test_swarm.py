"""Seeded misfortune on every call and stream: whatever happens, the bot ends hedged or flat and its ledger equals the wallets."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.bot_world import BotWorld, net
from tests.support.direct_client import Misfortune

TROUBLE = Misfortune(
    lost_reply=0.1,
    never_arrived=0.1,
    late_arrival=0.1,
    refused_connection=0.05,
    unfilled=0.15,
    failed_read=0.05,
    duplicate=0.2,
    dropped_stream=0.01,
)
PAIRS = (("east", "north"), ("west", "east"), ("north", "west"))
SINGLE = ("lost_reply", "never_arrived", "late_arrival", "refused_connection", "unfilled", "duplicate", "dropped_stream")


def stage_of(seed: int, path: Path, misfortune: Misfortune) -> BotWorld:
    """Clips larger than the touch, so that partial executions are common."""
    stage = BotWorld(seed, path, venues=PAIRS[seed % 3], misfortune=replace(misfortune, anonymous_fills=seed % 2 == 1))
    stage.symbol = "PEPE" if seed % 4 == 0 else "ETH"
    stage.limits = replace(stage.limits, pair_usd_max=Decimal(20_000), venue_exposure_usd_max=Decimal(100_000))
    execution = replace(
        stage.settings.execution, clip_usd=Decimal(4000), enter_slippage_bps=1.0, depth_factor=0.1, enter_ms_max=60_000
    )
    exits = replace(stage.settings.exit, hold_ms_max=90_000)
    stage.settings = replace(stage.settings, size_usd=Decimal(9000), exit=exits, execution=execution)
    return stage


def must_end_well(stage: BotWorld) -> None:
    report = stage.run(hours=2)
    assert stage.positions() == {}
    assert report.adds_up, [ledger.differences for ledger in report.ledgers]
    assert stage.earned() == net(report)
    assert stage.naked_usd_max < 1.6 * 4000
    assert stage.held_usd_max < 1.05 * 9000


def test_swarm(tmp_path: Path, long_run: bool) -> None:
    for seed in range(2000 if long_run else 40):
        try:
            must_end_well(stage_of(seed, tmp_path / f"{seed}.sqlite3", TROUBLE))
        except Exception as failure:
            raise AssertionError(f"seed {seed}") from failure


@pytest.mark.parametrize("kind", SINGLE)
@pytest.mark.parametrize("passes", range(5))
def test_any_single_fault(tmp_path: Path, kind: str, passes: int) -> None:
    """It strikes once per venue, at the first occasion or a later one."""
    fault = replace(Misfortune(), **{kind: 1.0}, faults_max=1, passes=passes)
    stage = stage_of(passes, tmp_path / "journal.sqlite3", fault)
    must_end_well(stage)
    assert passes > 1 or any(client.struck[kind] for client in stage.clients.values())


def test_an_order_that_arrives_after_it_was_given_up(tmp_path: Path) -> None:
    """Believed gone after half a second, it comes seconds later: the bot finds it and makes the legs even again."""
    for seed in range(6):
        stage = stage_of(seed, tmp_path / f"{seed}.sqlite3", Misfortune(late_arrival=0.4))
        stage.gone_after_ms = 500
        report = stage.run(hours=2)
        assert stage.positions() == {}, f"seed {seed}"
        assert report.adds_up, f"seed {seed}"
        assert stage.earned() == net(report), f"seed {seed}"
