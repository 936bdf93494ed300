"""Frozen values that every part of the system shares. Standard library and msgspec only; no I/O, no clock."""

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.assets import Asset, identify
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.events import (
    AccountEvent,
    BookEvent,
    Connected,
    Connectivity,
    FillEvent,
    Lost,
    OrderEvent,
    Resumed,
)
from exchange_clients.domain.funding import FundingKind, FundingObservation, FundingPayment, FundingRate, RawRate
from exchange_clients.domain.instruments import Instrument, PriceRule, wire_text
from exchange_clients.domain.market import Level, MarketStats, Measure, OrderBook, Quote, Trade, to_levels
from exchange_clients.domain.numbers import exact, float_number, said_number, text_number, total
from exchange_clients.domain.orders import (
    ByClientId,
    ByVenueId,
    Fill,
    Liquidity,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    TimeInForce,
)
from exchange_clients.domain.provenance import Environment, Provenance
from exchange_clients.domain.side import Side
from exchange_clients.domain.times import from_ms, to_ms

__all__ = [
    "AccountEvent",
    "Asset",
    "Balance",
    "BookEvent",
    "ByClientId",
    "ByVenueId",
    "Connected",
    "Connectivity",
    "Credentials",
    "Environment",
    "FeeRates",
    "Fill",
    "FillEvent",
    "FundingKind",
    "FundingObservation",
    "FundingPayment",
    "FundingRate",
    "Instrument",
    "Level",
    "Liquidity",
    "Lost",
    "MarketStats",
    "Measure",
    "Order",
    "OrderBook",
    "OrderEvent",
    "OrderRef",
    "OrderRequest",
    "OrderStatus",
    "Position",
    "PriceRule",
    "Provenance",
    "Quote",
    "RawRate",
    "Resumed",
    "Side",
    "TimeInForce",
    "Trade",
    "exact",
    "float_number",
    "from_ms",
    "identify",
    "said_number",
    "text_number",
    "to_levels",
    "to_ms",
    "total",
    "wire_text",
]
