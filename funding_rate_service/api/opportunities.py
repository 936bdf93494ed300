"""GET /opportunities and below."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from funding_rate_service.api.context import Asked, Context
from funding_rate_service.board import Board
from funding_rate_service.core.query import OpportunityQuery
from funding_rate_service.models.opportunities import BestOpportunity, FeeRole, Opportunities, SortField, SymbolOpportunities

router = APIRouter(prefix="/opportunities", tags=["opportunities"])

_DEFAULTS = OpportunityQuery()
_NAMES = "comma-separated, any case"

Limit = Annotated[int, Query(ge=1, le=100, description="At most this many")]
MinProfit = Annotated[
    float, Query(allow_inf_nan=False, description="Expected net over the horizon, fraction, at least (0.001 = 0.1 %)")
]


class OpportunityParameters(BaseModel):
    """The query parameters of GET /opportunities."""

    symbol: str | None = Field(default=None, description="Only this symbol, under any of its names")
    dex: str | None = Field(default=None, description="This venue on one side")
    dex_pair: str | None = Field(default=None, description="Exactly these two venues, a,b")
    dexes: str | None = Field(default=None, description=f"At least one side on one of these; {_NAMES}")
    whitelist_dexes: str | None = Field(default=None, description=f"Both sides on these; {_NAMES}")
    exclude_dexes: str | None = Field(default=None, description=f"No side on these; {_NAMES}")
    required_dex: str | None = Field(default=None, description="This venue on one side; max_oi then means its leg")
    min_divergence: float = Field(default=0.0001, allow_inf_nan=False, description="8-hour difference, fraction")
    min_profit: float = Field(default=0.0, allow_inf_nan=False, description="Expected net over the horizon, fraction")
    min_volume: float | None = Field(default=None, allow_inf_nan=False, description="USD of the smaller 24 h volume")
    max_volume: float | None = Field(default=None, allow_inf_nan=False)
    min_oi: float | None = Field(default=None, allow_inf_nan=False, description="USD of the smaller open interest")
    max_oi: float | None = Field(default=None, allow_inf_nan=False)
    oi_ratio_min: float | None = Field(default=None, allow_inf_nan=False, description="Long / short open interest")
    oi_ratio_max: float | None = Field(default=None, allow_inf_nan=False)
    max_spread: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Mean spread of the legs, basis points"
    )
    horizon_hours: float = Field(default=168.0, gt=0, le=8760, description="How long the pair is held")
    size_usd: float = Field(default=1000.0, gt=0, le=1e9, description="Notional of one leg, for the costs")
    fee_role: FeeRole = FeeRole.TAKER
    min_net_apr: float | None = Field(default=None, allow_inf_nan=False, description="Percent per year")
    max_breakeven_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_age_ms: int | None = Field(default=None, ge=0, le=10**15, description="Instead of the service's own limit of staleness")
    limit: int = Field(default=10, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=1_000_000)
    sort_by: SortField = SortField.NET_PROFIT_PERCENT
    sort_desc: bool = True

    def query(self, asked: Context) -> OpportunityQuery:
        """The same under canonical names. Raises RequestProblem for names that do not exist."""
        plain = self.model_dump(
            exclude={"symbol", "dex", "dex_pair", "dexes", "whitelist_dexes", "exclude_dexes", "required_dex", "max_spread"}
        )
        return OpportunityQuery(
            **plain,
            max_spread_bps=self.max_spread,
            symbol=None if self.symbol is None else asked.symbol(self.symbol),
            dex=None if self.dex is None else asked.dex(self.dex).name,
            required_dex=None if self.required_dex is None else asked.dex(self.required_dex).name,
            dex_pair=asked.dex_pair(self.dex_pair),
            dexes=asked.dex_names("dexes", self.dexes),
            whitelist_dexes=asked.dex_names("whitelist_dexes", self.whitelist_dexes),
            exclude_dexes=asked.dex_names("exclude_dexes", self.exclude_dexes),
        )


def ranked(board: Board, now: datetime, query: OpportunityQuery = _DEFAULTS) -> Opportunities:
    """One page of the ranking."""
    found = board.rank(query, now)
    applied = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in msgspec.to_builtins(query, builtin_types=(tuple,)).items()
        if value is not None and value != () and value != []
    }
    return Opportunities(
        opportunities=list(found.opportunities),
        total_count=found.total_count,
        filters_applied=applied,
        excluded=found.excluded,
        generated_at=now,
    )


@router.get("")
async def opportunities(asked: Asked, parameters: Annotated[OpportunityParameters, Query()]) -> Opportunities:
    """Pairs worth holding, best first: long where funding is lower, short where it is higher, costs counted once."""
    return ranked(asked.board, asked.now, parameters.query(asked))


@router.get("/best")
async def best_opportunity(
    asked: Asked,
    symbol: Annotated[str | None, Query(description="Only this symbol, under any of its names")] = None,
    dex: Annotated[str | None, Query(description="This venue on one side")] = None,
    include_dexes: Annotated[str | None, Query(description=f"At least one side on one of these; {_NAMES}")] = None,
    whitelist_dexes: Annotated[str | None, Query(description=f"Both sides on these; {_NAMES}")] = None,
    exclude_dexes: Annotated[str | None, Query(description=f"No side on these; {_NAMES}")] = None,
    required_dex: Annotated[str | None, Query(description="This venue on one side")] = None,
    min_profit: MinProfit = 0.0,
    max_oi: Annotated[float | None, Query(allow_inf_nan=False, description="USD")] = None,
) -> BestOpportunity:
    """The first of the ranking, or null."""
    query = OpportunityParameters(
        symbol=symbol,
        dex=dex,
        dexes=include_dexes,
        whitelist_dexes=whitelist_dexes,
        exclude_dexes=exclude_dexes,
        required_dex=required_dex,
        min_profit=min_profit,
        max_oi=max_oi,
        limit=1,
    ).query(asked)
    found = asked.board.rank(query, asked.now).opportunities
    return BestOpportunity(
        opportunity=found[0] if found else None,
        rank=1 if found else None,
        message="" if found else "nothing passes these filters",
        generated_at=asked.now,
    )


@router.get("/symbol/{symbol}")
async def symbol_opportunities(
    asked: Asked, symbol: str, min_profit: MinProfit = 0.0, limit: Limit = 10
) -> SymbolOpportunities:
    """The ranking of one symbol."""
    name = asked.symbol(symbol)
    found = asked.board.rank(OpportunityQuery(symbol=name, min_profit=min_profit, limit=limit), asked.now)
    return SymbolOpportunities(
        symbol=name,
        opportunities=list(found.opportunities),
        count=len(found.opportunities),
        total_count=found.total_count,
        generated_at=asked.now,
    )
