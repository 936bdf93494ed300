"""The strategy of the demo, on the venues' real protocols, in virtual time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from exchange_clients import registry
from exchange_clients.engine.clock import LoopClock
from exchange_clients.errors import Misconfigured
from exchange_clients.sandbox.faults import Fault, FaultKind
from exchange_clients.trading.progress import FundingReceived
from tests.support.bot_world import net
from tests.support.wire_world import WireWorld


def must_end_well(stage: WireWorld, hours: float = 2.0) -> None:
    """Flat at the venues, nothing left open, the ledger equal to the wallets to the last digit."""
    report = stage.run(hours)
    assert report.ledgers, "a pair was opened and closed"
    assert stage.positions() == {} and not report.open_pairs
    assert report.adds_up, [ledger.differences for ledger in report.ledgers]
    assert stage.earned() == net(report)


@pytest.mark.parametrize("seed", range(6))
def test_a_round(tmp_path: Path, seed: int) -> None:
    must_end_well(WireWorld(seed, tmp_path / "journal.sqlite3"))


class Skewed(WireWorld):
    """The machine's clock is `skew_s` ahead of the venues'."""

    skew_s = 0

    def client_clock(self, clock: LoopClock) -> LoopClock:
        return LoopClock(clock.now_ms() + self.skew_s * 1000)


@pytest.mark.parametrize("skew_s", [-4, 4])
def test_a_clock_that_is_nearly_right_trades(tmp_path: Path, skew_s: int) -> None:
    stage = Skewed(3, tmp_path / "journal.sqlite3")
    stage.skew_s = skew_s
    must_end_well(stage)


@pytest.mark.parametrize("venue", registry.names())
@pytest.mark.parametrize(("skew_s", "said"), [(-20, "20 s behind"), (20, "19 s ahead of")])
def test_a_clock_that_is_off_is_refused_before_anything_is_sent(tmp_path: Path, venue: str, skew_s: int, said: str) -> None:
    others = [name for name in registry.names() if name != venue]
    stage = Skewed(3, tmp_path / "journal.sqlite3", venues=(venue, *others))
    stage.skew_s = skew_s
    with pytest.raises(Misconfigured, match=f"{venue} clock: this machine's clock is about {said} the venue's"):
        stage.run()
    assert stage.positions() == {} and stage.venue_log() == []


def test_a_week_within_seconds(tmp_path: Path, long_run: bool) -> None:
    """Three days of it in the short run."""
    days = 7 if long_run else 3
    stage = WireWorld(7, tmp_path / "journal.sqlite3", hold_hours=24 * days - 3, turn_s=120)
    started = time.process_time()
    must_end_well(stage, hours=24 * days)
    assert time.process_time() - started < 60 * days / 7 + 20
    payments = [told for told in stage.told if isinstance(told, FundingReceived)]
    assert len(payments) > 21 * days


def test_the_same_seed_twice(tmp_path: Path) -> None:
    logs = []
    for attempt in ("first", "second"):
        stage = WireWorld(3, tmp_path / attempt, hold_hours=5, turn_s=10)
        stage.run(hours=10)
        logs.append((stage.told, stage.venue_log()))
    assert len(logs[0][0]) > 10 and len(logs[0][1]) > 4
    assert logs[0] == logs[1]


def test_another_seed_is_another_story(tmp_path: Path) -> None:
    logs = []
    for seed in (1, 2):
        stage = WireWorld(seed, tmp_path / str(seed))
        stage.run()
        logs.append(stage.venue_log())
    assert logs[0] != logs[1]


@pytest.mark.parametrize("kind", list(FaultKind))
def test_any_single_fault(tmp_path: Path, kind: FaultKind, long_run: bool) -> None:
    """Each kind at each venue, at the first and later occurrences: hedged or flat, and the ledger right."""
    struck = 0
    for venue in registry.names():
        for nth in range(1, 9) if long_run else (1, 2, 3):
            stage = WireWorld(11, tmp_path / f"{venue}-{nth}.sqlite3", faults=(Fault(kind, venue, nth),))
            try:
                must_end_well(stage)
            except AssertionError as failure:
                raise AssertionError(f"{kind} at {venue}, occurrence {nth}") from failure
            struck += bool(stage.plan.fired)
    assert struck >= 4, "faults that never strike prove nothing"
