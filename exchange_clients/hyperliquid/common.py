"""Hyperliquid as data: addresses, fees, budgets, calls, channels and refusals. Source: venue sheet sections 1, 4, 7, 9 and 10."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Raw

from exchange_clients import errors
from exchange_clients.base import ALL_STREAMS, LIMIT_ORDERS, Capability
from exchange_clients.domain import Environment, FeeRates
from exchange_clients.engine.endpoint import Channel, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.hyperliquid import wire
from exchange_clients.spec import Urls, VenueSpec

SPEC = VenueSpec(
    name=wire.VENUE,
    display_name="Hyperliquid",
    urls={
        Environment.LIVE: Urls("https://api.hyperliquid.xyz", "wss://api.hyperliquid.xyz/ws"),
        Environment.TESTNET: Urls("https://api.hyperliquid-testnet.xyz", "wss://api.hyperliquid-testnet.xyz/ws"),
    },
    rest_path="",
    websocket_path="/ws",
    credential_fields=("private_key", "account_address"),
    fees=FeeRates(maker=Decimal("0.00015"), taker=Decimal("0.00045")),
    funding_interval_hours=Decimal(1),
    symbol_format="{base}",
    rate_limit_per_minute=1200,
    capabilities=LIMIT_ORDERS
    | ALL_STREAMS
    | {Capability.AMEND, Capability.FETCH_BY_CLIENT_ID, Capability.SET_LEVERAGE, Capability.FUNDING_HISTORY},
    client="exchange_clients.hyperliquid.client:HyperliquidClient",
    adapter="exchange_clients.hyperliquid.funding_adapter:HyperliquidFundingAdapter",
    sandbox="exchange_clients.hyperliquid.sandbox:HyperliquidSandbox",
    extra="hyperliquid",
)

PER_ADDRESS = Meter("weight per IP", capacity=1200, window_s=60)
ACTIONS = Meter("actions per account", capacity=1200, window_s=60)
CANCELS = Meter("cancellations per account", capacity=1200, window_s=60)
"""An account's own budget is counted over its life and told by a refusal only; these are what such a refusal closes: neither the
reads of everybody behind this address, nor cancellations, which the venue grants more of. Source: gitbook "Rate limits"."""


def _info(operation: str, reply: Any, weight: float = 20, rows_per_unit: int = 0) -> Endpoint:
    return Endpoint(operation, "POST", "/info", reply, PER_ADDRESS, weight, operation=operation, rows_per_unit=rows_per_unit)


def _exchange(operation: str, meter: Meter = ACTIONS) -> Endpoint:
    terms = (wire.ExchangeReply, meter, 1, Retry.ACT)
    also = ((PER_ADDRESS, 1.0),)
    return Endpoint(
        operation, "POST", "/exchange", *terms, private=True, operation=operation, also=also, urgent=meter is CANCELS
    )


META = _info("meta", wire.Meta)
META_AND_CONTEXTS = _info("metaAndAssetCtxs", tuple[wire.Meta, list[Raw]])
L2_BOOK = _info("l2Book", wire.L2Book | None, 2)
RECENT_TRADES = _info("recentTrades", list[Raw], rows_per_unit=20)
FUNDING_HISTORY = _info("fundingHistory", list[wire.FundingPoint], rows_per_unit=20)
OPEN_ORDERS = _info("frontendOpenOrders", list[Raw])
ORDER_STATUS = _info("orderStatus", wire.OrderStatusReply, 2)
USER_FILLS = _info("userFillsByTime", list[Raw], rows_per_unit=20)
USER_FUNDING = _info("userFunding", list[Raw], rows_per_unit=20)
CLEARINGHOUSE = _info("clearinghouseState", wire.ClearinghouseState, 2)
SPOT_STATE = _info("spotClearinghouseState", wire.SpotState, 2)
USER_ABSTRACTION = _info("userAbstraction", wire.AccountMode)
USER_FEES = _info("userFees", wire.UserFees)
USER_ROLE = _info("userRole", wire.UserRole, 60)
VAULT_DETAILS = _info("vaultDetails", wire.VaultDetails)
ORDER = _exchange("order")
CANCEL = _exchange("cancel", CANCELS)
CANCEL_BY_CLOID = _exchange("cancelByCloid", CANCELS)
BATCH_MODIFY = _exchange("batchModify")
UPDATE_LEVERAGE = _exchange("updateLeverage")

BOOK_CHANNEL = Channel("l2Book", wire.L2BookFrame, SequenceRule.SNAPSHOT, conflate=True, silence_s_max=60, keyed_by=b'"coin":"')
ORDERS_CHANNEL = Channel("orderUpdates", wire.OrderUpdatesFrame, SequenceRule.NONE)
FILLS_CHANNEL = Channel("userFills", wire.UserFrame, SequenceRule.NONE)
PERPS_CHANNEL = Channel("clearinghouseState", wire.UserFrame, SequenceRule.SNAPSHOT)
SPOT_CHANNEL = Channel("spotState", wire.UserFrame, SequenceRule.SNAPSHOT)

# The venue states refusals in words only; these are the parts that stay the same (venue sheet section 7; gitbook "Error responses").
REFUSALS: dict[str, type[errors.Refused]] = {
    "Post only order would have immediately matched": errors.WouldCross,
    "Only post-only orders allowed": errors.VenueClosed,
    "Trading is halted": errors.VenueClosed,
    "Insufficient margin": errors.InsufficientMargin,
    "Must deposit before performing actions": errors.InsufficientMargin,
    "minimum value": errors.BelowMinimum,
    "Order has zero size": errors.BelowMinimum,
    "Reduce only order would increase": errors.ReduceOnlyViolated,
    "away from the reference price": errors.PriceOutOfBand,
    "too far from oracle": errors.PriceOutOfBand,
    "open interest": errors.OrderRejected,
    "margin tier": errors.OrderRejected,
    "divisible by tick size": errors.OrderRejected,
    "never placed, already canceled, or filled": errors.OrderNotFound,
    "Cannot modify canceled or filled order": errors.OrderNotFound,
    "User or API Wallet": errors.AuthenticationFailed,
    "Vault not registered": errors.AuthenticationFailed,
    "nonce": errors.AuthenticationFailed,
    "expired": errors.Refused,
    "Cross margin is not allowed": errors.Refused,
}
