"""The journal keeps what it said it kept, and says so when it can't."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange_clients.domain.orders import Order, OrderRequest
from exchange_clients.domain.side import Side
from exchange_clients.trading.intents import OpenPairIntent, PlaceIntent
from exchange_clients.trading.records import Entry, FillSeen, Intended, Record, RunStarted, SendUnknown, WalletSeen
from helpers.journal import Journal, JournalError
from tests.support.bot_world import BotWorld
from tests.support.direct_client import DirectClient
from tests.support.eager import start_at_once
from tests.support.pairs import fill_of, place, plan
from trading_bot import TradingBot

RECORDS: list[Record] = [
    RunStarted("run", "funding_arbitrage"),
    WalletSeen("east", Decimal("10000.000001")),
    Intended(OpenPairIntent(plan())),
    Intended(place("one", Side.BUY, "0.1")),
    SendUnknown("one", "no reply"),
    FillSeen(fill_of("one", "f", "0.1", "3000.10", fee="0.150005")),
]


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        for at_ms, record in enumerate(RECORDS):
            journal.append(record, at_ms)
    with Journal(tmp_path / "j.db") as journal:
        entries = list(journal.replay())
    assert [entry.record for entry in entries] == RECORDS
    assert [entry.at_ms for entry in entries] == list(range(len(RECORDS)))


def test_a_record_is_on_the_disk_before_it_counts_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WAL with synchronous FULL (2): a power cut loses nothing that was acted on. The setting is a connection's own."""
    connect, made = sqlite3.connect, list[sqlite3.Connection]()

    def kept(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made.append(connect(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    with Journal(tmp_path / "j.db"):
        (connection,) = made
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_bots_on_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db"), pytest.raises(JournalError, match="another process works with it"):
        Journal(tmp_path / "j.db")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="can't open: unable to open database file"):
        Journal(tmp_path / "none" / "j.db")


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "j.db").write_bytes(b"not a database, but long enough to be read as one" * 50)
    with pytest.raises(JournalError, match="not a database"):
        Journal(tmp_path / "j.db")


def test_a_full_disk(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db", pages_max=5) as journal, pytest.raises(JournalError, match="full") as caught:
        for at_ms in range(10_000):
            journal.append(RunStarted("x" * 200, "y"), at_ms)
    assert "\n" not in str(caught.value)


def test_a_full_disk_stops_the_bot_before_it_sends_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = BotWorld(3, tmp_path / "j.db")
    monkeypatch.setattr("tests.support.bot_world.Journal", lambda path: Journal(path, pages_max=4))
    with pytest.raises(JournalError, match="full"):
        stage.run()
    orders = [len(exchange.orders("ours", open_only=False)) for exchange in stage.exchanges.values()]
    with Journal(stage.journal) as journal:
        sent = sum(
            isinstance(e.record, Intended) and e.record.intent.__class__.__name__ == "PlaceIntent" for e in journal.replay()
        )
    assert sum(orders) <= sent


class _Refusing(Journal):
    """A journal that takes everything but orders."""

    def append(self, record: Record, at_ms: int) -> Entry:
        if isinstance(record, Intended) and isinstance(record.intent, PlaceIntent):
            raise JournalError("no room for an order")
        return super().append(record, at_ms)


class _Counting(DirectClient):
    """A venue that counts who knocks, before anything is waited for."""

    knocks = 0

    async def place_order(self, request: OrderRequest) -> Order:
        self.knocks += 1
        return await super().place_order(request)


def test_an_order_that_the_journal_refused_is_never_sent_even_where_tasks_start_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.bot_world.Journal", _Refusing)
    monkeypatch.setattr("tests.support.bot_world.DirectClient", _Counting)
    stage = BotWorld(3, tmp_path / "j.db")
    monkeypatch.setattr(stage, "bot", lambda journal: _eagerly(BotWorld.bot(stage, journal)))
    with pytest.raises(JournalError, match="no room for an order"):
        stage.run()
    assert [client.knocks for client in stage.clients.values() if isinstance(client, _Counting)] == [0, 0]


def _eagerly(bot: TradingBot) -> TradingBot:
    asyncio.get_running_loop().set_task_factory(start_at_once)
    return bot
