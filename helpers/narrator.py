"""Turns what the bot learns into what people are told."""

from __future__ import annotations

from collections.abc import Callable

from exchange_clients.trading.beliefs import Beliefs
from exchange_clients.trading.events import Event, FeedLost, FeedResumed, FundingPaid, OpportunitiesLost, OpportunitiesRanked
from exchange_clients.trading.intents import AdoptPositionIntent, ClosePairIntent
from exchange_clients.trading.progress import FundingReceived, LegFilled, Notice, PairClosing, Progress, Ranking
from exchange_clients.trading.records import FillSeen, FundingSeen, Intended, OrderSeen, Record, SendUnknown


class Narrator:
    """`tell` takes the progress. Nothing is said twice in a row."""

    def __init__(self, beliefs: Beliefs, tell: Callable[[Progress], None]) -> None:
        self._beliefs = beliefs
        self._said = ""
        self.tell = tell

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self._note("info", text)

    def warn(self, text: str) -> None:
        """Something that may need a person."""
        self._note("warning", text)

    def event(self, event: Event) -> None:
        """What an event means to people."""
        match event:
            case OpportunitiesRanked(candidates=candidates):
                self.tell(Ranking(candidates))
            case OpportunitiesLost(reason=reason):
                self.warn(f"no ranking: {reason}")
            case FeedLost(venue=venue, feed=feed, reason=reason):
                self.warn(f"{venue} {feed} stream lost: {reason}")
            case FeedResumed(venue=venue, feed=feed):
                self.note(f"{venue} {feed} stream is up")

    def record(self, record: Record, events: tuple[Event, ...]) -> None:
        """What a journaled fact means to people; `events`: what followed from it."""
        match record:
            case FillSeen(fill=fill):
                pair, owner = self._beliefs.pair_on(fill.venue, fill.symbol), self._beliefs.tracker.owner_of(fill)
                if pair is not None:
                    self.tell(LegFilled(pair.plan.pair_id, owner.purpose if owner is not None else None, fill))
            case Intended(intent=ClosePairIntent(pair_id=pair_id, reason=reason)):
                self.tell(PairClosing(pair_id, reason))
            case Intended(intent=AdoptPositionIntent(instrument=instrument, believed=believed, actual=actual)):
                where = f"{instrument.venue} {instrument.symbol}"
                self.warn(f"{where}: the journal says {believed}, the venue {actual}; the venue wins")
            case FundingSeen(payment=payment) if any(isinstance(event, FundingPaid) for event in events):
                paid = self._beliefs.pair_on(payment.venue, payment.symbol)
                if paid is not None:
                    total = self._beliefs.ledger.pairs[paid.plan.pair_id].funding
                    self.tell(FundingReceived(paid.plan.pair_id, payment, total))
            case SendUnknown(reason=reason):
                self.warn(f"{reason}; asking the venue")
            case OrderSeen(order=order) if order.reason:
                self.note(f"{order.venue} {order.symbol} order {order.status}: {order.reason}")

    def _note(self, level: str, text: str) -> None:
        if text != self._said:
            self._said = text
            self.tell(Notice(level, text))
