"""The strategy over simulated time: funding is earned and booked, and the same seed tells the same story."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from exchange_clients.trading.progress import FundingReceived, Progress
from tests.support.bot_world import HOUR_MS, BotWorld, net
from tests.support.direct_client import Misfortune


def slow_world(seed: int, path: Path, hold_hours: int, turn_s: float) -> BotWorld:
    """Books every `turn_s` seconds, and a bot that looks up five times between two, so that days pass quickly."""
    stage = BotWorld(
        seed, path, turn_s=turn_s, tick_ms=round(turn_s * 200), misfortune=Misfortune(lost_reply=0.2, duplicate=0.2)
    )
    execution = replace(stage.settings.execution, stale_after_ms=round(3000 * turn_s), account_check_ms=HOUR_MS)
    exits = replace(stage.settings.exit, hold_ms_max=hold_hours * HOUR_MS)
    stage.settings = replace(stage.settings, exit=exits, execution=execution)
    return stage


def test_a_day(tmp_path: Path) -> None:
    stage = slow_world(11, tmp_path / "journal.sqlite3", hold_hours=22, turn_s=30)
    report = stage.run(hours=24)
    paid = [told for told in stage.told if isinstance(told, FundingReceived)]
    assert len({told.payment.payment_id for told in paid if told.payment.venue == "east"}) >= 22
    assert report.ledgers[0].statement.funding == sum(told.payment.amount for told in paid)
    assert stage.positions() == {}
    assert report.adds_up
    assert stage.earned() == net(report)


def test_the_same_seed_twice(tmp_path: Path) -> None:
    stories: list[list[Progress]] = []
    for attempt in ("first", "second"):
        stage = slow_world(5, tmp_path / attempt, hold_hours=3, turn_s=10)
        stage.run(hours=6)
        stories.append(stage.told)
    assert len(stories[0]) > 10
    assert stories[0] == stories[1]
