"""All markets as arrays, venue by symbol, so that every pair can be judged at once. NaN means unknown or not listed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.times import to_ms
from funding_rate_service.core.market import Market, MarketTable

Values = NDArray[np.float64]

_PROVENANCES = tuple(Provenance)


class RankMatrix:
    """Arrays of shape (venues, symbols). `fees_*` have shape (venues,). Only active venues are here."""

    def __init__(self, table: MarketTable) -> None:
        self.table = table
        self.dexes = tuple(sorted(name for name, dex in table.dexes.items() if dex.is_active))
        self.symbols = tuple(table.by_symbol)
        rows = {dex: row for row, dex in enumerate(self.dexes)}
        self.columns = {symbol: column for column, symbol in enumerate(self.symbols)}
        self._cells = [
            (rows[dex], self.columns[symbol], market)
            for symbol, markets in table.by_symbol.items()
            for dex, market in markets.items()
            if dex in rows
        ]
        self.listed = np.zeros((len(self.dexes), len(self.symbols)), dtype=bool)
        self.provenance = np.full(self.listed.shape, -1, dtype=np.int8)
        for row, column, market in self._cells:
            self.listed[row, column] = True
            self.provenance[row, column] = _PROVENANCES.index(market.observation.provenance)
        self.hourly = self._figure(lambda market: None if market.hourly is None else float(market.hourly))
        self.base_mark = self._figure(lambda market: market.base_mark)
        self.half_spread = self._figure(lambda market: market.half_spread)
        self.volume = self._figure(lambda market: market.volume_24h_usd)
        self.open_interest = self._figure(lambda market: market.open_interest_usd)
        self.observed_ms = self._figure(lambda market: float(to_ms(market.observation.observed_at)))
        fees = [table.dexes[dex].fees for dex in self.dexes]
        self.fees_taker: Values = np.array([float(fee.taker) for fee in fees], dtype=np.float64)
        self.fees_maker: Values = np.array([float(fee.maker) for fee in fees], dtype=np.float64)

    def market(self, row: int, column: int) -> Market:
        """The market of one cell that is listed."""
        return self.table.by_symbol[self.symbols[column]][self.dexes[row]]

    def _figure(self, of: Callable[[Market], float | None]) -> Values:
        values: Values = np.full(self.listed.shape, np.nan)
        for row, column, market in self._cells:
            value = of(market)
            if value is not None:
                values[row, column] = value
        return values
