"""Paradex as data: addresses, fees, budgets, calls and channels. Source: venue sheet sections 1, 4, 5, 7, 8, 9 and 10."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec

from exchange_clients import errors
from exchange_clients.base import ALL_STREAMS, LIMIT_ORDERS, Capability
from exchange_clients.domain import Environment, FeeRates
from exchange_clients.engine.endpoint import Channel, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.engine.json_rpc import RpcFrame
from exchange_clients.engine.rows import readable, row_of
from exchange_clients.engine.session import Session
from exchange_clients.paradex import wire
from exchange_clients.spec import Urls, VenueSpec


def _urls(environment: str) -> Urls:
    return Urls(f"https://api.{environment}.paradex.trade/v1", f"wss://ws.api.{environment}.paradex.trade/v1")


SPEC = VenueSpec(
    name=wire.VENUE,
    display_name="Paradex",
    urls={Environment.LIVE: _urls("prod"), Environment.TESTNET: _urls("testnet")},
    rest_path="/v1",
    websocket_path="/v1",
    credential_fields=("private_key", "account_address"),
    fees=FeeRates(maker=Decimal("0.00003"), taker=Decimal("0.00045")),
    funding_interval_hours=Decimal(8),
    symbol_format="{base}-USD-PERP",
    rate_limit_per_minute=1500,
    capabilities=LIMIT_ORDERS
    | ALL_STREAMS
    | {Capability.AMEND, Capability.CANCEL_ALL, Capability.MARKET, Capability.FETCH_BY_CLIENT_ID}
    | {Capability.SET_LEVERAGE, Capability.FUNDING_HISTORY},
    client="exchange_clients.paradex.client:ParadexClient",
    adapter="exchange_clients.paradex.funding_adapter:ParadexFundingAdapter",
    sandbox="exchange_clients.paradex.sandbox:ParadexSandbox",
    extra="paradex",
    credential_fields_optional=("ethereum_account",),
)

ETHEREUM_ACCOUNT = "ethereum_account"
"""Optional credential: the 0x address an account was made from, needed once, where the venue has not met the account yet."""

PER_ADDRESS = Meter("requests per IP", capacity=1500, window_s=60)  # private ones as well, whatever account they are for
LOGINS = Meter("logins per IP", capacity=600, window_s=60)
READS = Meter("reads per account", capacity=120, window_s=12)  # 120 at once, 600 per minute
ORDERS = Meter("orders per account", capacity=287, window_s=1)  # 800 per second, 17,250 per minute


def _public(name: str, path: str, reply: Any) -> Endpoint:
    return Endpoint(name, "GET", path, reply, PER_ADDRESS)


def _read(name: str, path: str, reply: Any) -> Endpoint:
    return Endpoint(name, "GET", path, reply, READS, private=True, also=((PER_ADDRESS, 1),))


def _act(name: str, method: str, path: str, reply: Any = None, urgent: bool = False) -> Endpoint:
    return Endpoint(name, method, path, reply, ORDERS, retry=Retry.ACT, private=True, also=((PER_ADDRESS, 1),), urgent=urgent)


ROWS = wire.Page[msgspec.Raw]  # each row is read by itself: an odd one does not take the others along
SYSTEM_CONFIG = _public("system config", "/system/config", wire.SystemConfig)
SYSTEM_STATE = _public("system state", "/system/state", wire.SystemState)
MARKETS = _public("markets", "/markets", ROWS)
SUMMARIES = _public("markets summary", "/markets/summary", ROWS)
BOOK = _public("orderbook", "/orderbook/{market}", wire.RestBook)
TRADES = _public("trades", "/trades", ROWS)
FUNDING_DATA = _public("funding data", "/funding/data", ROWS)

AUTH = Endpoint("auth", "POST", "/auth/{public_key}", wire.Token, LOGINS)
ONBOARDING = Endpoint("onboarding", "POST", "/onboarding", None, LOGINS)

OPEN_ORDERS = _read("open orders", "/orders", ROWS)
ORDER = _read("order", "/orders/{order_id}", wire.OrderRow)
ORDER_BY_CLIENT_ID = _read("order by client id", "/orders/by_client_id/{client_id}", wire.OrderRow)
ORDERS_HISTORY = _read("orders history", "/orders-history", ROWS)
FILLS = _read("fills", "/fills", ROWS)
POSITIONS = _read("positions", "/positions", ROWS)
BALANCE = _read("balance", "/balance", ROWS)
ACCOUNT = _read("account", "/account", wire.AccountSummary)
ACCOUNT_INFO = _read("account info", "/account/info", ROWS)
MARGIN = _read("margin", "/account/margin", wire.Margins)
FUNDING_PAYMENTS = _read("funding payments", "/funding/payments", ROWS)

PLACE = _act("place order", "POST", "/orders", wire.OrderRow)
MODIFY = _act("modify order", "PUT", "/orders/{order_id}", wire.OrderRow)
CANCEL = _act("cancel order", "DELETE", "/orders/{order_id}", urgent=True)
CANCEL_BY_CLIENT_ID = _act("cancel by client id", "DELETE", "/orders/by_client_id/{client_id}", urgent=True)
CANCEL_ALL = _act("cancel all orders", "DELETE", "/orders", urgent=True)
SET_MARGIN = _act("set margin", "POST", "/account/margin/{market}")

BOOK_CHANNEL = Channel("order_book.{market}.deltas", None, SequenceRule.INCREMENT, conflate=True, silence_s_max=60)
ORDERS_CHANNEL = Channel("orders.ALL", RpcFrame[msgspec.Raw], SequenceRule.NONE, private=True)
FILLS_CHANNEL = Channel("fills.ALL", RpcFrame[msgspec.Raw], SequenceRule.NONE, private=True)
POSITIONS_CHANNEL = Channel("positions", RpcFrame[msgspec.Raw], SequenceRule.NONE, private=True)
BALANCE_CHANNEL = Channel("balance_events", RpcFrame[wire.BalanceChange], SequenceRule.NONE, private=True)
ACCOUNT_CHANNEL = Channel("account", RpcFrame[wire.AccountSummary], SequenceRule.SNAPSHOT, private=True)

# Codes of the API (OpenAPI: ErrorCode) and reasons that orders are closed for, of which no full list exists (venue sheet section 7).
_CODES: dict[type[errors.Refused], str] = {
    errors.AuthenticationFailed: """INVALID_TOKEN NOT_ONBOARDED UNAUTHORIZED_ERROR PUBLIC_KEY_INVALID INVALID_STARKNET_ADDRESS
        INVALID_STARKNET_SIGNATURE INVALID_ORDER_SIGNATURE STARKNET_SIGNATURE_VERIFICATION_FAILED IP_NOT_ALLOWED INVALID_SUBKEY
        INVALID_TOKEN_SCOPE INVALID_EVM_SIGNATURE EVM_SIGNATURE_VERIFICATION_FAILED GEO_IP_BLOCK""",
    errors.VenueClosed: "SYSTEM_STATUS_CANCEL_ONLY SYSTEM_STATUS_POST_ONLY MARKET_NOT_OPEN",
    errors.Refused: """INVALID_TIMESTAMP REQUEST_NOT_ALLOWED MARKET_MARGIN_RESTRICTED NO_ACCESS_TO_MARKET
        ISOLATED_MARKET_ACCOUNT_MISMATCH""",
    errors.OrderNotFound: "ORDER_ID_NOT_FOUND CLIENT_ORDER_ID_NOT_FOUND ORDER_IS_CLOSED ORDER_IS_NOT_OPEN",
    errors.BelowMinimum: "INVALID_ORDER_SIZE ORDER_SIZE_BELOW_MIN",
    errors.InsufficientMargin: "NOT_ENOUGH_MARGIN ORDER_EXCEEDS_POSITION_LIMIT",
    errors.WouldCross: "POST_ONLY_WOULD_CROSS",
    errors.ReduceOnlyViolated: "REDUCE_ONLY_WILL_INCREASE REDUCE_ONLY_WILL_DECREASE",
    errors.PriceOutOfBand: "PRICE_BAND",
}
REFUSALS = {code: kind for kind, codes in _CODES.items() for code in codes.split()}


async def fetch_figures(session: Session) -> list[tuple[wire.Market, wire.Summary]]:
    """Our markets with their figures, those that can be read and that have any."""
    markets, summaries = await asyncio.gather(session.call(MARKETS), session.call(SUMMARIES, query={"market": "ALL"}))
    figures = {row.symbol: row for row in readable(summaries.results, lambda row: row_of(row, wire.Summary))}
    return [(m, figures[m.symbol]) for m in readable(markets.results, wire.to_market) if m.symbol in figures]
