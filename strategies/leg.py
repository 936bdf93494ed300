"""One leg of a pair: what we hold, what is under way, what we see."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.market import OrderBook
from exchange_clients.domain.side import Side
from exchange_clients.trading.order_tracker import OrderState, TrackedOrder
from strategies.pair_arithmetic import smallest_order, venue_size
from strategies.preflight import LegView


@dataclass
class Leg:
    """`side` opens it. `carried`: signed position (venue units) that none of `orders` explains. Times in market ms.

    `asked`: client id of an order that was asked for and not yet heard of. `attempts`: orders in a row that filled nothing.
    `differs`: a position read from the venue that is not ours, and when; the second such reading replaces our belief.
    `verified_ms`: when the venue last agreed with us.
    """

    instrument: Instrument
    side: Side
    carried: Decimal = Decimal(0)
    orders: dict[str, TrackedOrder] = field(default_factory=dict)
    asked: str | None = None
    attempts: int = 0
    next_ms: int = 0
    book: OrderBook | None = None
    book_ms: int = 0
    book_asked_ms: int = 0
    resolve_asked_ms: int = 0
    account_asked_ms: int = 0
    quiet_since_ms: int = 0
    verified_ms: int = -1
    differs: tuple[Decimal, int] | None = None
    available_usd: Decimal | None = None
    lost: set[str] = field(default_factory=set)

    @property
    def signed(self) -> Decimal:
        """Position in venue units, negative = short."""
        return sum((o.signed_filled for o in self.orders.values()), self.carried)

    @property
    def held(self) -> Decimal:
        """Position in the direction of the plan, venue units; negative when it points the wrong way."""
        return self.signed * self.side.sign

    @property
    def held_base(self) -> Decimal:
        return self.held * self.instrument.multiplier

    @property
    def working(self) -> TrackedOrder | None:
        """The order that is not done, if any."""
        return next((o for o in self.orders.values() if not o.is_done), None)

    @property
    def is_busy(self) -> bool:
        return self.asked is not None or self.working is not None

    def is_at(self, venue: str, symbol: str) -> bool:
        return (self.instrument.venue, self.instrument.symbol) == (venue, symbol)

    def view(self) -> LegView:
        """The leg as preflight sees it."""
        return LegView(self.instrument, self.side, self.book, self.book_ms, self.available_usd)

    def sees(self, now_ms: int, stale_after_ms: int) -> bool:
        """Whether its book can be traded on."""
        book = self.book
        return book is not None and book.mid is not None and not book.is_crossed() and now_ms - self.book_ms <= stale_after_ms

    def is_undecided(self, now_ms: int, doubt_after_ms: int) -> bool:
        """Whether the venue should be asked what became of the working order."""
        order = self.working
        if order is None:
            return False
        return order.state is OrderState.UNCONFIRMED or now_ms - order.sent_ms > doubt_after_ms

    def orders_since(self, start_ms: int) -> bool:
        """Whether an order was sent at or after `start_ms`."""
        return any(o.sent_ms >= start_ms for o in self.orders.values())

    def hear_order(self, order: TrackedOrder, now_ms: int) -> None:
        """Take in the news of an order."""
        before = self.orders.get(order.client_order_id)
        self.orders[order.client_order_id] = order
        if self.asked == order.client_order_id:
            self.asked = None
        if order.filled > (before.filled if before else Decimal(0)):
            self.attempts = 0
        if order.is_done:
            self.quiet_since_ms = now_ms

    def hear_feed(self, feed: str, lost: bool) -> None:
        """A stream of this leg went blind or sees again; a book that is no longer kept up to date is forgotten."""
        if not lost:
            self.lost.discard(feed)
            return
        self.lost.add(feed)
        if feed == "book":
            self.book = None

    def compare(self, actual: Decimal, asked_ms: int, settle_ms: int) -> Decimal | None:
        """The venue's position, read at rest. Returns the difference to adopt once two readings agree, else None."""
        if self.is_busy or asked_ms < self.quiet_since_ms:
            return None
        if actual == self.signed:
            self.differs, self.verified_ms = None, asked_ms
            return None
        if self.differs is None or self.differs[0] != actual:
            self.differs = (actual, asked_ms)
            return None
        return actual - self.signed if asked_ms - self.differs[1] >= settle_ms else None

    def adopt(self, difference: Decimal, now_ms: int) -> None:
        """The venue wins."""
        self.carried += difference
        self.differs, self.quiet_since_ms = None, now_ms

    def can_open(self, size_base: Decimal) -> bool:
        """Whether the venue takes an opening order of this size (base units)."""
        return size_base > 0 and venue_size(self.instrument, size_base) >= self._smallest()

    def can_reduce(self, size_base: Decimal) -> bool:
        """Whether a reducing order of this size makes sense: all of it, or no less than the venue's minimum."""
        units = min(venue_size(self.instrument, max(size_base, Decimal(0))), abs(self.signed))
        return units > 0 and (units == abs(self.signed) or units >= self._smallest())

    def _smallest(self) -> Decimal:
        if self.book is None or self.book.mid is None:
            return max(self.instrument.min_size, self.instrument.lot_size)
        return smallest_order(self.instrument, self.instrument.round_price(self.book.mid, Side.BUY))
