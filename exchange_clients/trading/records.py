"""What the journal holds: intents before they are sent, facts after. Replaying them gives back every belief."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.orders import Fill, Order
from exchange_clients.trading.intents import ActingIntent

SCHEMA_VERSION = 1


class RunStarted(msgspec.Struct, frozen=True, tag=True):
    """A process began to work on this journal. `run_id` names the orders of the whole journal."""

    run_id: str
    strategy: str


class Intended(msgspec.Struct, frozen=True, tag=True):
    """What is about to be done."""

    intent: ActingIntent


class SendRefused(msgspec.Struct, frozen=True, tag=True):
    """The order certainly did not happen: it never left, or the venue said no."""

    client_order_id: str
    reason: str


class SendUnknown(msgspec.Struct, frozen=True, tag=True):
    """The order was sent and no usable answer came; it may have happened."""

    client_order_id: str
    reason: str


class OrderSeen(msgspec.Struct, frozen=True, tag=True):
    """The venue reported an order."""

    order: Order


class OrderMissing(msgspec.Struct, frozen=True, tag=True):
    """The venue does not know the order now. `position_fits`: its position is what it would be had nothing more happened."""

    client_order_id: str
    position_fits: bool


class FillSeen(msgspec.Struct, frozen=True, tag=True):
    """The venue reported an execution."""

    fill: Fill


class FundingSeen(msgspec.Struct, frozen=True, tag=True):
    """The venue booked funding."""

    payment: FundingPayment


class WalletSeen(msgspec.Struct, frozen=True, tag=True):
    """Cash on a venue while we hold nothing there: the ledger is measured from here."""

    venue: str
    wallet: Decimal


class PairSettled(msgspec.Struct, frozen=True, tag=True):
    """A pair's ledger is final. `differences`: per venue wallet change − ledger; a venue with other open pairs is left out."""

    pair_id: str
    reason: str
    differences: dict[str, Decimal]


class RunStopped(msgspec.Struct, frozen=True, tag=True):
    """The process ended in good order. `reason`: for people."""

    reason: str


Record = (
    RunStarted
    | Intended
    | SendRefused
    | SendUnknown
    | OrderSeen
    | OrderMissing
    | FillSeen
    | FundingSeen
    | WalletSeen
    | PairSettled
    | RunStopped
)


class Entry(msgspec.Struct, frozen=True):
    """A record and when it was written, in market ms."""

    at_ms: int
    record: Record
