"""The bot around the strategy: stopping, starting again, refusing, and failing loudly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from exchange_clients.domain.orders import TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.sandbox.virtual_loop import run_virtual
from exchange_clients.trading.progress import LegFilled, Notice, PairOpening
from exchange_clients.trading.records import RunStarted
from helpers.journal import Journal
from strategies.exit_rules import ExitRules
from tests.support.bot_world import HOUR_MS, START_MS, BotWorld, Ranked
from tests.support.direct_client import ACCOUNT
from trading_bot import ForeignPosition, Report, WrongJournal

T = TypeVar("T")


def in_world(stage: BotWorld, story: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        stage.build()
        turning = asyncio.create_task(stage.turn())
        try:
            return await asyncio.wait_for(story(), 24 * 3600)
        finally:
            turning.cancel()

    return run_virtual(main)


async def stopped_after(stage: BotWorld, seconds: float, exit_positions: bool) -> Report:
    with Journal(stage.journal) as journal:
        bot = stage.bot(journal)
        running = asyncio.create_task(bot.run())
        await asyncio.sleep(seconds)
        bot.stop("asked to", exit_positions)
        return await running


def test_stopping_with_exit_closes_everything(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")
    report = in_world(stage, lambda: stopped_after(stage, 60, exit_positions=True))
    assert stage.positions() == {}
    assert report.reason == "asked to"
    assert len(report.ledgers) == 1
    assert report.adds_up


def test_stopping_in_place_leaves_a_pair_that_the_next_start_takes_up(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")

    async def story() -> tuple[Report, dict[str, Decimal], Report]:
        first = await stopped_after(stage, 60, exit_positions=False)
        held = stage.positions()
        await asyncio.sleep(3600)
        return first, held, await stopped_after(stage, 60, exit_positions=True)

    first, held, second = in_world(stage, story)
    assert first.open_pairs == ("pair-1",)
    assert sum(held.values()) == 0
    assert set(held) == {"east", "north"}
    assert any(isinstance(told, Notice) and "was left open" in told.text for told in stage.told)
    assert stage.positions() == {}
    assert second.adds_up
    assert second.ledgers[0].statement.funding != 0


def test_a_position_that_the_journal_does_not_know_is_refused(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")

    async def story() -> Report:
        stage.exchanges["east"].place(
            ACCOUNT, "ETH-PERP", Side.BUY, Decimal(1), None, TimeInForce.IOC, reduce_only=False, client_order_id=None
        )
        with Journal(stage.journal) as journal:
            return await stage.bot(journal).run()

    with pytest.raises(ForeignPosition, match=r"east shows a position of 1 ETH that journal .* does not explain; close it"):
        in_world(stage, story)


def test_a_journal_of_another_strategy_is_refused(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")

    async def story() -> Report:
        with Journal(stage.journal) as journal:
            journal.append(RunStarted("run", "grid"), 0)
        with Journal(stage.journal) as journal:
            return await stage.bot(journal).run()

    with pytest.raises(WrongJournal, match="belongs to grid"):
        in_world(stage, story)


def test_a_pair_larger_than_the_limits_is_shrunk_on_both_legs(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")
    stage.limits = replace(stage.limits, pair_usd_max=Decimal(400))
    report = in_world(stage, lambda: stopped_after(stage, 60, exit_positions=True))
    opening = next(told for told in stage.told if isinstance(told, PairOpening))
    assert opening.plan.notional_usd == 400
    assert "400.00 allowed" in opening.shrunk_because
    assert stage.held_usd_max < 401
    assert report.adds_up


def test_a_pair_that_does_not_pay_on_live_books_is_not_opened(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")
    stage.settings = replace(stage.settings, net_apr_percent_min=40.0, breakeven_hours_max=100.0, horizon_hours=10.0)
    in_world(stage, lambda: stopped_after(stage, 300, exit_positions=True))
    assert not any(isinstance(told, LegFilled) for told in stage.told)
    assert any(isinstance(told, Notice) and "a year net of" in told.text for told in stage.told)


class Fallen(BotWorld):
    """After twenty minutes the pair's carry is `later` and the ranking holds others only."""

    later = Decimal(0)

    async def opportunities(self) -> Sequence[Ranked]:
        return [] if self._is_later() else await super().opportunities()

    async def of_pair(self, symbol: str, venues: tuple[str, str]) -> Ranked | None:
        if not self._is_later():
            return await super().of_pair(symbol, venues)
        long, short = venues if self.later >= 0 else venues[::-1]
        return Ranked(symbol, long, short, abs(self.later), abs(self.later) * 876_000, Decimal(12))

    def _is_later(self) -> bool:
        assert self.clock is not None
        return self.clock.now_ms() - START_MS > 1_200_000


@pytest.mark.parametrize(
    ("later", "said"), [(Decimal("0.000005"), "carry fell to 4.38 % a year"), (Decimal("-0.00001"), "funding flipped")]
)
def test_a_pair_that_fell_out_of_the_ranking_is_asked_for_by_name_and_left(tmp_path: Path, later: Decimal, said: str) -> None:
    stage = Fallen(4, tmp_path / "j.db", turn_s=2)
    stage.later = later
    leaving = ExitRules(hold_ms_min=HOUR_MS // 2, hold_ms_max=2 * HOUR_MS, apr_percent_min=5.0, divergence_bps_max=1e9)
    stage.settings = replace(stage.settings, exit=leaving)
    report = stage.run(6)
    assert [ledger.reason for ledger in report.ledgers] == [said]
    assert stage.positions() == {} and report.adds_up


@pytest.mark.parametrize(("name", "meant"), [("eth", "ETH"), ("ETH-PERP", "ETH"), ("kPEPE", "PEPE"), ("KPEPE-perp", "PEPE")])
def test_symbols_are_matched_as_people_write_them(tmp_path: Path, name: str, meant: str) -> None:
    stage = BotWorld(4, tmp_path / "j.db", more_symbols=("PEPE",))
    stage.settings = replace(stage.settings, symbols=(name,))
    in_world(stage, lambda: stopped_after(stage, 120, exit_positions=True))
    assert {told.plan.symbol for told in stage.told if isinstance(told, PairOpening)} == {meant}


def test_an_excluded_symbol_is_never_traded_however_it_is_written(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db", more_symbols=("PEPE",))
    stage.settings = replace(stage.settings, exclude=("eth-perp",))
    in_world(stage, lambda: stopped_after(stage, 120, exit_positions=True))
    assert {told.plan.symbol for told in stage.told if isinstance(told, PairOpening)} == {"PEPE"}


def test_a_symbol_that_means_nothing_is_told_with_a_hint_and_not_waited_for(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")
    stage.settings = replace(stage.settings, symbols=("ETHH",))
    report = stage.run(1)
    assert report.reason == "none of the symbols can be paired"
    assert "symbols: 'ETHH' can't be paired: not listed; did you mean ETH?" in [
        t.text for t in stage.told if isinstance(t, Notice)
    ]


def test_a_bug_stops_the_bot_loudly(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")

    async def story() -> Report:
        stage.told = _Broken()  # type: ignore[assignment]
        with Journal(stage.journal) as journal:
            return await stage.bot(journal).run()

    with pytest.raises(ZeroDivisionError):
        in_world(stage, story)


class _Broken(list[object]):
    """A listener with a bug in it."""

    def append(self, told: object) -> None:
        if isinstance(told, LegFilled):
            raise ZeroDivisionError


def test_two_rounds(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db")
    stage.settings = replace(stage.settings, rounds_max=2, exit=replace(stage.settings.exit, hold_ms_max=60_000))
    report = stage.run(hours=1)
    assert [ledger.statement.pair_id for ledger in report.ledgers] == ["pair-1", "pair-2"]
    assert report.adds_up


def test_two_pairs_at_once_on_the_same_venues(tmp_path: Path) -> None:
    stage = BotWorld(4, tmp_path / "j.db", more_symbols=("PEPE",))
    stage.settings = replace(
        stage.settings, positions_max=2, rounds_max=2, exit=replace(stage.settings.exit, hold_ms_max=600_000)
    )
    report = stage.run(hours=2)
    assert {ledger.plan.symbol for ledger in report.ledgers} == {"ETH", "PEPE"}
    assert stage.positions() == {}
    assert report.adds_up
    assert stage.earned() == sum(ledger.statement.net for ledger in report.ledgers)
