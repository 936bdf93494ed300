"""Both legs of a pair together: what they hear, how they compare, what speaks against going on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.side import Side
from exchange_clients.trading.events import Event, FeedLost, FeedResumed, ForeignFill
from exchange_clients.trading.intents import PairPlan
from strategies.execution_limits import ExecutionLimits
from strategies.leg import Leg
from strategies.pair_arithmetic import base_for_notional, common_size, depth_base, mid_base
from strategies.preflight import preflight


class PairLegs:
    """The long and the short leg. Iterating gives both, long first."""

    def __init__(self, plan: PairPlan, limits: ExecutionLimits) -> None:
        self.long, self.short = Leg(plan.long, Side.BUY), Leg(plan.short, Side.SELL)
        self._plan = plan
        self._limits = limits

    def __iter__(self) -> Iterator[Leg]:
        return iter((self.long, self.short))

    @property
    def are_flat(self) -> bool:
        """Whether nothing is held, as far as we know."""
        return all(leg.held == 0 for leg in self)

    def at(self, venue: str, symbol: str) -> Leg | None:
        """The leg on this market, if there is one."""
        return next((leg for leg in self if leg.is_at(venue, symbol)), None)

    def hear(self, event: Event, now_ms: int) -> None:
        """Take in books, executions that are not ours, and streams going blind or seeing again."""
        match event:
            case BookEvent(book=book):
                leg = self.at(book.venue, book.symbol)
                if leg is not None:
                    leg.book, leg.book_ms = book, now_ms
            case ForeignFill(fill=fill):
                leg = self.at(fill.venue, fill.symbol)
                if leg is not None:
                    leg.adopt(fill.size * fill.side.sign, now_ms)
            case FeedLost() | FeedResumed():
                for leg in self:
                    if event.venue == leg.instrument.venue and event.symbol in (None, leg.instrument.symbol):
                        leg.hear_feed(event.feed, isinstance(event, FeedLost))

    def imbalance(self) -> tuple[Leg, Leg, Decimal]:
        """The larger leg, the smaller leg, and by how much they differ in base units (≥ 0)."""
        ahead, behind = sorted(self, key=lambda leg: leg.held_base, reverse=True)
        return ahead, behind, ahead.held_base - behind.held_base

    def thinner(self, opening: bool) -> Leg:
        """The leg whose book gives less to a taker; when closing, one that holds nothing comes last."""

        def depth(leg: Leg) -> tuple[bool, float]:
            side = leg.side if opening else leg.side.opposite
            reach_bps = self._limits.enter_slippage_bps
            here = depth_base(leg.instrument, leg.book, side, reach_bps) if leg.book is not None else 0.0
            return not opening and leg.held == 0, here

        return min(self, key=depth)

    def clip(self, remaining_base: Decimal) -> Decimal:
        """The next clip towards `remaining_base`, in whole common lots; a small rest is taken along."""
        first, second = self._plan.long, self._plan.short
        mids = [mid_base(leg.instrument, leg.book) for leg in self if leg.book is not None]
        price = max((mid for mid in mids if mid is not None), default=None)
        whole = common_size(max(remaining_base, Decimal(0)), first, second)
        if price is None:
            return whole
        clip = base_for_notional(self._limits.clip_usd, price, first, second)
        return whole if whole <= clip * Decimal("1.5") else clip

    def against(self, clip: Decimal, now_ms: int) -> tuple[str, ...]:
        """Reasons against opening a clip now."""
        lost = [f"{leg.instrument.venue}: {', '.join(sorted(leg.lost))} lost" for leg in self if leg.lost]
        views = self.long.view(), self.short.view()
        return (*lost, *preflight(*views, clip, self._plan.leverage, self._limits, now_ms))
