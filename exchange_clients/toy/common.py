"""Toy as data: addresses, fees, budgets, calls, channels and refusals.

Source: venue sheet sections 1, 4, 7, 8, 9 and 10.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from exchange_clients import errors
from exchange_clients.base import ALL_STREAMS, LIMIT_ORDERS, Capability
from exchange_clients.domain import Environment, FeeRates
from exchange_clients.engine.channel_frames import DataFrame
from exchange_clients.engine.endpoint import Channel, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.spec import Urls, VenueSpec
from exchange_clients.toy import wire
from exchange_clients.toy.wire import Reply

SPEC = VenueSpec(
    name=wire.VENUE,
    display_name="Toy",
    urls={
        Environment.LIVE: Urls("https://api.toy.example/api/v1", "wss://api.toy.example/ws"),
        Environment.TESTNET: Urls("https://test.toy.example/api/v1", "wss://test.toy.example/ws"),
    },
    rest_path="/api/v1",
    websocket_path="/ws",
    credential_fields=("api_key", "api_secret"),
    fees=FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005")),
    funding_interval_hours=Decimal(1),
    symbol_format="{base}" + wire.PERP,
    rate_limit_per_minute=1200,
    capabilities=LIMIT_ORDERS
    | ALL_STREAMS
    | {Capability.AMEND, Capability.CANCEL_ALL, Capability.MARKET, Capability.FETCH_BY_CLIENT_ID}
    | {Capability.SET_LEVERAGE, Capability.FUNDING_HISTORY},
    client="exchange_clients.toy.client:ToyClient",
    adapter="exchange_clients.toy.funding_adapter:ToyFundingAdapter",
    sandbox="exchange_clients.toy.sandbox:ToySandbox",
)

PER_ADDRESS = Meter("requests per IP", capacity=1200, window_s=60)
PER_ACCOUNT = Meter("orders per account", capacity=300, window_s=10)
SIGNED_FOR_MS = 5_000
BOOK_SILENCE_S_MAX = 15.0
ROWS_MAX = 500
ROWS = list[msgspec.Raw]  # read one by one, so that an odd one does not take the others along


def _read(path: str, reply: Any, weight: float = 1, *, private: bool = False) -> Endpoint:
    return Endpoint(f"GET {path}", "GET", path, Reply[reply], PER_ADDRESS, weight, private=private)


def _act(method: str, path: str, reply: Any, *, urgent: bool = False) -> Endpoint:
    also = ((PER_ACCOUNT, 1.0),)
    return Endpoint(
        f"{method} {path}", method, path, Reply[reply], PER_ADDRESS, retry=Retry.ACT, private=True, also=also, urgent=urgent
    )


MARKETS = _read("/markets", ROWS)
FIGURES = _read("/figures", ROWS)
BOOK = _read("/book", wire.Book)
TRADES = _read("/trades", ROWS)
FUNDING = _read("/funding", list[wire.FundingPoint], 5)
ORDER = _read("/order", wire.OrderRow, private=True)
ORDERS = _read("/orders", ROWS, private=True)
FILLS = _read("/fills", ROWS, 5, private=True)
POSITIONS = _read("/positions", ROWS, private=True)
BALANCE = _read("/balance", wire.BalanceRow, private=True)
PAYMENTS = _read("/payments", ROWS, 5, private=True)
FEES = _read("/fees", wire.Fees, private=True)
LEVERAGE = _read("/leverage", int, private=True)
PLACE = _act("POST", "/order", wire.OrderRow)
AMEND = _act("PUT", "/order", wire.OrderRow)
CANCEL = _act("DELETE", "/order", wire.OrderRow, urgent=True)
CANCEL_ALL = _act("DELETE", "/orders", int, urgent=True)
SET_LEVERAGE = _act("POST", "/leverage", int)

BOOK_CHANNEL = Channel(
    "book",
    DataFrame[wire.Book],
    SequenceRule.SNAPSHOT,
    conflate=True,
    silence_s_max=BOOK_SILENCE_S_MAX,
    keyed_by=b'"market":"',
    body=wire.Book,
)
ORDERS_CHANNEL = Channel("orders", DataFrame[ROWS], SequenceRule.NONE, private=True)
FILLS_CHANNEL = Channel("fills", DataFrame[ROWS], SequenceRule.NONE, private=True)
ACCOUNT_CHANNEL = Channel("account", DataFrame[wire.AccountRow], SequenceRule.SNAPSHOT, private=True, conflate=True)

REFUSALS: dict[str, type[errors.Refused]] = {
    "BAD_SIGNATURE": errors.AuthenticationFailed,
    "LOGIN_REQUIRED": errors.AuthenticationFailed,
    "ORDER_NOT_FOUND": errors.OrderNotFound,
    "WOULD_CROSS": errors.WouldCross,
    "INSUFFICIENT_MARGIN": errors.InsufficientMargin,
    "TOO_SMALL": errors.BelowMinimum,
    "REDUCE_ONLY": errors.ReduceOnlyViolated,
    "PRICE_OUT_OF_BAND": errors.PriceOutOfBand,
    "MAINTENANCE": errors.VenueClosed,
}
