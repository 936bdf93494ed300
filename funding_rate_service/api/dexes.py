"""GET /dexes and below."""

from __future__ import annotations

from fastapi import APIRouter

from funding_rate_service.api.context import Asked, Context
from funding_rate_service.core.dex_health import dex_health
from funding_rate_service.core.mappers import spread_bps
from funding_rate_service.core.market import DexFacts
from funding_rate_service.models.dexes import Dex, Dexes, DexSymbol, DexSymbols, FeeStructure

router = APIRouter(prefix="/dexes", tags=["venues"])


@router.get("")
async def dexes(asked: Asked) -> Dexes:
    """All venues, also those that are not collected any more."""
    found = [_dex(asked, facts) for facts in asked.board.table.dexes.values()]
    return Dexes(dexes=found, count=len(found))


@router.get("/{dex}")
async def one_dex(asked: Asked, dex: str) -> Dex:
    """One venue."""
    return _dex(asked, asked.dex(dex))


@router.get("/{dex}/symbols")
async def dex_symbols(asked: Asked, dex: str) -> DexSymbols:
    """The markets of one venue, every spelling apart."""
    name = asked.dex(dex).name
    limit_ms = asked.board.limits.stale_after_ms
    listed = sorted((m for m in asked.board.table.markets if m.dex == name), key=lambda m: m.observation.venue_symbol)
    symbols = [
        DexSymbol(
            symbol=market.symbol,
            dex_symbol_format=market.observation.venue_symbol,
            is_active=not market.is_stale(asked.now, limit_ms),
            min_order_size=None,
            volume_24h=market.volume_24h_usd,
            open_interest_usd=market.open_interest_usd,
            spread_bps=spread_bps(market),
            last_updated=market.observation.observed_at,
        )
        for market in listed
    ]
    return DexSymbols(dex_name=name, symbols=symbols, count=len(symbols))


def _dex(asked: Context, facts: DexFacts) -> Dex:
    table = asked.board.table
    return Dex(
        name=facts.name,
        display_name=facts.display_name,
        api_base_url=facts.api_base_url,
        is_active=facts.is_active,
        supports_websocket=facts.supports_websocket,
        fee_structure=FeeStructure(
            maker_fee_percent=float(facts.fees.maker), taker_fee_percent=float(facts.fees.taker), has_fee_tiers=False
        ),
        collection_interval_seconds=facts.collection_interval_s,
        rate_limit_per_minute=facts.rate_limit_per_minute,
        supported_symbols_count=sum(market.dex == facts.name for market in table.markets),
        funding_interval_hours=float(facts.funding_interval_hours),
        health=dex_health(facts, table, asked.board.limits.stale_after_ms, asked.now),
    )
