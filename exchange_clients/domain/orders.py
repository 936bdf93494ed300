"""Orders and fills: commitments, so every number of money is a Decimal. All enums here are strict."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.numbers import EXACT, require_finite
from exchange_clients.domain.side import Side


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "gtc"
    IOC = "ioc"
    POST_ONLY = "post_only"


class OrderStatus(StrEnum):
    """What a venue says of an order.

    PENDING: received and not yet decided (queued for risk checks, or waiting for a trigger). A partly filled order that still
    rests is OPEN. CANCELLED and REJECTED may carry fills: look at `filled`.
    """

    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def is_terminal(self) -> bool:
        return self in (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED)


class Liquidity(StrEnum):
    """Which side of the spread a fill was on."""

    MAKER = "maker"
    TAKER = "taker"


class ByVenueId(msgspec.Struct, frozen=True, tag="venue"):
    """An order by the id that the venue gave it."""

    id: str


class ByClientId(msgspec.Struct, frozen=True, tag="client"):
    """An order by the id that we gave it."""

    id: str


OrderRef = ByVenueId | ByClientId


class OrderRequest(msgspec.Struct, frozen=True):
    """An order we want. `size` > 0 in venue units, already on the instrument's grid. `price` None means a market order.

    `client_order_id`: a UUID as `str(uuid)` writes it. `urgent`: a hedge or an exit, which may use the whole of a request budget.
    """

    client_order_id: str
    instrument: Instrument
    side: Side
    size: Decimal
    price: Decimal | None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    urgent: bool = False

    def reported(
        self,
        status: OrderStatus,
        time_ms: int,
        *,
        venue_order_id: str,
        filled: Decimal,
        average_price: Decimal | None = None,
        reason: str = "",
    ) -> "Order":
        """What a venue's answer to this request says, as an Order."""
        return Order(
            venue=self.instrument.venue,
            symbol=self.instrument.symbol,
            venue_order_id=venue_order_id,
            client_order_id=self.client_order_id,
            side=self.side,
            size=self.size,
            filled=filled,
            price=self.price,
            average_price=average_price,
            status=status,
            reduce_only=self.reduce_only,
            reason=reason,
            updated_ms=time_ms,
            time_in_force=self.time_in_force,
        )


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue reports about one order, at `updated_ms` of the venue's clock.

    `size` and `filled` in venue units, `filled` cumulative. `average_price` is None until something filled or where the venue
    does not say, `time_in_force` where the venue does not tell it. `reason` holds the venue's own words for a cancellation or
    rejection, else "".
    """

    venue: str
    symbol: str
    venue_order_id: str
    client_order_id: str | None
    side: Side
    size: Decimal
    filled: Decimal
    price: Decimal | None
    average_price: Decimal | None
    status: OrderStatus
    reduce_only: bool
    reason: str
    updated_ms: int
    time_in_force: TimeInForce | None = None

    def __post_init__(self) -> None:
        require_finite(self, self.size, self.filled, self.price, self.average_price)

    @property
    def remaining(self) -> Decimal:
        return EXACT.subtract(self.size, self.filled)

    @property
    def ref(self) -> OrderRef:
        """How to ask the venue for this order: by its own id once that is known."""
        return ByVenueId(self.venue_order_id) if self.venue_order_id else ByClientId(self.client_order_id or "")


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `fee` in `fee_asset`, positive when paid, negative for a rebate. `fill_id` is unique on the venue."""

    venue: str
    symbol: str
    fill_id: str
    venue_order_id: str
    client_order_id: str | None
    side: Side
    size: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    time_ms: int

    def __post_init__(self) -> None:
        require_finite(self, self.size, self.price, self.fee)
