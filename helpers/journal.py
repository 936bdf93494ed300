"""The bot's memory: one SQLite file, append-only, on disk before anything is sent.

WAL with synchronous FULL: a record that `append` has returned for survives `kill -9` and a power cut. One process writes; the
file is locked for as long as it is open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from exchange_clients.trading.records import SCHEMA_VERSION, Entry, Record

_TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
)
"""


class JournalError(Exception):
    """The journal can't be read or written. Nothing may be sent until it can. One line, for people."""


class Journal:
    """An open journal. Use as `with Journal(path) as journal:`. Every method raises JournalError."""

    def __init__(self, path: Path | str, pages_max: int | None = None) -> None:
        """`pages_max`: bound of the file in SQLite pages (4 KiB each); None = the disk's."""
        self.path = str(path)
        self._encoder = msgspec.json.Encoder()
        self._decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=0)
            self._prepare(self._connection, pages_max)
        except sqlite3.Error as error:
            self.close()
            raise self._failure("open", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def append(self, record: Record, at_ms: int) -> Entry:
        """Write one record. When this returns, it is on disk."""
        body = self._encoder.encode(record)
        kind = type(record).__name__
        try:
            self._open().execute(
                "INSERT INTO events (version, at_ms, kind, body) VALUES (?, ?, ?, ?)", (SCHEMA_VERSION, at_ms, kind, body)
            )
        except sqlite3.Error as error:
            raise self._failure("write", error) from error
        return Entry(at_ms, record)

    def replay(self) -> Iterator[Entry]:
        """Every record, oldest first."""
        try:
            for number, version, at_ms, body in self._open().execute("SELECT id, version, at_ms, body FROM events ORDER BY id"):
                if version != SCHEMA_VERSION:
                    raise JournalError(
                        f"journal {self.path}: record {number} has version {version}, this program reads {SCHEMA_VERSION}"
                    )
                yield Entry(at_ms, self._decoder.decode(body))
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise self._failure("read", error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise JournalError(f"journal {self.path} is closed")
        return self._connection

    def _prepare(self, connection: sqlite3.Connection, pages_max: int | None) -> None:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        if pages_max is not None:
            connection.execute(f"PRAGMA max_page_count={int(pages_max)}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_TABLE)
        connection.execute("COMMIT")

    def _failure(self, doing: str, error: Exception) -> JournalError:
        locked = "locked" in str(error)
        known = "another process works with it" if locked else str(error)
        return JournalError(f"journal {self.path}: can't {doing}: {known}; nothing is sent without it")
