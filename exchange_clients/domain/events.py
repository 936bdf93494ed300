"""What streams say. Connectivity is an event like any other, so that a strategy can stand still while it is blind."""

import msgspec

from exchange_clients.domain.account import Balance, Position
from exchange_clients.domain.market import OrderBook
from exchange_clients.domain.orders import Fill, Order


class Connected(msgspec.Struct, frozen=True):
    """The subscription is confirmed for the first time; what follows is live."""

    venue: str
    topic: str


class Lost(msgspec.Struct, frozen=True):
    """The stream is blind since now. `reason`: for people."""

    venue: str
    topic: str
    reason: str


class Resumed(msgspec.Struct, frozen=True):
    """The subscription is confirmed again after a loss. Anything may have happened between: fetch what matters."""

    venue: str
    topic: str


Connectivity = Connected | Lost | Resumed


class BookEvent(msgspec.Struct, frozen=True, gc=False):
    """A fresh state of a book."""

    book: OrderBook


class OrderEvent(msgspec.Struct, frozen=True):
    """The venue reports an order."""

    order: Order


class FillEvent(msgspec.Struct, frozen=True):
    """The venue reports an execution. The same fill may arrive more than once; `fill.fill_id` tells."""

    fill: Fill


class AccountEvent(msgspec.Struct, frozen=True):
    """The venue reports the account.

    `positions`: every open position (a market that is not listed is flat), or None when this frame says nothing of positions.
    `balance`: None when this frame says nothing of money.
    """

    venue: str
    positions: tuple[Position, ...] | None
    balance: Balance | None
