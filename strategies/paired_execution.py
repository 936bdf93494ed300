"""Two legs, held against each other, from nothing to nothing again.

    PREPARING ──► ENTERING ──► HOLDING ──► EXITING ──► CONFIRMING ──► CLOSED
                    ▲  │          │ ▲          ▲            │
                    │  ▼          ▼ │          └────────────┘ the venue still shows a position
                   UNWINDING ───────┘

ENTERING sends a clip to the thinner book, then hedges what filled (cumulative quantities) on the other, each attempt reaching
further into the book; what can't be hedged in time is given back: UNWINDING. EXITING does the same with reduce-only orders,
larger leg first, working off positions that the venues confirmed. One order is in flight at a time. While the fate of
an order is open, nothing but questions is sent. Every open–unwind round is counted; after the last nothing more is opened.
All orders are immediate-or-cancel with a price bound, which every venue knows.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

from exchange_clients.domain.orders import OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.trading.events import AccountHint, AccountSeen, Event, IntentBlocked, LeverageSet, OrderUpdate, Recovered
from exchange_clients.trading.intents import (
    AdoptPositionIntent,
    CancelIntent,
    ClosePairIntent,
    FetchAccountIntent,
    FetchBookIntent,
    Intent,
    PairPlan,
    PlaceIntent,
    Purpose,
    ResolveIntent,
    SetLeverageIntent,
    StandStill,
)
from exchange_clients.trading.order_names import OrderNames
from exchange_clients.trading.order_tracker import OrderState, TrackedOrder
from strategies.execution_limits import ExecutionLimits
from strategies.leg import Leg
from strategies.pair_arithmetic import limit_price, venue_size
from strategies.pair_legs import PairLegs

_LEVERAGE_TRIES = 3


class Stage(StrEnum):
    """Where a pair stands."""

    PREPARING = "preparing"
    ENTERING = "entering"
    UNWINDING = "unwinding"
    HOLDING = "holding"
    EXITING = "exiting"
    CONFIRMING = "confirming"
    CLOSED = "closed"


class PairedExecution:
    """One pair's life. Feed it every event; it answers with intents. Times in market ms."""

    def __init__(
        self, plan: PairPlan, limits: ExecutionLimits, names: OrderNames, leverage_venues: frozenset[str], now_ms: int
    ) -> None:
        self.plan = plan
        self.stage = Stage.PREPARING
        self.cycles = 0
        self.reason = ""
        self.legs = PairLegs(plan, limits)
        self._limits = limits
        self._names = names
        self._stage_ms = now_ms
        self._naked_since_ms: int | None = None
        self._opening = True
        self._failures = 0
        self._next_ms = 0
        self._leverage_tries = {leg.instrument.venue: 0 for leg in self.legs if leg.instrument.venue in leverage_venues}
        self._steps: dict[Stage, Callable[[int], tuple[Intent, ...]]] = {
            Stage.ENTERING: self._enter,
            Stage.UNWINDING: self._unwind,
            Stage.HOLDING: self._hold,
            Stage.EXITING: self._exit,
            Stage.CONFIRMING: self._confirm,
        }

    @classmethod
    def recovered(cls, event: Recovered, limits: ExecutionLimits, names: OrderNames, now_ms: int) -> PairedExecution:
        """A pair found in the journal after a restart: nothing more is opened, what is uneven is made even."""
        pair = cls(event.plan, limits, names, frozenset(), now_ms)
        for leg, size in ((pair.legs.long, event.long_size), (pair.legs.short, event.short_size)):
            leg.orders = {o.client_order_id: o for o in event.orders if o.request.instrument == leg.instrument}
            leg.carried = size - sum((o.signed_filled for o in leg.orders.values()), Decimal(0))
            leg.quiet_since_ms = now_ms
        pair.stage = Stage.CLOSED if event.closing else Stage.HOLDING
        pair.reason, pair._opening = event.closing, False
        return pair

    @property
    def is_closed(self) -> bool:
        return self.stage is Stage.CLOSED

    def start(self) -> tuple[Intent, ...]:
        """The first intents: the chosen leverage on both legs."""
        wanted = (leg.instrument for leg in self.legs if leg.instrument.venue in self._leverage_tries)
        return tuple(SetLeverageIntent(instrument, self.plan.leverage) for instrument in wanted)

    def request_exit(self, reason: str) -> None:
        """Close the pair as soon as nothing is in flight. The first reason stays."""
        self.reason = self.reason or reason

    def learn(self, event: Event, now_ms: int) -> None:
        """Hear without acting: what was known before the pair began."""
        self._hear(event, now_ms)

    def on_event(self, event: Event, now_ms: int) -> tuple[Intent, ...]:
        """Hear, then do the next thing."""
        return (*self._hear(event, now_ms), *self._step(now_ms))

    # Hearing: facts into legs, no decisions beyond believing the venue.

    def _hear(self, event: Event, now_ms: int) -> tuple[Intent, ...]:
        self.legs.hear(event, now_ms)
        match event:
            case OrderUpdate(order=order):
                self._hear_order(order, now_ms)
            case AccountSeen():
                return self._compare(event, now_ms)
            case AccountHint():
                return self._suspect(event, now_ms)
            case LeverageSet():
                return self._hear_leverage(event, now_ms)
            case IntentBlocked(intent=PlaceIntent(request=request)):
                for leg in self.legs:
                    if leg.asked == request.client_order_id:
                        leg.asked, leg.next_ms = None, now_ms + self._limits.retry_ms
                        self._failures += 1
        return ()

    def _hear_order(self, order: TrackedOrder, now_ms: int) -> None:
        for leg in self.legs:
            if order.pair_id == self.plan.pair_id and order.request.instrument == leg.instrument:
                was_working = leg.working is not None
                leg.hear_order(order, now_ms)
                if was_working and order.state in (OrderState.REJECTED, OrderState.NEVER_ARRIVED):
                    self._failures += 1
                    leg.next_ms = now_ms + self._limits.retry_ms

    def _hear_leverage(self, event: LeverageSet, now_ms: int) -> tuple[Intent, ...]:
        leg = self.legs.at(event.venue, event.symbol)
        if leg is None or event.venue not in self._leverage_tries:
            return ()
        if not event.failure:
            del self._leverage_tries[event.venue]
            return ()
        self._leverage_tries[event.venue] += 1
        if self._leverage_tries[event.venue] < _LEVERAGE_TRIES:
            return (SetLeverageIntent(leg.instrument, self.plan.leverage),)
        self._leverage_tries.clear()
        self.request_exit(f"leverage could not be set: {event.failure}")
        return ()

    def _compare(self, event: AccountSeen, now_ms: int) -> tuple[Intent, ...]:
        adopted: list[Intent] = []
        for leg in self.legs:
            if leg.instrument.venue != event.venue:
                continue
            leg.available_usd = event.balance.available
            actual = sum((p.size for p in event.positions if leg.is_at(p.venue, p.symbol)), Decimal(0))
            difference = leg.compare(actual, event.asked_ms, self._limits.settle_ms)
            if difference is not None:
                adopted.append(AdoptPositionIntent(self.plan.pair_id, leg.instrument, leg.signed, actual))
                leg.adopt(difference, now_ms)
        return tuple(adopted)

    def _suspect(self, event: AccountHint, now_ms: int) -> tuple[Intent, ...]:
        for leg in self.legs:
            here = sum((p.size for p in event.positions if leg.is_at(p.venue, p.symbol)), Decimal(0))
            if leg.instrument.venue == event.venue and not leg.is_busy and here != leg.signed:
                return self._ask_account(leg, now_ms)
        return ()

    # Deciding.

    def _step(self, now_ms: int) -> tuple[Intent, ...]:
        if self.stage is Stage.CLOSED:
            if self.legs.are_flat:
                return ()
            self._go(Stage.EXITING, now_ms)  # an order that was given up has filled after all
        if any(leg.is_busy for leg in self.legs):
            return tuple(intent for leg in self.legs for intent in self._inquire(leg, now_ms))
        if self.stage is Stage.PREPARING:
            if self._leverage_tries:
                return ()
            self._go(Stage.CONFIRMING if self.reason else Stage.ENTERING, now_ms)
        astray = next((leg for leg in self.legs if leg.held < 0), None)
        if astray is not None:
            return self._reduce(astray, abs(astray.held_base), Purpose.UNWIND, now_ms)
        return self._steps[self.stage](now_ms)

    def _inquire(self, leg: Leg, now_ms: int) -> tuple[Intent, ...]:
        """What may be done while an order is under way: ask about it, or cancel one that rests too long."""
        order, limits = leg.working, self._limits
        if order is None or not leg.is_undecided(now_ms, limits.doubt_after_ms):
            return ()
        if now_ms - leg.resolve_asked_ms < limits.retry_ms:
            return ()
        leg.resolve_asked_ms = now_ms
        before = leg.signed - order.signed_filled
        ask = ResolveIntent(leg.instrument, order.client_order_id, order.venue_order_id, before)
        if order.state is OrderState.OPEN and now_ms - order.sent_ms > limits.order_ms_max:
            return CancelIntent(leg.instrument, order.client_order_id), ask
        return (ask,)

    def _enter(self, now_ms: int) -> tuple[Intent, ...]:
        ahead, behind, excess = self.legs.imbalance()
        if behind.can_open(excess):
            return self._hedge(behind, excess, now_ms)
        self._naked_since_ms = None
        if self.reason:
            return self._go_on(Stage.EXITING, now_ms)
        clip = self.legs.clip(self.plan.size_base - ahead.held_base)
        if not (clip > 0 and all(leg.can_open(clip) for leg in self.legs)):
            return self._done_entering("the target is reached", now_ms)
        if self._failures > self._limits.cycles_max or now_ms - self._stage_ms > self._limits.enter_ms_max:
            return self._done_entering("the legs could not be opened in time", now_ms)
        if now_ms < max(self._next_ms, *(leg.next_ms for leg in self.legs)):
            return ()
        reasons = self.legs.against(clip, now_ms)
        if reasons:
            return (*self._look(now_ms), StandStill("; ".join(reasons)))
        lead = self.legs.thinner(opening=True)
        self._next_ms = now_ms + self._limits.retry_ms
        return self._send(lead, lead.side, clip, Purpose.ENTER, self._limits.enter_slippage_bps)

    def _hedge(self, behind: Leg, excess: Decimal, now_ms: int) -> tuple[Intent, ...]:
        rungs = self._limits.hedge_slippage_bps
        self._naked_since_ms = now_ms if self._naked_since_ms is None else self._naked_since_ms
        if now_ms - self._naked_since_ms > self._limits.naked_ms_max or behind.attempts >= len(rungs):
            return self._go_on(Stage.UNWINDING, now_ms)
        if now_ms < behind.next_ms:
            return ()
        if not behind.sees(now_ms, self._limits.stale_after_ms):
            return self._look(now_ms)
        slippage_bps = rungs[behind.attempts]
        behind.attempts += 1
        return self._send(behind, behind.side, excess, Purpose.HEDGE, slippage_bps)

    def _unwind(self, now_ms: int) -> tuple[Intent, ...]:
        ahead, behind, excess = self.legs.imbalance()
        if ahead.can_reduce(excess):
            return self._reduce(ahead, excess, Purpose.UNWIND, now_ms)
        self._naked_since_ms = None
        self.cycles += 1
        self._next_ms = now_ms + self._limits.retry_ms
        behind.attempts = ahead.attempts = 0
        if self.reason:
            return self._go_on(Stage.EXITING, now_ms)
        if self._opening and self.cycles < self._limits.cycles_max:
            return self._go_on(Stage.ENTERING, now_ms)
        return self._done_entering(f"{self.cycles} open–unwind rounds", now_ms)

    def _done_entering(self, reason: str, now_ms: int) -> tuple[Intent, ...]:
        self._opening = False
        if all(leg.held > 0 for leg in self.legs):
            return self._go_on(Stage.HOLDING, now_ms)
        self.request_exit(f"nothing was opened: {reason}")
        return self._go_on(Stage.EXITING, now_ms)

    def _hold(self, now_ms: int) -> tuple[Intent, ...]:
        ahead, behind, excess = self.legs.imbalance()
        if behind.held == 0:
            self.request_exit("a leg is gone" if ahead.held else "nothing is held")
        if self.reason:
            return self._go_on(Stage.EXITING, now_ms)
        if ahead.can_reduce(excess):
            return self._go_on(Stage.UNWINDING, now_ms)
        due = (leg for leg in self.legs if now_ms - leg.account_asked_ms >= self._limits.account_check_ms)
        return tuple(intent for leg in due for intent in self._ask_account(leg, now_ms))

    def _exit(self, now_ms: int) -> tuple[Intent, ...]:
        self._opening = False
        unsure = [leg for leg in self.legs if leg.verified_ms < self._stage_ms and not leg.orders_since(self._stage_ms)]
        if unsure and now_ms - self._stage_ms < self._limits.naked_ms_max:
            return tuple(intent for leg in unsure for intent in self._ask_account(leg, now_ms))
        ahead, _, excess = self.legs.imbalance()
        if ahead.can_reduce(excess):
            return self._reduce(ahead, excess, Purpose.EXIT, now_ms)
        if ahead.held == 0:
            return self._go_on(Stage.CONFIRMING, now_ms)
        lead = self.legs.thinner(opening=False)
        clip = self.legs.clip(lead.held_base)
        rest_is_tradable = clip > 0 and lead.can_open(lead.held_base - clip)
        return self._reduce(lead, clip if rest_is_tradable else lead.held_base, Purpose.EXIT, now_ms)

    def _confirm(self, now_ms: int) -> tuple[Intent, ...]:
        if not self.legs.are_flat:
            return self._go_on(Stage.EXITING, now_ms)
        unsure = [leg for leg in self.legs if leg.verified_ms < self._stage_ms]
        if unsure:
            return tuple(intent for leg in unsure for intent in self._ask_account(leg, now_ms))
        self._go(Stage.CLOSED, now_ms)
        return (ClosePairIntent(self.plan.pair_id, self.reason),)

    # Doing.

    def _reduce(self, leg: Leg, size_base: Decimal, purpose: Purpose, now_ms: int) -> tuple[Intent, ...]:
        """Give back part of a leg; attempts reach further, the last rung is repeated slowly until it works."""
        rungs = self._limits.hedge_slippage_bps
        if now_ms < leg.next_ms:
            return ()
        if not leg.sees(now_ms, self._limits.stale_after_ms):
            return self._look(now_ms)
        slippage_bps = rungs[min(leg.attempts, len(rungs) - 1)]
        leg.attempts += 1
        if leg.attempts >= len(rungs):
            leg.next_ms = now_ms + self._limits.retry_ms
        side = Side.SELL if leg.signed > 0 else Side.BUY
        return self._send(leg, side, min(size_base, abs(leg.held_base)), purpose, slippage_bps)

    def _send(self, leg: Leg, side: Side, size_base: Decimal, purpose: Purpose, slippage_bps: float) -> tuple[Intent, ...]:
        book, instrument = leg.book, leg.instrument
        price = limit_price(instrument, book, side, slippage_bps) if book is not None else None
        if book is None or book.mid is None or price is None:
            return (StandStill(f"{instrument.venue} {instrument.symbol}: no price to trade at"),)
        leg.asked = self._names.next()
        request = OrderRequest(
            client_order_id=leg.asked,
            instrument=instrument,
            side=side,
            size=venue_size(instrument, size_base),
            price=price,
            time_in_force=TimeInForce.IOC,
            reduce_only=purpose.reduces,
            urgent=purpose is not Purpose.ENTER,
        )
        return (PlaceIntent(self.plan.pair_id, purpose, request, instrument.round_price(book.mid, side)),)

    def _look(self, now_ms: int) -> tuple[Intent, ...]:
        """Read the books that can't be traded on."""
        blind = [leg for leg in self.legs if not leg.sees(now_ms, self._limits.stale_after_ms)]
        due = [leg for leg in blind if now_ms - leg.book_asked_ms >= self._limits.retry_ms]
        for leg in due:
            leg.book_asked_ms = now_ms
        return tuple(FetchBookIntent(leg.instrument) for leg in due)

    def _ask_account(self, leg: Leg, now_ms: int) -> tuple[Intent, ...]:
        if now_ms - leg.account_asked_ms < self._limits.retry_ms:
            return ()
        for other in self.legs:
            if other.instrument.venue == leg.instrument.venue:
                other.account_asked_ms = now_ms
        return (FetchAccountIntent(leg.instrument.venue),)

    def _go(self, stage: Stage, now_ms: int) -> None:
        self.stage, self._stage_ms = stage, now_ms

    def _go_on(self, stage: Stage, now_ms: int) -> tuple[Intent, ...]:
        self._go(stage, now_ms)
        return self._step(now_ms)
