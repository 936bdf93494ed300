"""What an account has on the sandbox exchange, in venue-neutral terms. Money is Decimal; times are market milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from exchange_clients.domain.orders import Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side


class RejectReason(StrEnum):
    """Why the exchange said no, or ended an order that nobody cancelled."""

    WOULD_CROSS = "would_cross"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    BELOW_MINIMUM_NOTIONAL = "below_minimum_notional"
    BAD_TICK = "bad_tick"
    BAD_LOT = "bad_lot"
    ZERO_SIZE = "zero_size"
    REDUCE_ONLY = "reduce_only"
    PRICE_OUT_OF_BAND = "price_out_of_band"
    NO_LIQUIDITY = "no_liquidity"
    UNKNOWN_MARKET = "unknown_market"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    UNKNOWN_ORDER = "unknown_order"
    LEVERAGE = "leverage"
    SELF_TRADE = "self_trade"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    BAD_TRIGGER = "bad_trigger"


class Rejected(Exception):
    """The exchange refuses a request and nothing changed. `reason` for façades, `detail` for people."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Trigger:
    """What a stop or take-profit waits for: a mark at or `above` a price, or at or below it."""

    price: Decimal
    above: bool

    def is_due(self, mark: Decimal) -> bool:
        return mark >= self.price if self.above else mark <= self.price


@dataclass
class SandboxOrder:
    """An order. `price` None = market. `cost`: Σ size × price of what filled. `reason`: why it ended, "" when asked for.

    `trigger`: what it waits or waited for; it is PENDING until then.
    """

    order_id: int
    account: str
    venue_symbol: str
    side: Side
    size: Decimal
    filled: Decimal
    price: Decimal | None
    time_in_force: TimeInForce
    reduce_only: bool
    client_order_id: str | None
    status: OrderStatus
    reason: RejectReason | Literal[""]
    cost: Decimal
    created_ms: int
    updated_ms: int
    trigger: Trigger | None = None

    @property
    def waits(self) -> bool:
        """Whether its price has not come yet."""
        return self.trigger is not None and self.status is OrderStatus.PENDING

    @property
    def remaining(self) -> Decimal:
        return self.size - self.filled

    @property
    def average_price(self) -> Decimal | None:
        """Average fill price; None until something filled."""
        return self.cost / self.filled if self.filled else None


@dataclass(frozen=True)
class SandboxFill:
    """One execution of one order. `fee` positive when paid. `position_before`: signed. `order_remaining`: after this fill.

    `realised_pnl`: price result of what this fill closed. `realised_funding`: funding that it settled. `fee_asset`: the token
    that the fee was paid in, "" for the settlement currency.
    """

    fill_id: int
    order_id: int
    client_order_id: str | None
    account: str
    venue_symbol: str
    side: Side
    size: Decimal
    price: Decimal
    fee: Decimal
    liquidity: Liquidity
    time_ms: int
    position_before: Decimal
    realised_pnl: Decimal
    realised_funding: Decimal
    order_remaining: Decimal
    liquidation: bool = False
    fee_asset: str = ""

    @property
    def is_closing(self) -> bool:
        """Whether it takes from the position that stood before it."""
        return self.position_before * self.side.sign < 0

    @property
    def is_of_long(self) -> bool:
        """Whether the position that it opens or closes is a long one."""
        return (self.side is Side.BUY) != self.is_closing


@dataclass(frozen=True)
class SandboxFunding:
    """Funding booked. `amount` positive = received. `rate`: fraction per the venue's period, None when unknown.

    `index` and `fill_id` are set where funding accrues through an index (`fill_id` None when settled without a fill).
    """

    payment_id: int
    account: str
    venue_symbol: str
    amount: Decimal
    rate: Decimal | None
    position_size: Decimal
    time_ms: int
    index: Decimal | None
    fill_id: int | None


@dataclass
class SandboxPosition:
    """An open position. `size` signed; `cost`: Σ signed size × price of what is open; `funding_since_open`: booked, signed."""

    venue_symbol: str
    size: Decimal
    cost: Decimal
    leverage: int
    funding_index: Decimal | None
    opened_ms: int
    updated_ms: int
    funding_since_open: Decimal = Decimal(0)

    @property
    def entry_price(self) -> Decimal:
        """Average entry price."""
        return self.cost / self.size


@dataclass(frozen=True)
class SandboxTrade:
    """A public trade; `side` is the taker's."""

    trade_id: int
    venue_symbol: str
    side: Side
    price: Decimal
    size: Decimal
    time_ms: int
