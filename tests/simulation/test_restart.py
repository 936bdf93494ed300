"""`kill -9` at any line of the journal: the next start finds everything again and ends flat with the ledger right."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from exchange_clients.sandbox.virtual_loop import run_virtual
from exchange_clients.trading.records import Entry, Record
from helpers.journal import Journal
from tests.support.bot_world import BotWorld
from tests.support.direct_client import Misfortune
from trading_bot import Report


class Killed(Exception):
    """The process is gone."""


class DyingJournal(Journal):
    """Dies at its `last`-th record, before or after it reached the disk."""

    def __init__(self, path: Path, last: int, after_writing: bool) -> None:
        super().__init__(path)
        self._left = last
        self._after_writing = after_writing

    def append(self, record: Record, at_ms: int) -> Entry:
        self._left -= 1
        if self._left == 0:
            if self._after_writing:
                super().append(record, at_ms)
            raise Killed
        return super().append(record, at_ms)


def world(seed: int, path: Path, misfortune: Misfortune) -> BotWorld:
    made = BotWorld(seed, path, misfortune=misfortune)
    made.settings = replace(
        made.settings,
        exit=replace(made.settings.exit, hold_ms_max=30_000),
        execution=replace(made.settings.execution, account_check_ms=10_000),
    )
    return made


def killed_then_started_again(stage: BotWorld, last: int, after_writing: bool) -> tuple[bool, Report]:
    """Whether the bot lived long enough to be killed, and how the run after it ended."""

    async def main() -> tuple[bool, Report]:
        stage.build()
        turning = asyncio.create_task(stage.turn())
        killed = False
        with DyingJournal(stage.journal, last, after_writing) as journal:
            try:
                report = await stage.bot(journal).run()
            except Killed:
                killed = True
        if killed:
            await asyncio.sleep(5)
            with Journal(stage.journal) as journal:
                report = await asyncio.wait_for(stage.bot(journal).run(), 7200)
        turning.cancel()
        return killed, report

    return run_virtual(main)


@pytest.mark.parametrize("after_writing", [False, True])
def test_killed_at_every_line(tmp_path: Path, after_writing: bool) -> None:
    last, killed = 1, True
    while killed:
        stage = world(3, tmp_path / f"{last}.sqlite3", Misfortune())
        killed, report = killed_then_started_again(stage, last, after_writing)
        story = f"killed at record {last}"
        assert stage.positions() == {}, story
        assert not report.open_pairs, story
        assert report.adds_up, f"{story}: {[ledger.differences for ledger in report.ledgers]}"
        last += 1
    assert last > 30


@pytest.mark.parametrize("seed", range(12))
def test_killed_in_the_middle_of_trouble(tmp_path: Path, seed: int) -> None:
    trouble = Misfortune(lost_reply=0.2, never_arrived=0.1, late_arrival=0.2, unfilled=0.2, duplicate=0.2, dropped_stream=0.01)
    stage = world(seed, tmp_path / "journal.sqlite3", trouble)
    _, report = killed_then_started_again(stage, 8 + 3 * seed, after_writing=seed % 2 == 0)
    assert stage.positions() == {}
    assert report.adds_up
    assert stage.earned() == ledger_net(stage)


def ledger_net(stage: BotWorld) -> Decimal:
    """What the whole journal's ledger says, over both lives of the bot."""
    from exchange_clients.trading.beliefs import Beliefs

    beliefs = Beliefs()
    with Journal(stage.journal) as journal:
        for entry in journal.replay():
            beliefs.apply(entry)
    return sum((pair.net for pair in beliefs.ledger.pairs.values()), Decimal(0))
