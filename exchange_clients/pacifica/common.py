"""Pacifica as data: addresses, fees, budgets, calls, channels and refusals. Source: venue sheet sections 1, 4, 7, 8, 9 and 10."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from exchange_clients import errors
from exchange_clients.base import ALL_STREAMS, LIMIT_ORDERS, Capability
from exchange_clients.domain import Environment, FeeRates
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.endpoint import Channel, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.engine.short_names import rows_of
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
    credential_fields_optional=("api_config_key",),
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
PER_KEY = Meter("credits per API config key", capacity=300, window_s=60)
EXPIRY_WINDOW_MS = 5_000
BOOK_SILENCE_S_MAX = 10.0  # a book is told every 100 ms, changed or not
HEAVY, DISPUTED = 12, 3
"""Credits of a heavy GET without an API config key: the documents say 3 to 12 and name no call. Everybody counts histories; some
public clients count what is DISPUTED too. What replies say of the budget corrects the count."""
WITH_KEY: dict[float, float] = {HEAVY: 3, DISPUTED: 1}


def _read(path: str, reply: Any, weight: float = 1) -> Endpoint:
    return Endpoint(path.lstrip("/"), "GET", path, reply, PER_ADDRESS, weight)


def _list(path: str, row: type[msgspec.Struct], weight: float = 1) -> Endpoint:
    return msgspec.structs.replace(_read(path, wire.Rows, weight), strict=rows_of(Reply, row))


def _own(name: str, row: type[msgspec.Struct], rule: SequenceRule) -> Channel:
    conflate = rule is SequenceRule.SNAPSHOT
    return Channel(name, DataFrame[list[msgspec.Raw]], rule, conflate=conflate, strict=rows_of(DataFrame, row))


def _act(path: str, operation: str, reply: Any, weight: float = 1, urgent: bool = False) -> Endpoint:
    about = (operation, "POST", path, reply, PER_ADDRESS, weight, Retry.ACT)
    return Endpoint(*about, private=True, operation=operation, urgent=urgent)


INFO = _list("/info", wire.Market, DISPUTED)
PRICES = _list("/info/prices", wire.PriceRow, DISPUTED)
BOOK = _read("/book", Reply[wire.Book], DISPUTED)
TRADES = _list("/trades", wire.TradeRow)
FUNDING_RATE_HISTORY = _list("/funding_rate/history", wire.FundingPoint, HEAVY)
ACCOUNT = _read("/account", Reply[wire.Account], DISPUTED)
SETTINGS = _read("/account/settings", Reply[wire.Settings | list[wire.LeverageSetting]])
POSITIONS = _list("/positions", wire.PositionRow, DISPUTED)
ORDERS = _list("/orders", wire.OrderRow)
ORDERS_HISTORY = _list("/orders/history", wire.OrderRow, HEAVY)
ORDER_EVENTS = _list("/orders/history_by_id", wire.OrderRow, DISPUTED)
TRADES_HISTORY = _list("/trades/history", wire.FillRow, HEAVY)
FUNDING_HISTORY = _list("/funding/history", wire.PaymentRow, HEAVY)
CREATE_ORDER = _act("/orders/create", "create_order", Reply[wire.OrderRef])
CREATE_MARKET_ORDER = _act("/orders/create_market", "create_market_order", Reply[wire.OrderRef])
EDIT_ORDER = _act("/orders/edit", "edit_order", Reply[wire.OrderRef])
CANCEL_ORDER = _act("/orders/cancel", "cancel_order", Reply[Any], 0.5, urgent=True)
CANCEL_ALL_ORDERS = _act("/orders/cancel_all", "cancel_all_orders", Reply[Any], 0.5, urgent=True)
UPDATE_LEVERAGE = _act("/account/leverage", "update_leverage", Reply[Any])

BOOK_CHANNEL = Channel("book", DataFrame[wire.Book], SequenceRule.SNAPSHOT, conflate=True, silence_s_max=BOOK_SILENCE_S_MAX)
ORDERS_CHANNEL = _own("account_order_updates", wire.OrderUpdate, SequenceRule.NONE)
FILLS_CHANNEL = _own("account_trades", wire.FillUpdate, SequenceRule.NONE)
POSITIONS_CHANNEL = _own("account_positions", wire.PositionUpdate, SequenceRule.SNAPSHOT)
LEVERAGE_CHANNEL = Channel("account_leverage", DataFrame[wire.LeverageUpdate], SequenceRule.NONE)
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
