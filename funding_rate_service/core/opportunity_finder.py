"""Finds and ranks pairs: long where funding is lower, short where it is higher, when both markets are the same thing.

A pair is judged only if both rates are known and fresh, come from the same world, and the marks per unit of the base asset agree
within the stated band. Expected net = carry over the horizon − one round trip of costs.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from exchange_clients.domain.funding import HOURS_PER_YEAR
from exchange_clients.domain.times import to_ms
from funding_rate_service.core.fee_calculator import LegCosts, leg_costs
from funding_rate_service.core.hourly_history import HourlyHistory
from funding_rate_service.core.mappers import PairFigures, opportunity
from funding_rate_service.core.query import OpportunityQuery
from funding_rate_service.core.rank_matrix import RankMatrix, Values
from funding_rate_service.models.opportunities import Excluded, FeeRole, Opportunity, SortField

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


class Limits(msgspec.Struct, frozen=True):
    """What the service itself insists on. `price_band`: fraction between the two marks."""

    stale_after_ms: int
    price_band: float


class Ranking(msgspec.Struct, frozen=True):
    """One page of the ranking; `total_count` is counted before offset and limit."""

    opportunities: tuple[Opportunity, ...]
    total_count: int
    excluded: Excluded


class _Candidates(msgspec.Struct, frozen=True):
    """Pairs as parallel arrays: where each leg is in the matrix, and the figures to filter and sort by."""

    long: Rows
    short: Rows
    column: Rows
    carry: Values
    gap: Values
    long_costs: LegCosts
    short_costs: LegCosts
    net: Values
    by: dict[SortField, Values]

    def take(self, kept: Mask | Rows) -> _Candidates:
        """The same for some of the pairs."""
        return _Candidates(
            self.long[kept],
            self.short[kept],
            self.column[kept],
            self.carry[kept],
            self.gap[kept],
            LegCosts(*(part[kept] for part in self.long_costs)),
            LegCosts(*(part[kept] for part in self.short_costs)),
            self.net[kept],
            {name: values[kept] for name, values in self.by.items()},
        )


def find(matrix: RankMatrix, history: HourlyHistory, query: OpportunityQuery, limits: Limits, now: datetime) -> Ranking:
    """The page that `query` asks for, at `now`. Equal values are ordered by symbol, then by venues."""
    first, second, column, excluded = _comparable(matrix, query, limits, now)
    candidates = _judge(matrix, query, first, second, column)
    passing = candidates.take(_passes(matrix, candidates, query))
    order = _order(passing, query)[query.offset : query.offset + query.limit]
    page = passing.take(order)
    shown = tuple(
        opportunity(_figures(matrix, page, row), history, query, limits.stale_after_ms, now) for row in range(page.long.size)
    )
    return Ranking(shown, int(passing.long.size), excluded)


def _comparable(
    matrix: RankMatrix, query: OpportunityQuery, limits: Limits, now: datetime
) -> tuple[Rows, Rows, Rows, Excluded]:
    """The pairs (row, row, column) that may be combined at all, and a count of those that may not, each by its first reason."""
    pairs = [
        (i, j)
        for i in range(len(matrix.dexes))
        for j in range(i + 1, len(matrix.dexes))
        if query.passes_dexes(matrix.dexes[i], matrix.dexes[j])
    ]
    first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    wanted = np.ones(len(matrix.symbols), dtype=bool)
    if query.symbol is not None:
        wanted[:] = False
        wanted[matrix.columns[query.symbol]] = True
    left: Mask = matrix.listed[first] & matrix.listed[second] & wanted
    counts: list[int] = []
    for bad in (
        ~_both(~np.isnan(matrix.hourly), first, second),
        ~_both(_fresh(matrix, query, limits, now), first, second),
        matrix.provenance[first] != matrix.provenance[second],
        ~_both(matrix.base_mark > 0, first, second),
        ~(np.abs(_gap(matrix.base_mark[first], matrix.base_mark[second])) <= limits.price_band),
    ):
        counts.append(int(np.count_nonzero(left & bad)))
        left = left & ~bad
    pair, column = np.nonzero(left)
    unknown, stale, mixed, unpriced, apart = counts
    excluded = Excluded(
        unknown_rate=unknown, stale=stale, mixed_provenance=mixed, unknown_price=unpriced, price_disagrees=apart
    )
    return first[pair], second[pair], column, excluded


def _both(good: Mask, first: Rows, second: Rows) -> Mask:
    return good[first] & good[second]


def _fresh(matrix: RankMatrix, query: OpportunityQuery, limits: Limits, now: datetime) -> Mask:
    limit_ms = limits.stale_after_ms if query.max_age_ms is None else query.max_age_ms
    return np.abs(to_ms(now) - matrix.observed_ms) <= limit_ms


def _gap(long_mark: Values, short_mark: Values) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (short_mark - long_mark) / ((short_mark + long_mark) / 2)


def _judge(matrix: RankMatrix, query: OpportunityQuery, first: Rows, second: Rows, column: Rows) -> _Candidates:
    """Give each pair its direction, costs and figures."""
    turned = matrix.hourly[first, column] > matrix.hourly[second, column]
    long, short = np.where(turned, second, first), np.where(turned, first, second)
    carry = matrix.hourly[short, column] - matrix.hourly[long, column]
    fees = matrix.fees_taker if query.fee_role is FeeRole.TAKER else matrix.fees_maker
    costs = [
        leg_costs(fees[row], matrix.half_spread[row, column], matrix.volume[row, column], query.size_usd, query.fee_role)
        for row in (long, short)
    ]
    gap = _gap(matrix.base_mark[long, column], matrix.base_mark[short, column])
    round_trip = 2 * (costs[0].total + costs[1].total)
    net = carry * query.horizon_hours - round_trip
    apr = net * (HOURS_PER_YEAR / query.horizon_hours)
    volume = np.minimum(matrix.volume[long, column], matrix.volume[short, column])
    long_oi, short_oi = matrix.open_interest[long, column], matrix.open_interest[short, column]
    with np.errstate(divide="ignore", invalid="ignore"):
        breakeven = np.where(carry > 0, round_trip / carry, np.nan)
        oi_ratio = np.where(short_oi > 0, long_oi / short_oi, np.nan)
    by = {
        SortField.NET_PROFIT_PERCENT: net,
        SortField.EXPECTED_NET_PERCENT: net,
        SortField.ANNUALIZED_APY: apr,
        SortField.NET_APR_PERCENT: apr * 100,
        SortField.DIVERGENCE: carry * 8,
        SortField.CARRY_HOURLY: carry,
        SortField.LONG_RATE: matrix.hourly[long, column] * 8,
        SortField.SHORT_RATE: matrix.hourly[short, column] * 8,
        SortField.ESTIMATED_FEES: 2 * (fees[long] + fees[short]),
        SortField.BREAKEVEN_HOURS: breakeven,
        SortField.CAPACITY_USD: np.fmin(_capacity(matrix, long, column), _capacity(matrix, short, column)),
        SortField.PRICE_GAP: gap,
        SortField.MIN_VOLUME_24H: volume,
        SortField.MIN_OI_USD: np.minimum(long_oi, short_oi),
        SortField.MAX_OI_USD: np.maximum(long_oi, short_oi),
        SortField.OI_RATIO: oi_ratio,
        SortField.AVG_SPREAD_BPS: (matrix.half_spread[long, column] + matrix.half_spread[short, column]) * 10_000,
    }
    return _Candidates(long, short, column, carry, gap, costs[0], costs[1], net, by)


def _capacity(matrix: RankMatrix, row: Rows, column: Rows) -> Values:
    """1 % of open interest or of 24 h volume, whichever is less and known. A leg with neither makes the pair's unknown."""
    return 0.01 * np.fmin(matrix.open_interest[row, column], matrix.volume[row, column])


def _passes(matrix: RankMatrix, found: _Candidates, query: OpportunityQuery) -> Mask:
    passing: Mask = found.by[SortField.DIVERGENCE] >= query.min_divergence * (1 - 1e-12)  # the bound is a decimal
    spread_oi = found.by[SortField.MIN_OI_USD]
    if query.required_dex in matrix.dexes:
        required = matrix.dexes.index(query.required_dex)
        spread_oi = matrix.open_interest[np.where(found.long == required, found.long, found.short), found.column]
    for values, low, high in (
        (found.net, query.min_profit, None),
        (found.by[SortField.MIN_VOLUME_24H], query.min_volume, query.max_volume),
        (found.by[SortField.MIN_OI_USD], query.min_oi, None),
        (spread_oi, None, query.max_oi),
        (found.by[SortField.OI_RATIO], query.oi_ratio_min, query.oi_ratio_max),
        (found.by[SortField.AVG_SPREAD_BPS], None, query.max_spread_bps),
        (found.by[SortField.NET_APR_PERCENT], query.min_net_apr, None),
        (found.by[SortField.BREAKEVEN_HOURS], None, query.max_breakeven_hours),
    ):
        if low is not None:
            passing = passing & (values >= low)
        if high is not None:
            passing = passing & (values <= high)
    return passing


def _order(found: _Candidates, query: OpportunityQuery) -> Rows:
    """Indices in the order asked for; unknown values last either way, equal ones by symbol and venues (both are sorted)."""
    values = found.by[query.sort_by]
    key = np.where(np.isnan(values), np.inf, -values if query.sort_desc else values)
    return np.lexsort((found.short, found.long, found.column, key))


def _figures(matrix: RankMatrix, page: _Candidates, row: int) -> PairFigures:
    return PairFigures(
        long=matrix.market(int(page.long[row]), int(page.column[row])),
        short=matrix.market(int(page.short[row]), int(page.column[row])),
        price_gap=float(page.gap[row]),
        long_costs=LegCosts(*(part[row] for part in page.long_costs)),
        short_costs=LegCosts(*(part[row] for part in page.short_costs)),
        fees=(matrix.table.dexes[matrix.dexes[page.long[row]]].fees, matrix.table.dexes[matrix.dexes[page.short[row]]].fees),
        net=float(page.net[row]),
        values={name: None if np.isnan(values[row]) else float(values[row]) for name, values in page.by.items()},
    )
