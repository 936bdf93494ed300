"""What is served right now: the latest markets as tables and arrays, and the common replies already as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from exchange_clients.domain.times import to_ms
from funding_rate_service.core import opportunity_finder
from funding_rate_service.core.hourly_history import HourlyHistory
from funding_rate_service.core.market import MarketTable
from funding_rate_service.core.opportunity_finder import Limits, Ranking
from funding_rate_service.core.query import OpportunityQuery
from funding_rate_service.core.rank_matrix import RankMatrix
from funding_rate_service.models.base import Reply


class Encoded(NamedTuple):
    """A finished reply. It holds until something in it turns stale (market time)."""

    body: bytes
    valid_until_ms: int


Encoder = Callable[["Board", datetime], Reply]


class Board:
    """Replaced as a whole by `show`; readers see the old state or the new one, never a mixture."""

    def __init__(self, history_hours: int, limits: Limits) -> None:
        self.limits = limits
        self.history = HourlyHistory(history_hours)
        self.table = MarketTable((), ())
        self.matrix = RankMatrix(self.table)
        self.encoded: dict[str, Encoded] = {}

    def show(self, table: MarketTable, now: datetime, encoders: Mapping[str, Encoder]) -> None:
        """Serve `table` from now on; `encoders` make the replies that are kept as bytes, by path."""
        for market in table.markets:
            if market.hourly is not None:
                seen = market.observation
                self.history.add((seen.venue, seen.venue_symbol, seen.provenance), seen.observed_at, market.hourly)
        self.table, self.matrix = table, RankMatrix(table)
        valid_until_ms = self._valid_until_ms(now)
        self.encoded = {
            path: Encoded(encoder(self, now).model_dump_json().encode(), valid_until_ms) for path, encoder in encoders.items()
        }

    def rank(self, query: OpportunityQuery, now: datetime) -> Ranking:
        """The page that `query` asks for."""
        return opportunity_finder.find(self.matrix, self.history, query, self.limits, now)

    def _valid_until_ms(self, now: datetime) -> int:
        limit_ms = self.limits.stale_after_ms
        fresh = [m for m in self.table.markets if not m.is_stale(now, limit_ms)]
        return min((to_ms(m.observation.observed_at) for m in fresh), default=to_ms(now)) + limit_ms
