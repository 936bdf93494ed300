"""Prices from recorded history: hourly rows of several venues in one CSV file."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.times import to_ms
from exchange_clients.sandbox.prices import MarketState
from exchange_clients.sandbox.rules import MS_PER_HOUR

COLUMNS = (
    "hour_utc",
    "venue",
    "venue_symbol",
    "mark_price",
    "index_price",
    "funding_rate",
    "funding_interval_hours",
    "open_interest_usd",
    "volume_quote_1h",
)
_PREMIUM_QUANTUM = Decimal("1e-10")


class TapeError(Exception):
    """The tape can't be used; the message names the file, the line and what is wrong."""


@dataclass(frozen=True)
class TapeRow:
    """One hour of one market. `rate` None: the tape does not say it, or not per which interval."""

    line: int
    hour_ms: int
    mark: Decimal
    index: Decimal
    rate: Decimal | None
    interval_hours: Decimal | None
    open_interest_usd: float | None
    volume_quote_1h: float | None


class TapePrices:
    """A tape file. `venues`: keep only these (None: all). Raises TapeError for a missing, empty or malformed file.

    Rates step from hour to hour and keep their digits. Mark and index run straight from a row to the row of the next hour; where
    that is missing, and after the end, the last row holds. A market is absent before its first row; rows that price it at 0
    (dead markets) count as missing. The tape's only volume is an hourly figure of doubtful unit; it is served as
    `volume_24h_usd` as it stands. A market whose volume is 0 in every hour is one whose volume nobody recorded: unknown.
    """

    provenance = Provenance.REPLAY

    def __init__(self, path: Path | str, venues: Collection[str] | None = None) -> None:
        self._path = Path(path)
        self._markets: dict[str, dict[str, dict[int, TapeRow]]] = {}
        self._row_count = 0
        self._read(venues)
        firsts = [min(min(rows) for rows in markets.values()) for markets in self._markets.values()]
        self.start_ms = max(firsts)
        """The first hour for which every venue that was kept has rows."""
        self.end_ms: int | None = max(max(rows) for markets in self._markets.values() for rows in markets.values())

    def describe(self) -> str:
        return f"tape {self._path.name}, {self._row_count} rows"

    def assets(self, venue: str) -> tuple[tuple[str, Decimal], ...]:
        markets = self._markets.get(venue, {})
        return tuple((symbol, rows[min(rows)].mark) for symbol, rows in sorted(markets.items()))

    def state(self, venue: str, name: str, now_ms: int) -> MarketState | None:
        rows = self._markets.get(venue, {}).get(name)
        hour_ms = now_ms // MS_PER_HOUR * MS_PER_HOUR
        row = _latest(rows, hour_ms) if rows else None
        if rows is None or row is None:
            return None
        following = rows.get(row.hour_ms + MS_PER_HOUR) if row.hour_ms == hour_ms else None
        share = Decimal(now_ms - hour_ms) / MS_PER_HOUR
        mark = row.mark + (following.mark - row.mark) * share if following else row.mark
        index = row.index + (following.index - row.index) * share if following else row.index
        return MarketState(
            mark=mark,
            index=index,
            premium=((mark - index) / index).quantize(_PREMIUM_QUANTUM),
            funding_rate=row.rate,
            funding_known=row.rate is not None,
            open_interest_usd=row.open_interest_usd,
            volume_24h_usd=row.volume_quote_1h,
        )

    def rows(self, venue: str, name: str) -> tuple[TapeRow, ...]:
        """All rows of a market, oldest first."""
        rows = self._markets.get(venue, {}).get(name, {})
        return tuple(rows[hour_ms] for hour_ms in sorted(rows))

    def require_interval(self, venue: str, period_ms: int) -> None:
        """Raise TapeError when a market of the venue has rates per another interval than `period_ms`: they would be misread."""
        for symbol, rows in self._markets.get(venue, {}).items():
            for row in rows.values():
                if row.interval_hours is not None and row.interval_hours * MS_PER_HOUR != period_ms:
                    hours = Decimal(period_ms) / MS_PER_HOUR
                    raise TapeError(
                        f"{self._path} line {row.line}: {venue} {symbol} has a rate per {row.interval_hours} h; "
                        f"the sandbox of {venue} knows rates per {hours.normalize():f} h only"
                    )

    def _read(self, venues: Collection[str] | None) -> None:
        try:
            with self._path.open(encoding="utf-8", newline="") as file:
                for number, cells in enumerate(csv.reader(file), start=1):
                    if number == 1:
                        self._check_header(cells)
                    elif len(cells) != len(COLUMNS):
                        raise TapeError(f"{self._path} line {number}: {len(cells)} columns instead of {len(COLUMNS)}")
                    else:
                        self._keep(number, cells, venues)
        except (OSError, UnicodeDecodeError, csv.Error) as failure:
            raise TapeError(f"{self._path} line 1: can't be read: {failure}") from failure
        for rows in (rows for markets in self._markets.values() for rows in markets.values()):
            if not any(row.volume_quote_1h for row in rows.values()):
                rows.update({hour_ms: replace(row, volume_quote_1h=None) for hour_ms, row in rows.items()})
        missing = sorted(set(venues or ()) - set(self._markets))
        if missing or not self._markets:
            raise TapeError(f"{self._path} line 1: no rows for {', '.join(missing) or 'any venue'}")

    def _check_header(self, cells: list[str]) -> None:
        if tuple(cells) != COLUMNS:
            raise TapeError(f"{self._path} line 1: the columns must be {','.join(COLUMNS)}")

    def _keep(self, number: int, cells: list[str], venues: Collection[str] | None) -> None:
        cell = dict(zip(COLUMNS, cells, strict=True))
        try:
            row = _row(number, cell)
        except ValueError as failure:
            raise TapeError(f"{self._path} line {number}: {failure}") from failure
        is_wanted = venues is None or cell["venue"] in venues
        if not is_wanted or row.mark == 0 or row.index == 0:  # recorders write 0 for a market that is dead
            return
        rows = self._markets.setdefault(cell["venue"], {}).setdefault(cell["venue_symbol"], {})
        if row.hour_ms in rows:
            raise TapeError(f"{self._path} line {number}: a second row for {cell['venue']} {cell['venue_symbol']} in this hour")
        rows[row.hour_ms] = row
        self._row_count += 1


def _latest(rows: dict[int, TapeRow], hour_ms: int) -> TapeRow | None:
    row = rows.get(hour_ms)
    if row is None:
        earlier = [hour for hour in rows if hour < hour_ms]
        row = rows[max(earlier)] if earlier else None
    return row


def _row(line: int, cell: dict[str, str]) -> TapeRow:
    """Raises ValueError saying what is wrong."""
    if not cell["venue"] or not cell["venue_symbol"]:
        raise ValueError("venue and venue_symbol must not be empty")
    interval = _number(cell, "funding_interval_hours") if cell["funding_interval_hours"] else None
    if interval is not None and not 0 < interval <= 24:
        raise ValueError(f"funding_interval_hours {cell['funding_interval_hours']!r} is not an interval")
    rate = _number(cell, "funding_rate") if cell["funding_rate"] else None
    mark, index = _number(cell, "mark_price"), _number(cell, "index_price")
    if mark < 0 or index < 0:
        raise ValueError("prices must not be negative")
    return TapeRow(
        line=line,
        hour_ms=_hour_ms(cell["hour_utc"]),
        mark=mark,
        index=index,
        rate=rate if interval is not None else None,
        interval_hours=interval,
        open_interest_usd=_observation(cell, "open_interest_usd"),
        volume_quote_1h=_observation(cell, "volume_quote_1h"),
    )


def _hour_ms(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as failure:
        raise ValueError(f"hour_utc {text!r} is not a time like 2026-01-02T20:00:00Z") from failure
    if to_ms(moment) % MS_PER_HOUR:
        raise ValueError(f"hour_utc {text!r} is not a full hour")
    return to_ms(moment)


def _number(cell: dict[str, str], column: str) -> Decimal:
    try:
        number = Decimal(cell[column])
    except InvalidOperation as failure:
        raise ValueError(f"{column} {cell[column]!r} is not a number") from failure
    if not number.is_finite():
        raise ValueError(f"{column} {cell[column]!r} is not a number")
    return number


def _observation(cell: dict[str, str], column: str) -> float | None:
    return float(_number(cell, column)) if cell[column] else None
