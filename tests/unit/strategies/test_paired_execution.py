"""The two-leg executor, told as stories of events and intents. No venue, no clock, no loop."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from decimal import Decimal

import msgspec

from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.orders import OrderStatus
from exchange_clients.domain.side import Side
from exchange_clients.trading.events import Event, FeedLost, FeedResumed, ForeignFill, LeverageSet, OrderUpdate, Tick
from exchange_clients.trading.intents import (
    AdoptPositionIntent,
    CancelIntent,
    ClosePairIntent,
    FetchAccountIntent,
    FetchBookIntent,
    Intent,
    PlaceIntent,
    Purpose,
    ResolveIntent,
    SetLeverageIntent,
)
from exchange_clients.trading.order_names import OrderNames
from exchange_clients.trading.order_tracker import OrderTracker
from strategies.execution_limits import ExecutionLimits
from strategies.paired_execution import PairedExecution, Stage
from tests.support.pairs import account, book, fill_of, order_of, plan

LIMITS = ExecutionLimits(clip_usd=Decimal(450), cycles_max=2, spread_bps_max=50)


class Story:
    """A pair with an order tracker beside it, as the bot has."""

    def __init__(
        self, leverage_venues: frozenset[str] = frozenset(), size: str = "0.3", limits: ExecutionLimits = LIMITS
    ) -> None:
        self.now_ms = 1_000_000
        self.pair = PairedExecution(plan(size), limits, OrderNames("story"), leverage_venues, self.now_ms)
        self.tracker = OrderTracker()
        self.intents: deque[Intent] = deque(self.pair.start())
        self.see_books()

    def hear(self, event: Event) -> None:
        for intent in self.pair.on_event(event, self.now_ms):
            self.intents.append(intent)
            if isinstance(intent, PlaceIntent):
                self.hear(OrderUpdate(self.tracker.sent(intent, self.now_ms)))

    def see_books(self, west_size: float = 10.0) -> None:
        for venue, size in (("east", 5.0), ("west", west_size)):
            self.hear(account(venue, self.held(venue), self.now_ms))
            self.hear(BookEvent(book(venue, size=size)))

    def held(self, venue: str) -> str:
        return str(next(leg.signed for leg in self.pair.legs if leg.instrument.venue == venue))

    def later(self, by_ms: int) -> None:
        self.now_ms += by_ms
        self.see_books()
        self.hear(Tick())

    def order(self) -> PlaceIntent:
        """The next order that was sent; what else was asked for before it is forgotten."""
        while self.intents:
            intent = self.intents.popleft()
            if isinstance(intent, PlaceIntent):
                return intent
        raise AssertionError(f"no order was sent; the pair is {self.pair.stage}")

    def answer(self, intent: PlaceIntent, status: OrderStatus, filled: str | None = None) -> None:
        request = intent.request
        done = str(request.size) if filled is None else filled
        order = order_of(request.client_order_id, status, done, str(request.size), request.instrument.venue)
        learnt, _ = self.tracker.report(msgspec.structs.replace(order, side=request.side), self.now_ms)
        assert learnt is not None
        self.hear(OrderUpdate(learnt))

    def fill(self) -> PlaceIntent:
        intent = self.order()
        self.answer(intent, OrderStatus.FILLED)
        return intent

    def miss(self) -> PlaceIntent:
        intent = self.order()
        self.answer(intent, OrderStatus.CANCELLED, "0")
        return intent

    def quiet(self) -> bool:
        return not any(isinstance(intent, PlaceIntent) for intent in self.intents)

    def asked(self, kind: type[Intent]) -> bool:
        found = any(isinstance(intent, kind) for intent in self.intents)
        self.intents.clear()
        return found


def opened() -> Story:
    story = Story()
    while story.pair.stage is Stage.ENTERING:
        if story.quiet():
            story.later(1100)
        else:
            story.fill()
    assert story.pair.stage is Stage.HOLDING
    return story


def test_leverage_comes_first() -> None:
    story = Story(frozenset({"east", "west"}))
    assert [type(i) for i in story.intents] == [SetLeverageIntent, SetLeverageIntent]
    story.hear(LeverageSet("east", "ETH", ""))
    assert story.quiet()
    story.hear(LeverageSet("west", "ETH", ""))
    assert story.pair.stage is Stage.ENTERING


def test_leverage_that_can_not_be_set_opens_nothing() -> None:
    story = Story(frozenset({"east"}))
    for _ in range(3):
        story.hear(LeverageSet("east", "ETH", "refused"))
    assert story.quiet()
    assert story.pair.stage is Stage.CLOSED
    assert story.asked(ClosePairIntent)


def test_the_thinner_book_leads_and_what_filled_is_hedged() -> None:
    story = Story()
    lead = story.order()
    assert (lead.purpose, lead.request.instrument.venue, lead.request.side) == (Purpose.ENTER, "east", Side.BUY)
    assert story.quiet()
    story.answer(lead, OrderStatus.CANCELLED, "0.1")
    hedge = story.order()
    assert (hedge.purpose, hedge.request.instrument.venue, hedge.request.side) == (Purpose.HEDGE, "west", Side.SELL)
    assert hedge.request.size == Decimal("0.099")


def test_both_legs_reach_the_target_and_never_more() -> None:
    story = opened()
    assert {leg.held_base for leg in story.pair.legs} == {Decimal("0.3")}
    story.later(60_000)
    assert story.quiet()


def test_each_attempt_to_hedge_reaches_further_then_the_lead_is_given_back() -> None:
    story = Story()
    lead = story.fill()
    prices = [story.miss().request.price for _ in LIMITS.hedge_slippage_bps]
    assert prices == sorted(prices, key=lambda p: p or 0, reverse=True)
    back = story.fill()
    assert (back.purpose, back.request.reduce_only, back.request.side) == (Purpose.UNWIND, True, Side.SELL)
    assert back.request.size == lead.request.size
    assert story.pair.cycles == 1


def test_a_naked_leg_is_given_back_in_time_however_many_attempts_are_left() -> None:
    """A hedge that is never filled, with rungs enough for an hour: the bound in time counts by itself."""
    rungs = tuple(10.0 + step for step in range(1_000))
    story = Story(limits=replace(LIMITS, hedge_slippage_bps=rungs, naked_ms_max=10_000))
    lead, hedges = story.fill(), 0
    naked_since_ms = story.now_ms
    while (order := story.order()).purpose is Purpose.HEDGE:
        hedges += 1
        story.later(700)
        story.answer(order, OrderStatus.CANCELLED, "0")
    assert 1 < hedges < len(rungs) and order.purpose is Purpose.UNWIND
    assert (order.request.instrument, order.request.size) == (lead.request.instrument, lead.request.size)
    assert 10_000 < story.now_ms - naked_since_ms <= 11_000


def test_an_order_that_rests_too_long_is_cancelled() -> None:
    """Ours are immediate-or-cancel; a venue that lets one rest all the same must not fill it later at an old price."""
    story = Story()
    order = story.order()
    story.answer(order, OrderStatus.OPEN, "0")
    story.later(LIMITS.order_ms_max - 1)
    assert not story.asked(CancelIntent)
    story.later(LIMITS.retry_ms + 2)
    assert CancelIntent(order.request.instrument, order.request.client_order_id) in story.intents
    assert story.quiet(), "nothing new while it is out"
    story.intents.clear()
    story.answer(order, OrderStatus.CANCELLED, "0")
    story.later(LIMITS.retry_ms + 1)
    assert story.order().purpose is Purpose.ENTER


def test_rounds_of_opening_and_unwinding_are_counted_and_stopped() -> None:
    story = Story()
    for _ in range(LIMITS.cycles_max):
        if story.quiet():
            story.later(1100)
        story.fill()
        for _ in LIMITS.hedge_slippage_bps:
            story.miss()
        story.fill()
    for _ in range(5):
        story.later(2000)
    assert story.quiet()
    assert story.pair.stage is Stage.CLOSED
    assert "2 open–unwind rounds" in story.pair.reason


def test_while_an_order_is_in_doubt_only_questions_are_asked() -> None:
    story = Story()
    lead = story.order()
    story.hear(OrderUpdate(story.tracker.unknown(lead.request.client_order_id, "reply lost", story.now_ms)))
    assert story.asked(ResolveIntent)
    story.later(1500)
    assert story.quiet()
    assert story.asked(ResolveIntent)
    story.answer(lead, OrderStatus.FILLED)
    assert story.order().purpose is Purpose.HEDGE


def test_an_order_without_a_verdict_is_asked_about() -> None:
    story = Story()
    story.order()
    story.later(LIMITS.doubt_after_ms - 1)
    assert not story.asked(ResolveIntent)
    story.later(2)
    assert story.asked(ResolveIntent)


def test_a_lost_book_stops_opening_but_a_naked_leg_is_hedged_from_a_fresh_one() -> None:
    story = Story()
    lead = story.order()
    story.now_ms += 1100
    story.hear(FeedLost("west", "book", "ETH", "socket dropped"))
    story.answer(lead, OrderStatus.FILLED)
    assert story.asked(FetchBookIntent)
    story.hear(BookEvent(book("west")))
    story.fill()
    story.later(2000)
    assert story.quiet()  # hedged, and blind on west: nothing new
    story.hear(FeedResumed("west", "book", "ETH"))
    assert story.order().purpose is Purpose.ENTER


def test_exit_is_reduce_only_and_works_off_confirmed_positions() -> None:
    story = opened()
    story.intents.clear()
    story.pair.request_exit("enough")
    story.hear(Tick())
    assert story.pair.stage is Stage.EXITING
    while story.pair.stage is Stage.EXITING:
        if story.quiet():
            story.later(1100)
            continue
        order = story.fill()
        assert order.purpose is Purpose.EXIT
        assert order.request.reduce_only
        assert min(leg.held for leg in story.pair.legs) >= 0
    story.later(1100)
    assert story.pair.stage is Stage.CLOSED
    assert story.asked(ClosePairIntent)


def test_a_liquidated_leg_takes_the_other_one_with_it() -> None:
    story = opened()
    story.intents.clear()
    story.hear(ForeignFill(fill_of(None, "liq", "0.3", side=Side.SELL, venue="east")))
    story.later(1100)
    closing = story.order()
    assert (closing.request.instrument.venue, closing.request.side, closing.request.reduce_only) == ("west", Side.BUY, True)
    assert story.pair.reason == "a leg is gone"


def test_the_venue_wins_after_two_readings_that_agree() -> None:
    story = opened()
    story.now_ms += 10
    story.intents.clear()
    story.hear(account("east", "0.2", story.now_ms))
    assert not story.asked(AdoptPositionIntent)
    story.now_ms += LIMITS.settle_ms
    story.hear(account("east", "0.2", story.now_ms))
    assert any(isinstance(i, AdoptPositionIntent) and i.actual == Decimal("0.2") for i in story.intents)
    assert Decimal(story.held("east")) == Decimal("0.2")
    story.later(1100)
    assert story.order().purpose is Purpose.UNWIND


def test_a_position_that_was_read_before_the_last_order_proves_nothing() -> None:
    """Answers that were under way while we traded show the past, however often they repeat it."""
    story = opened()
    last_order_ms = story.now_ms
    story.later(60_000)
    story.intents.clear()
    for asked_ms in (last_order_ms - LIMITS.settle_ms - 1, last_order_ms - 1):
        story.hear(account("east", "0.2", asked_ms))
    assert not story.asked(AdoptPositionIntent)
    assert Decimal(story.held("east")) == Decimal("0.3")


def test_a_pair_that_could_not_be_closed_is_not_forgotten() -> None:
    """An order given up as gone fills after the pair was closed: the pair opens its eyes again and closes that too."""
    story = opened()
    story.pair.request_exit("enough")
    story.hear(Tick())
    while story.pair.stage is not Stage.CLOSED:
        if story.quiet():
            story.later(1100)
        else:
            story.fill()
    story.intents.clear()
    story.hear(ForeignFill(fill_of(None, "late", "0.1", side=Side.BUY, venue="east")))
    story.later(1100)
    assert story.order().request.reduce_only
    assert not story.asked(FetchAccountIntent)
