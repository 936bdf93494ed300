"""Everything the bot believes, as the sum of its journal: live and after a restart the same records give the same beliefs."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import Fill
from exchange_clients.domain.side import Side
from exchange_clients.trading.events import Event, ForeignFill, FundingPaid, OrderUpdate, PairReconciled
from exchange_clients.trading.intents import (
    ActingIntent,
    AdoptPositionIntent,
    ClosePairIntent,
    OpenPairIntent,
    PairPlan,
    PlaceIntent,
)
from exchange_clients.trading.ledger import Ledger
from exchange_clients.trading.order_tracker import OrderTracker, TrackedOrder
from exchange_clients.trading.records import (
    Entry,
    FillSeen,
    FundingSeen,
    Intended,
    OrderMissing,
    OrderSeen,
    PairSettled,
    Record,
    RunStarted,
    SendRefused,
    SendUnknown,
    WalletSeen,
)


class OpenPair(msgspec.Struct, frozen=True):
    """A pair whose ledger is not final. `closing`: why it is being settled, "" while it is not. `extra`: signed position by
    (venue, symbol) that no order of ours explains (liquidations, adopted differences)."""

    plan: PairPlan
    opened_ms: int
    closing: str = ""
    extra: dict[tuple[str, str], Decimal] = {}

    def trades(self, venue: str, symbol: str) -> bool:
        """Whether one of its legs is on this market."""
        return any((i.venue, i.symbol) == (venue, symbol) for i in (self.plan.long, self.plan.short))


class Beliefs:
    """Orders, pairs, books and wallets. `apply` is the only way in."""

    def __init__(self, gone_after_ms: int = 10_000) -> None:
        self.tracker = OrderTracker(gone_after_ms)
        self.ledger = Ledger()
        self.open_pairs: dict[str, OpenPair] = {}
        self.settled: list[tuple[int, str]] = []
        self.run_id: str | None = None
        self.strategy = ""
        self.orders_named = 0
        self.pairs_named = 0
        self.wallets: dict[str, Decimal] = {}
        self._since_wallet: dict[str, list[str]] = {}
        self._payments: set[tuple[str, str]] = set()

    def apply(self, entry: Entry) -> tuple[Event, ...]:
        """Take in one record. Returns what a strategy should hear of it."""
        record, now_ms = entry.record, entry.at_ms
        match record:
            case RunStarted(run_id=run_id, strategy=strategy):
                self.run_id, self.strategy = self.run_id or run_id, strategy
            case Intended(intent=intent):
                return self._intend(intent, now_ms)
            case SendRefused(client_order_id=name, reason=reason):
                return (OrderUpdate(self.tracker.refused(name, reason, now_ms)),)
            case SendUnknown(client_order_id=name, reason=reason):
                return (OrderUpdate(self.tracker.unknown(name, reason, now_ms)),)
            case OrderMissing(client_order_id=name, position_fits=fits):
                return (OrderUpdate(self.tracker.missing(name, fits, now_ms)),)
            case OrderSeen(order=order):
                mine, executions = self.tracker.report(order, now_ms)
                for fill in executions:
                    self._book(fill, mine)
                return (OrderUpdate(mine), *self._foreign()) if mine is not None else ()
            case FillSeen(fill=fill):
                owner = self.tracker.fill(fill, now_ms)
                if owner is None:
                    return self._foreign()
                self._book(fill, owner)
                return (OrderUpdate(owner),)
            case FundingSeen(payment=payment):
                return self._fund(payment)
            case WalletSeen(venue=venue, wallet=wallet):
                self.wallets[venue] = wallet
                self._since_wallet[venue] = []
            case PairSettled(pair_id=pair_id):
                self.open_pairs.pop(pair_id)
                self.settled.append((now_ms, pair_id))
                return (PairReconciled(pair_id),)
        return ()

    def is_news(self, record: Record) -> bool:
        """Whether a fact read from a venue says something that the journal does not hold yet and that concerns us."""
        match record:
            case FillSeen(fill=fill):
                known = self.tracker.owns(fill.venue, fill.client_order_id, fill.venue_order_id)
                return not self.tracker.knows_fill(fill) and (known or self.pair_on(fill.venue, fill.symbol) is not None)
            case FundingSeen(payment=payment):
                key = (payment.venue, payment.payment_id)
                return key not in self._payments and self._pair_paid(payment) is not None
            case OrderSeen(order=order):
                return self.tracker.owns(order.venue, order.client_order_id, order.venue_order_id)
            case _:
                return True

    def position(self, pair_id: str, instrument: Instrument) -> Decimal:
        """Signed position of a leg as we believe it, in venue units."""
        extra = self.open_pairs[pair_id].extra.get((instrument.venue, instrument.symbol), Decimal(0))
        return sum((o.signed_filled for o in self.orders_of(pair_id, instrument)), extra)

    def orders_of(self, pair_id: str, instrument: Instrument | None = None) -> list[TrackedOrder]:
        """The orders of a pair, of one leg or of both, oldest first."""
        mine = (self.tracker.orders[name] for name in self.tracker.names_of_pair.get(pair_id, ()))
        return [o for o in mine if instrument is None or o.request.instrument == instrument]

    def pair_on(self, venue: str, symbol: str) -> OpenPair | None:
        """The open pair that has a leg on this market."""
        return next((p for p in self.open_pairs.values() if p.trades(venue, symbol)), None)

    def booked_since_wallet(self, venue: str) -> Decimal:
        """What the ledger says was added to the venue's wallet since it was last read while we held nothing there."""
        return self.ledger.venue_net(venue, self._since_wallet.get(venue, ()))

    def is_alone(self, pair_id: str, venue: str) -> bool:
        """Whether no other open pair has a leg on this venue."""
        others: Iterable[OpenPair] = (p for i, p in self.open_pairs.items() if i != pair_id)
        return all(venue not in p.plan.venues for p in others)

    def executions_missing(self, pair_id: str) -> list[TrackedOrder]:
        """Orders of the pair whose executions do not add up to what the venue reported as filled."""
        return [o for o in self.orders_of(pair_id) if o.executed < o.reported]

    def loss_since(self, start_ms: int) -> Decimal:
        """Loss (positive) of the pairs settled at or after `start_ms` and the fees and slippage of the open ones."""
        done = sum((self.ledger.pairs[i].net for at_ms, i in self.settled if at_ms >= start_ms), Decimal(0))
        running = (self.ledger.pairs[i] for i in self.open_pairs)
        spent = sum((p.fees + max(p.slippage or Decimal(0), Decimal(0)) for p in running), Decimal(0))
        return max(spent - done, Decimal(0))

    def _intend(self, intent: ActingIntent, now_ms: int) -> tuple[Event, ...]:
        match intent:
            case OpenPairIntent(plan=plan):
                self.pairs_named += 1
                self.open_pairs[plan.pair_id] = OpenPair(plan, now_ms, extra={})
                self.ledger.open_pair(plan.pair_id, (plan.long.venue, plan.long.symbol), (plan.short.venue, plan.short.symbol))
                for venue in plan.venues:
                    self._since_wallet.setdefault(venue, []).append(plan.pair_id)
            case PlaceIntent():
                self.orders_named += 1
                return (OrderUpdate(self.tracker.sent(intent, now_ms)),)
            case AdoptPositionIntent(pair_id=pair_id, instrument=instrument, believed=believed, actual=actual):
                self._shift(pair_id, instrument.venue, instrument.symbol, actual - believed)
            case ClosePairIntent(pair_id=pair_id, reason=reason):
                self.open_pairs[pair_id] = msgspec.structs.replace(self.open_pairs[pair_id], closing=reason)
        return ()

    def _book(self, fill: Fill, owner: TrackedOrder | None) -> None:
        if owner is None or owner.pair_id not in self.ledger.pairs:
            return
        reference = self.tracker.references.get(owner.client_order_id)
        self.ledger.book_fill(owner.pair_id, fill, reference)

    def _foreign(self) -> tuple[Event, ...]:
        heard: list[Event] = []
        for fill in self.tracker.foreign():
            pair = self.pair_on(fill.venue, fill.symbol)
            if pair is None or fill.time_ms < pair.opened_ms:
                continue
            self.ledger.book_fill(pair.plan.pair_id, fill, None)
            self._shift(pair.plan.pair_id, fill.venue, fill.symbol, fill.size * fill.side.sign)
            heard.append(ForeignFill(fill))
        return tuple(heard)

    def _shift(self, pair_id: str, venue: str, symbol: str, by: Decimal) -> None:
        extra = self.open_pairs[pair_id].extra
        extra[(venue, symbol)] = extra.get((venue, symbol), Decimal(0)) + by

    def _pair_paid(self, payment: FundingPayment) -> OpenPair | None:
        pair = self.pair_on(payment.venue, payment.symbol)
        return pair if pair is not None and payment.paid_at_ms >= pair.opened_ms else None

    def _fund(self, payment: FundingPayment) -> tuple[Event, ...]:
        key = (payment.venue, payment.payment_id)
        pair = self._pair_paid(payment)
        if key in self._payments or pair is None:
            return ()
        self._payments.add(key)
        self.ledger.book_funding(pair.plan.pair_id, payment)
        return (FundingPaid(payment),)


def leg_side(plan: PairPlan, venue: str, symbol: str) -> Side | None:
    """The side that opens the leg on this market; None when the plan has no leg there."""
    for side in Side:
        instrument = plan.instrument(side)
        if (instrument.venue, instrument.symbol) == (venue, symbol):
            return side
    return None
