"""Pacifica as data: addresses, fees, budgets, calls, channels and refusals. Source: venue sheet sections 1, 4, 7, 8, 9 and 10."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange_clients import errors
from exchange_clients.base import ALL_STREAMS, LIMIT_ORDERS, Capability
from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.provenance import Environment
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.endpoint import Channel, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.engine.short_names import frame_of_rows
from exchange_clients.pacifica import wire
from exchange_clients.pacifica.wire import Reply
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
    capabilities=LIMIT_ORDERS
    | ALL_STREAMS
    | {Capability.AMEND, Capability.CANCEL_ALL, Capability.MARKET, Capability.FETCH_BY_CLIENT_ID}
    | {Capability.SET_LEVERAGE, Capability.FUNDING_HISTORY},
    client="exchange_clients.pacifica.client:PacificaClient",
    adapter="exchange_clients.pacifica.funding_adapter:PacificaFundingAdapter",
    sandbox="exchange_clients.pacifica.sandbox:PacificaSandbox",
    extra="pacifica",
)

PER_ADDRESS = Meter("credits per IP", capacity=100, window_s=60)
EXPIRY_WINDOW_MS = 5_000
HEAVY, DISPUTED = 12, 3
"""Credits of a heavy GET without an API config key: the documents say 3 to 12 and name no call. Everybody counts histories; some
public clients count what is DISPUTED too."""


def _read(path: str, reply: Any, weight: float = 1) -> Endpoint:
    return Endpoint(path.lstrip("/"), "GET", path, reply, PER_ADDRESS, weight)


def _act(path: str, operation: str, reply: Any, weight: float = 1) -> Endpoint:
    return Endpoint(operation, "POST", path, reply, PER_ADDRESS, weight, Retry.ACT, private=True, operation=operation)


INFO = _read("/info", Reply[list[wire.Market]], DISPUTED)
PRICES = _read("/info/prices", Reply[list[wire.PriceRow]], DISPUTED)
MARKS = Endpoint("marks", "GET", "/info/prices", Reply[list[wire.MarkRow]], PER_ADDRESS, DISPUTED)
BOOK = _read("/book", Reply[wire.Book], DISPUTED)
TRADES = _read("/trades", Reply[list[wire.TradeRow]])
FUNDING_RATE_HISTORY = _read("/funding_rate/history", Reply[list[wire.FundingPoint]], HEAVY)
ACCOUNT = _read("/account", Reply[wire.Account], DISPUTED)
SETTINGS = _read("/account/settings", Reply[wire.Settings | list[wire.LeverageSetting]])
POSITIONS = _read("/positions", Reply[list[wire.PositionRow]], DISPUTED)
ORDERS = _read("/orders", Reply[list[wire.OrderRow]])
ORDERS_HISTORY = _read("/orders/history", Reply[list[wire.OrderRow]], HEAVY)
ORDER_EVENTS = _read("/orders/history_by_id", Reply[list[wire.OrderRow]], DISPUTED)
TRADES_HISTORY = _read("/trades/history", Reply[list[wire.FillRow]], HEAVY)
FUNDING_HISTORY = _read("/funding/history", Reply[list[wire.PaymentRow]], HEAVY)
CREATE_ORDER = _act("/orders/create", "create_order", Reply[wire.OrderRef])
CREATE_MARKET_ORDER = _act("/orders/create_market", "create_market_order", Reply[wire.OrderRef])
EDIT_ORDER = _act("/orders/edit", "edit_order", Reply[wire.OrderRef])
CANCEL_ORDER = _act("/orders/cancel", "cancel_order", Reply[Any], 0.5)
CANCEL_ALL_ORDERS = _act("/orders/cancel_all", "cancel_all_orders", Reply[Any], 0.5)
UPDATE_LEVERAGE = _act("/account/leverage", "update_leverage", Reply[Any])

BOOK_CHANNEL = Channel("book", DataFrame[wire.Book], SequenceRule.SNAPSHOT, conflate=True)
ORDERS_CHANNEL = Channel("account_order_updates", frame_of_rows(wire.OrderUpdate), SequenceRule.NONE)
FILLS_CHANNEL = Channel("account_trades", frame_of_rows(wire.FillUpdate), SequenceRule.NONE)
POSITIONS_CHANNEL = Channel("account_positions", frame_of_rows(wire.PositionUpdate), SequenceRule.SNAPSHOT, conflate=True)
ACCOUNT_CHANNEL = Channel("account_info", DataFrame[wire.AccountUpdate], SequenceRule.SNAPSHOT, conflate=True)

# Words count before codes: code 5 is said of an empty account and of a cancellation that failed (venue sheet section 7).
WORDS: dict[str, type[errors.Refused]] = {
    "Failed to cancel order": errors.OrderNotFound,
    "not found for order": errors.OrderNotFound,
    "Order not found": errors.OrderNotFound,
    "amount too low": errors.BelowMinimum,
    "post only": errors.WouldCross,
    **dict.fromkeys(("signature", "not authorized", "Beta access", "expired"), errors.AuthenticationFailed),
}
CODES: dict[int | None, type[errors.Refused]] = {
    **dict.fromkeys((5, 28), errors.InsufficientMargin),
    **dict.fromkeys((6, 37), errors.OrderNotFound),
    7: errors.BelowMinimum,
    **dict.fromkeys((21, 22, 23), errors.ReduceOnlyViolated),
    30: errors.PriceOutOfBand,
    **dict.fromkeys((401, 402, 403), errors.AuthenticationFailed),
}
