"""The served documentation and the real replies say the same, for whatever is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.world import Row, running

VENUES = {
    "alpha": [Row("BTC", "0.0001", 1), Row("kPEPE", "0", 8), Row("1INCH", None)],
    "beta": [Row("BTC", "-0.0000125", 1), Row("PEPE", "0.0001", 1, mark=0.1)],
}
PEER_FIELDS = {
    "Opportunity": "symbol long_dex short_dex long_rate short_rate divergence estimated_fees net_profit_percent annualized_apy "
    "long_dex_volume_24h short_dex_volume_24h min_volume_24h long_dex_oi_usd short_dex_oi_usd min_oi_usd max_oi_usd oi_ratio "
    "oi_imbalance long_dex_spread_bps short_dex_spread_bps avg_spread_bps discovered_at carry_hourly cost_entry cost_exit "
    "price_gap horizon_hours net_apr_percent breakeven_hours half_life_hours expected_net_percent net_low net_high "
    "capacity_usd next_payments confidence stale",
    "Opportunities": "opportunities total_count filters_applied generated_at",
    "BestOpportunity": "opportunity rank generated_at",
    "SymbolOpportunities": "symbol opportunities count generated_at",
    "FundingRates": "data updated_at count dex_metadata",
    "RateComparison": "symbol dex1 dex2 divergence divergence_bps long_recommendation short_recommendation "
    "estimated_net_profit_8h timestamp",
    "DexFundingRates": "dex_name rates updated_at",
    "SymbolFundingRate": "dex_name symbol funding_rate annualized_rate next_funding_time timestamp volume_24h open_interest_usd "
    "rate_hourly raw_rate raw_unit interval_hours kind age_ms provenance annual_percent",
    "Dex": "name display_name api_base_url is_active supports_websocket fee_structure collection_interval_seconds "
    "rate_limit_per_minute supported_symbols_count health",
    "DexSymbol": "symbol dex_symbol_format is_active min_order_size volume_24h open_interest_usd spread_bps last_updated",
    "ServiceHealth": "status timestamp database dex_health dex_summary data_freshness",
    "ServiceInfo": "service version status docs",
}


async def test_every_field_of_the_contract_is_documented(database_url: str) -> None:
    async with running(database_url, {}) as world:
        schemas = (await world.ok("/openapi.json"))["components"]["schemas"]
        for name, fields in PEER_FIELDS.items():
            missing = set(fields.split()) - set(schemas[name]["properties"])
            assert not missing, (name, missing)


async def test_whatever_is_asked_the_reply_is_as_documented(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        await asyncio.to_thread(_ask_everything, world.base_url)


def _ask_everything(base_url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{base_url}/api/v1/openapi.json")
    checks = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=15,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @_given(operation)
        def probe(case: Any) -> None:
            case.call_and_validate(base_url=base_url, checks=checks)

        probe()
        asked += 1
    assert asked >= 18


def _given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())


async def test_real_names_get_documented_replies_too(database_url: str) -> None:
    async with running(database_url, VENUES) as world:
        await asyncio.to_thread(_ask_real_names, world.base_url)


def _ask_real_names(base_url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{base_url}/api/v1/openapi.json")
    names = {"dex": "alpha", "symbol": "BTC"}
    query = {"symbol": "BTC", "dex1": "alpha", "dex2": "beta"}
    for found in schema.get_all_operations():
        operation = found.ok()
        path = {name: value for name, value in names.items() if f"{{{name}}}" in operation.path}
        wanted = query if operation.path.endswith("/compare") else {}
        case = operation.Case(path_parameters=path, query=wanted)
        reply = case.call(base_url=base_url)
        assert reply.status_code == 200, (operation.path, reply.text)
        case.validate_response(reply, checks=[response_schema_conformance, content_type_conformance])
