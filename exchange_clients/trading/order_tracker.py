"""What we believe of each of our orders.

    CREATED ──sent──► SENT ──no answer──► UNCONFIRMED ──gone──► NEVER_ARRIVED
                       │                      │
                       ├──report──► PENDING ──┼──► OPEN ──► FILLED
                       └──refused─► REJECTED  └────────────► CANCELLED

An order in doubt is UNCONFIRMED since a time, never silently rejected. Absence is proof only after it was seen repeatedly
over a settling time, with no fills and the position unchanged. What is terminal stays terminal, except that money has the last
word: a fill always counts, whatever the state says, and an order that was believed never to have arrived comes back with
its report. Reports and fills tell of the same quantity twice, so filled = max(reported cumulative, Σ fills), never less
than before. The table below is the whole machine; a pair that is not in it can't happen and raises.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange_clients.domain.orders import Fill, Order, OrderRequest, OrderStatus
from exchange_clients.trading.intents import PlaceIntent, Purpose


class OrderState(StrEnum):
    """What we believe of an order."""

    CREATED = "created"
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"
    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NEVER_ARRIVED = "never_arrived"

    @property
    def is_done(self) -> bool:
        return self in (OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.NEVER_ARRIVED)


class Fact(StrEnum):
    """What can be learnt of an order. FILL_PART and FILL_ALL: executions add up to less than, or to, its size."""

    SENT = "sent"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    SAID_PENDING = "said_pending"
    SAID_OPEN = "said_open"
    SAID_FILLED = "said_filled"
    SAID_CANCELLED = "said_cancelled"
    SAID_REJECTED = "said_rejected"
    FILL_PART = "fill_part"
    FILL_ALL = "fill_all"
    GONE = "gone"


class ImpossibleTransition(Exception):
    """A fact that can't follow the state: a bug here or another process using our order ids. The bot stops."""


def _rows(states: str, facts: str, target: str) -> dict[tuple[OrderState, Fact], OrderState]:
    """Rows for every state × fact; target "=" stays where it is."""
    return {
        (OrderState(state), Fact(fact)): OrderState(state if target == "=" else target)
        for state in states.split()
        for fact in facts.split()
    }


TRANSITIONS: dict[tuple[OrderState, Fact], OrderState] = (
    _rows("created", "sent", "sent")
    | _rows("sent", "unknown", "unconfirmed")
    | _rows("sent unconfirmed pending", "refused said_rejected", "rejected")
    | _rows("sent unconfirmed pending", "said_pending", "pending")
    | _rows("sent unconfirmed pending open", "said_open fill_part", "open")
    | _rows("sent unconfirmed pending open", "said_filled fill_all", "filled")
    | _rows("sent unconfirmed pending open", "said_cancelled", "cancelled")
    | _rows("open", "said_pending", "=")  # a report that was overtaken
    | _rows("open", "said_rejected", "rejected")
    | _rows("open", "refused", "unconfirmed")  # the venue contradicts itself: ask again
    | _rows("unconfirmed pending open", "unknown", "=")  # a stream was quicker than the lost reply
    | _rows("unconfirmed", "gone", "never_arrived")
    | _rows("pending open", "gone", "cancelled")
    | _rows("filled cancelled rejected", "unknown refused said_pending said_open gone fill_part", "=")
    | _rows("filled", "said_filled said_cancelled said_rejected fill_all", "=")
    | _rows("cancelled rejected", "said_cancelled said_rejected", "=")
    | _rows("cancelled rejected", "said_filled fill_all", "filled")
    | _rows("never_arrived", "unknown refused gone", "=")
    | _rows("never_arrived", "said_pending", "pending")
    | _rows("never_arrived", "said_open fill_part", "open")
    | _rows("never_arrived", "said_filled fill_all", "filled")
    | _rows("never_arrived", "said_cancelled", "cancelled")
    | _rows("never_arrived", "said_rejected", "rejected")
)

_SAID = {
    OrderStatus.PENDING: Fact.SAID_PENDING,
    OrderStatus.OPEN: Fact.SAID_OPEN,
    OrderStatus.FILLED: Fact.SAID_FILLED,
    OrderStatus.CANCELLED: Fact.SAID_CANCELLED,
    OrderStatus.REJECTED: Fact.SAID_REJECTED,
}


class TrackedOrder(msgspec.Struct, frozen=True):
    """Our belief of one order. Quantities in venue units; `since_ms`: when the state was entered; `sent_ms`: when it left."""

    pair_id: str
    purpose: Purpose
    request: OrderRequest
    state: OrderState
    since_ms: int
    sent_ms: int
    venue_order_id: str | None = None
    reported: Decimal = Decimal(0)
    executed: Decimal = Decimal(0)
    reason: str = ""
    missing_since_ms: int | None = None
    missing_count: int = 0

    @property
    def filled(self) -> Decimal:
        """Cumulative quantity, the larger of what reports and executions say."""
        return max(self.reported, self.executed)

    @property
    def signed_filled(self) -> Decimal:
        return self.filled * self.request.side.sign

    @property
    def is_done(self) -> bool:
        return self.state.is_done

    @property
    def client_order_id(self) -> str:
        return self.request.client_order_id


class OrderTracker:
    """All orders of a journal by client order id. Every method returns the order as it is believed now.

    `references`: the mid at the decision of each order, on its instrument's grid. `names_of_pair`: ids by pair, oldest first.
    `gone_after_ms`, `gone_readings`: over how long and how often an order must be missing before it counts as gone.
    """

    def __init__(self, gone_after_ms: int = 10_000, gone_readings: int = 3) -> None:
        self.orders: dict[str, TrackedOrder] = {}
        self.references: dict[str, Decimal] = {}
        self.names_of_pair: dict[str, list[str]] = {}
        self._by_venue_id: dict[tuple[str, str], str] = {}
        self._seen_fills: set[tuple[str, str]] = set()
        self._orphans: list[Fill] = []
        self._gone_after_ms = gone_after_ms
        self._gone_readings = gone_readings

    def sent(self, intent: PlaceIntent, now_ms: int) -> TrackedOrder:
        """The order is about to leave. Raises ImpossibleTransition when its id was used before."""
        request = intent.request
        if request.client_order_id in self.orders:
            raise ImpossibleTransition(f"order {request.client_order_id} was sent before")
        self.references[request.client_order_id] = intent.reference_price
        self.names_of_pair.setdefault(intent.pair_id, []).append(request.client_order_id)
        created = TrackedOrder(intent.pair_id, intent.purpose, request, OrderState.CREATED, now_ms, now_ms)
        return self._learn(created, Fact.SENT, now_ms)

    def refused(self, client_order_id: str, reason: str, now_ms: int) -> TrackedOrder:
        """It certainly did not happen."""
        return self._learn(self.orders[client_order_id], Fact.REFUSED, now_ms, reason=reason)

    def unknown(self, client_order_id: str, reason: str, now_ms: int) -> TrackedOrder:
        """It may have happened."""
        return self._learn(self.orders[client_order_id], Fact.UNKNOWN, now_ms, reason=reason)

    def report(self, order: Order, now_ms: int) -> tuple[TrackedOrder | None, tuple[Fill, ...]]:
        """The venue described an order. Returns it (None when it is not ours) and executions that find their owner by it."""
        mine = self._owner(order.venue, order.client_order_id, order.venue_order_id)
        if mine is None:
            return None, ()
        self._by_venue_id[(order.venue, order.venue_order_id)] = mine.client_order_id
        told = msgspec.structs.replace(
            mine,
            venue_order_id=order.venue_order_id,
            reported=max(mine.reported, order.filled),
            missing_since_ms=None,
            missing_count=0,
        )
        self._learn(told, _SAID[order.status], now_ms, reason=order.reason)
        found, self._orphans = _split(self._orphans, order.venue, order.venue_order_id)
        for fill in found:
            self._execute(self.orders[mine.client_order_id], fill, now_ms)
        return self.orders[mine.client_order_id], tuple(found)

    def fill(self, fill: Fill, now_ms: int) -> TrackedOrder | None:
        """An execution. Returns the order it belongs to; None for a repeat or one whose owner is not known (see `foreign`)."""
        key = (fill.venue, fill.fill_id)
        if key in self._seen_fills:
            return None
        self._seen_fills.add(key)
        mine = self._owner(fill.venue, fill.client_order_id, fill.venue_order_id)
        if mine is None:
            self._orphans.append(fill)
            return None
        return self._execute(mine, fill, now_ms)

    def owns(self, venue: str, client_order_id: str | None, venue_order_id: str) -> bool:
        """Whether an order with one of these ids is ours."""
        return self._owner(venue, client_order_id, venue_order_id) is not None

    def owner_of(self, fill: Fill) -> TrackedOrder | None:
        """The order that an execution belongs to, as far as is known."""
        return self._owner(fill.venue, fill.client_order_id, fill.venue_order_id)

    def knows_fill(self, fill: Fill) -> bool:
        """Whether this execution was taken in before."""
        return (fill.venue, fill.fill_id) in self._seen_fills

    def missing(self, client_order_id: str, position_fits: bool, now_ms: int) -> TrackedOrder:
        """The venue does not know the order. It counts as gone after enough such readings over the settling time."""
        order = self.orders[client_order_id]
        if order.is_done or order.state is OrderState.SENT:
            return order
        if not position_fits:
            order = msgspec.structs.replace(order, missing_since_ms=None, missing_count=0)
            self.orders[client_order_id] = order
            return order
        since = order.missing_since_ms if order.missing_since_ms is not None else now_ms
        order = msgspec.structs.replace(order, missing_since_ms=since, missing_count=order.missing_count + 1)
        self.orders[client_order_id] = order
        if order.missing_count < self._gone_readings or now_ms - since < self._gone_after_ms:
            return order
        return self._learn(order, Fact.GONE, now_ms, reason="the venue never knew it")

    def foreign(self) -> tuple[Fill, ...]:
        """Take out the executions that can't be of an order of ours: no order on that market still waits for its venue id."""
        if not self._orphans:
            return ()
        waiting = {
            (o.request.instrument.venue, o.request.instrument.symbol)
            for o in self.orders.values()
            if o.venue_order_id is None and o.state in (OrderState.SENT, OrderState.UNCONFIRMED)
        }
        kept = [f for f in self._orphans if (f.venue, f.symbol) in waiting]
        foreign = tuple(f for f in self._orphans if (f.venue, f.symbol) not in waiting)
        self._orphans = kept
        return foreign

    def _owner(self, venue: str, client_order_id: str | None, venue_order_id: str) -> TrackedOrder | None:
        """The venue's id decides once it is known: it is unique there, and ours need not be (an older run's, another program's)."""
        name = self._by_venue_id.get((venue, venue_order_id), client_order_id)
        return self.orders.get(name) if name is not None else None

    def _execute(self, order: TrackedOrder, fill: Fill, now_ms: int) -> TrackedOrder:
        executed = order.executed + fill.size
        self._by_venue_id[(fill.venue, fill.venue_order_id)] = order.client_order_id
        told = msgspec.structs.replace(order, executed=executed, venue_order_id=fill.venue_order_id)
        return self._learn(told, Fact.FILL_ALL if executed >= order.request.size else Fact.FILL_PART, now_ms)

    def _learn(self, order: TrackedOrder, fact: Fact, now_ms: int, reason: str = "") -> TrackedOrder:
        state = TRANSITIONS.get((order.state, fact))
        if state is None:
            raise ImpossibleTransition(f"order {order.client_order_id} is {order.state} and can't be {fact}")
        changed = state is not order.state
        learnt = msgspec.structs.replace(
            order, state=state, since_ms=now_ms if changed else order.since_ms, reason=reason or order.reason
        )
        self.orders[order.client_order_id] = learnt
        return learnt


def _split(fills: list[Fill], venue: str, venue_order_id: str) -> tuple[list[Fill], list[Fill]]:
    mine = [f for f in fills if f.venue == venue and f.venue_order_id == venue_order_id]
    return mine, [f for f in fills if f not in mine]
