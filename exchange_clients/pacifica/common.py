"""Pacifica as data: addresses, fees, budgets, calls and channels. Source: venue sheet sections 1, 4, 7, 8, 9 and 10."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange_clients.base import Capability
from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.endpoint import Channel, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.pacifica import wire
from exchange_clients.pacifica.wire import Frame, Reply
from exchange_clients.spec import Urls, VenueSpec

SPEC = VenueSpec(
    name=wire.VENUE,
    display_name="Pacifica",
    urls={
        Environment.LIVE: Urls("https://api.pacifica.fi/api/v1", "wss://ws.pacifica.fi/ws"),
        Environment.TESTNET: Urls("https://test-api.pacifica.fi/api/v1", "wss://test-ws.pacifica.fi/ws"),
    },
    rest_path="/api/v1",
    websocket_path="/ws",
    credential_fields=("account", "private_key"),
    fees=FeeRates(maker=Decimal("0.00015"), taker=Decimal("0.0004")),
    funding_interval_hours=Decimal(1),
    symbol_format="{base}",
    rate_limit_per_minute=100,
    capabilities=frozenset(
        {
            Capability.AMEND,
            Capability.CANCEL_ALL,
            Capability.POST_ONLY,
            Capability.IOC,
            Capability.MARKET,
            Capability.REDUCE_ONLY,
            Capability.FETCH_BY_CLIENT_ID,
            Capability.STREAM_BOOK,
            Capability.STREAM_ACCOUNT,
            Capability.STREAM_ORDERS,
            Capability.STREAM_FILLS,
            Capability.SET_LEVERAGE,
            Capability.FUNDING_HISTORY,
        }
    ),
    client="exchange_clients.pacifica.client:PacificaClient",
    adapter="exchange_clients.pacifica.funding_adapter:PacificaFundingAdapter",
    sandbox="exchange_clients.pacifica.sandbox:PacificaSandbox",
    extra="ed25519",
)

PER_ADDRESS = Meter("credits per IP", capacity=100, window_s=60)
EXPIRY_WINDOW_MS = 5_000
HEAVY = 12
"""Credits of a long list for an address without an API config key (the documents say 3 to 12)."""


def _read(path: str, reply: Any, weight: float = 1) -> Endpoint:
    return Endpoint(path.lstrip("/"), "GET", path, reply, PER_ADDRESS, weight)


def _act(path: str, operation: str, reply: Any, weight: float = 1) -> Endpoint:
    return Endpoint(operation, "POST", path, reply, PER_ADDRESS, weight, Retry.ACT, private=True, operation=operation)


INFO = _read("/info", Reply[list[wire.Market]])
PRICES = _read("/info/prices", Reply[list[wire.PriceRow]])
MARKS = Endpoint("marks", "GET", "/info/prices", Reply[list[wire.MarkRow]], PER_ADDRESS)
BOOK = _read("/book", Reply[wire.Book])
TRADES = _read("/trades", Reply[list[wire.TradeRow]])
FUNDING_RATE_HISTORY = _read("/funding_rate/history", Reply[list[wire.FundingPoint]])
ACCOUNT = _read("/account", Reply[wire.Account])
SETTINGS = _read("/account/settings", Reply[wire.Settings | list[wire.LeverageSetting]])
POSITIONS = _read("/positions", Reply[list[wire.PositionRow]])
ORDERS = _read("/orders", Reply[list[wire.OrderRow]])
ORDERS_HISTORY = _read("/orders/history", Reply[list[wire.OrderRow]], HEAVY)
ORDER_EVENTS = _read("/orders/history_by_id", Reply[list[wire.OrderRow]])
TRADES_HISTORY = _read("/trades/history", Reply[list[wire.FillRow]], HEAVY)
FUNDING_HISTORY = _read("/funding/history", Reply[list[wire.PaymentRow]])
CREATE_ORDER = _act("/orders/create", "create_order", Reply[wire.OrderRef])
CREATE_MARKET_ORDER = _act("/orders/create_market", "create_market_order", Reply[wire.OrderRef])
EDIT_ORDER = _act("/orders/edit", "edit_order", Reply[wire.OrderRef])
CANCEL_ORDER = _act("/orders/cancel", "cancel_order", Reply[Any], 0.5)
CANCEL_ALL_ORDERS = _act("/orders/cancel_all", "cancel_all_orders", Reply[Any], 0.5)
UPDATE_LEVERAGE = _act("/account/leverage", "update_leverage", Reply[Any])

BOOK_CHANNEL = Channel("book", Frame[wire.Book], SequenceRule.SNAPSHOT, conflate=True)
ORDERS_CHANNEL = Channel("account_order_updates", Frame[list[wire.OrderUpdate]], SequenceRule.NONE)
FILLS_CHANNEL = Channel("account_trades", Frame[list[wire.FillUpdate]], SequenceRule.NONE)
POSITIONS_CHANNEL = Channel("account_positions", Frame[list[wire.PositionUpdate]], SequenceRule.SNAPSHOT, conflate=True)
ACCOUNT_CHANNEL = Channel("account_info", Frame[wire.AccountUpdate], SequenceRule.SNAPSHOT, conflate=True)
