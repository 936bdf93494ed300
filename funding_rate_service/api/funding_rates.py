"""GET /funding-rates and below."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from funding_rate_service.api.context import Asked
from funding_rate_service.api.problems import unknown_symbol
from funding_rate_service.board import Board
from funding_rate_service.core.comparison import compare
from funding_rate_service.core.mappers import rate_truth
from funding_rate_service.core.market import Market
from funding_rate_service.models.rates import (
    DexFundingRates,
    DexMetadata,
    DexRate,
    FundingRates,
    RateComparison,
    RateDetail,
    SymbolFundingRate,
)

router = APIRouter(prefix="/funding-rates", tags=["funding rates"])


def all_rates(
    board: Board, now: datetime, dex: str | None = None, symbol: str | None = None, with_metadata: bool = False
) -> FundingRates:
    """The table of all rates, or of one venue or symbol (canonical names)."""
    chosen = {
        name: {at: market for at, market in sorted(markets.items()) if dex in (None, at)}
        for name, markets in board.table.by_symbol.items()
        if symbol in (None, name)
    }
    chosen = {name: markets for name, markets in chosen.items() if markets}
    details = {
        name: {at: RateDetail(**_detail(board, market, now)) for at, market in markets.items()}
        for name, markets in chosen.items()
    }
    seen = [market.observation.observed_at for markets in chosen.values() for market in markets.values()]
    return FundingRates(
        data={name: {at: detail.funding_rate for at, detail in row.items()} for name, row in details.items()},
        details=details,
        updated_at=max(seen, default=None),
        count=len(chosen),
        generated_at=now,
        dex_metadata=_metadata(board, chosen) if with_metadata else None,
    )


@router.get("")
async def funding_rates(
    asked: Asked,
    dex: Annotated[str | None, Query(description="Only this venue")] = None,
    symbol: Annotated[str | None, Query(description="Only this symbol, under any of its names")] = None,
    include_metadata: Annotated[bool, Query(description="Add dex_metadata")] = False,
) -> FundingRates:
    """All current rates as 8-hour equivalents, with the explicit figures beside them. Unknown rates are null."""
    only_dex = asked.dex(dex).name if dex is not None else None
    only_symbol = asked.symbol(symbol) if symbol is not None else None
    return all_rates(asked.board, asked.now, only_dex, only_symbol, include_metadata)


@router.get("/compare")
async def compare_rates(
    asked: Asked,
    symbol: Annotated[str, Query(description="Symbol, under any of its names")],
    dex1: Annotated[str, Query(description="One venue")],
    dex2: Annotated[str, Query(description="Another venue")],
) -> RateComparison:
    """Two venues' rates of one symbol and what the difference is worth."""
    name = asked.symbol(symbol)
    first, second = (_listed(asked, asked.dex(dex).name, name) for dex in (dex1, dex2))
    fees = {dex: facts.fees for dex, facts in asked.board.table.dexes.items()}
    return compare(first, second, fees, asked.board.limits.stale_after_ms, asked.board.limits.price_band, asked.now)


@router.get("/{dex}")
async def dex_rates(asked: Asked, dex: str) -> DexFundingRates:
    """All current rates of one venue."""
    name = asked.dex(dex).name
    markets = asked.board.table.of_dex(name)
    return DexFundingRates(
        dex_name=name,
        rates={symbol: DexRate(**_dex_rate(asked.board, market, asked.now)) for symbol, market in markets.items()},
        updated_at=max((market.observation.observed_at for market in markets.values()), default=None),
    )


@router.get("/{dex}/{symbol}")
async def symbol_rate(asked: Asked, dex: str, symbol: str) -> SymbolFundingRate:
    """One market, by symbol or by the venue's own spelling."""
    market = _listed(asked, asked.dex(dex).name, symbol)
    return SymbolFundingRate(
        **_dex_rate(asked.board, market, asked.now),
        dex_name=market.dex,
        symbol=market.symbol,
        venue_symbol=market.observation.venue_symbol,
        volume_24h=market.volume_24h_usd,
        open_interest_usd=market.open_interest_usd,
    )


def _listed(asked: Asked, dex: str, name: str) -> Market:
    market = asked.board.table.find(dex, name)
    if market is None:
        raise unknown_symbol(name, asked.board.table.of_dex(dex), f" on {dex}")
    return market


def _dex_rate(board: Board, market: Market, now: datetime) -> dict[str, Any]:
    rate = market.observation.rate
    return {
        **rate_truth(market, now, board.limits.stale_after_ms),
        "funding_rate": rate.per_8h() if rate else None,
        "annualized_rate": rate.annual() if rate else None,
        "next_funding_time": rate.next_payment_at if rate else None,
        "timestamp": market.observation.observed_at,
    }


def _detail(board: Board, market: Market, now: datetime) -> dict[str, Any]:
    fields = _dex_rate(board, market, now)
    del fields["annualized_rate"]
    return {**fields, "venue_symbol": market.observation.venue_symbol, "multiplier": market.observation.multiplier}


def _metadata(board: Board, chosen: dict[str, dict[str, Market]]) -> dict[str, DexMetadata]:
    by_dex: dict[str, list[datetime]] = {}
    for markets in chosen.values():
        for dex, market in markets.items():
            by_dex.setdefault(dex, []).append(market.observation.observed_at)
    return {
        name: DexMetadata(
            name=name,
            display_name=facts.display_name,
            is_active=facts.is_active,
            rates_count=len(by_dex.get(name, ())),
            last_updated=max(by_dex.get(name, ()), default=None),
        )
        for name, facts in board.table.dexes.items()
        if name in by_dex
    }
