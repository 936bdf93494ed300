"""Hold the cheap side long and the dear side short, and let the difference of their funding come in.

Candidates come ranked from outside; each is looked at again on live books, with costs, before anything is opened. What is
open is given up by `exit_rules`. Orders are the business of `paired_execution`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import ClassVar

from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.funding import HOURS_PER_YEAR
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.market import OrderBook
from exchange_clients.domain.side import Side
from exchange_clients.domain.spellings import Spellings
from exchange_clients.trading.events import (
    AccountSeen,
    Candidate,
    Event,
    ExitRequested,
    FeedLost,
    FeedResumed,
    IntentBlocked,
    OpportunitiesLost,
    OpportunitiesRanked,
    PairApproved,
    PairReconciled,
    Recovered,
    VenueReady,
)
from exchange_clients.trading.intents import (
    FetchAccountIntent,
    FetchBookIntent,
    Finish,
    Intent,
    OpenPairIntent,
    PairPlan,
    StandStill,
    UnwatchIntent,
    WatchIntent,
)
from exchange_clients.trading.order_names import OrderNames
from strategies.base_strategy import BaseStrategy
from strategies.execution_limits import ExecutionLimits
from strategies.exit_rules import ExitRules, HeldPair, exit_reason
from strategies.pair_arithmetic import BPS, base_for_notional, mid_base, net_fraction
from strategies.paired_execution import PairedExecution, Stage
from strategies.preflight import LegView, preflight, round_trip_cost

Market = tuple[str, str]


@dataclass(frozen=True)
class FundingArbitrageConfig:
    """`size_usd`: notional of one leg. `rounds_max`: pairs to open and close before finishing (None = no end).
    `horizon_hours`: over which costs are spread when a candidate is judged. `symbols`: only these (empty = all);
    `exclude`: never these; both in any case, under an alias or as a venue spells them.
    `look_ms_max`: how long a candidate may take to show its books; `look_again_ms`: how long one
    that was turned down is left alone.
    """

    size_usd: Decimal = Decimal(1000)
    leverage: int = 2
    positions_max: int = 1
    rounds_max: int | None = None
    net_apr_percent_min: float = 5.0
    breakeven_hours_max: float = 48.0
    horizon_hours: float = 72.0
    symbols: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    look_ms_max: int = 10_000
    look_again_ms: int = 60_000
    exit: ExitRules = field(default_factory=ExitRules)
    execution: ExecutionLimits = field(default_factory=ExecutionLimits)

    def __post_init__(self) -> None:
        if self.size_usd <= 0 or self.leverage < 1 or self.positions_max < 1 or self.horizon_hours <= 0:
            raise ValueError("size_usd and horizon_hours must be positive, leverage and positions_max at least 1")
        if self.rounds_max is not None and self.rounds_max < 1:
            raise ValueError("rounds_max must be at least 1; leave it out for no end")

    def scaled(self, speed: float) -> FundingArbitrageConfig:
        """The same on a clock `speed` times as fast as the wire. How long a pair is held is market time and stays."""
        return replace(
            self,
            look_ms_max=round(self.look_ms_max * speed),
            look_again_ms=round(self.look_again_ms * speed),
            execution=self.execution.scaled(speed),
        )


@dataclass
class _Look:
    """A candidate under examination since `since_ms`."""

    candidate: Candidate
    long: Instrument
    short: Instrument
    since_ms: int
    asked_for: PairPlan | None = None


class FundingArbitrageStrategy(BaseStrategy):
    """See the module. `orders_used`, `pairs_used`: how many names the journal holds already."""

    name: ClassVar[str] = "funding_arbitrage"

    def __init__(self, config: FundingArbitrageConfig, run_id: str, orders_used: int = 0, pairs_used: int = 0) -> None:
        self.pairs: dict[str, PairedExecution] = {}
        self._config = config
        self._names = OrderNames(run_id, orders_used)
        self._pairs_used = pairs_used
        self._venues: dict[str, VenueReady] = {}
        self._listed: dict[Market, Instrument] = {}
        self._symbols: frozenset[str] = frozenset()
        self._excluded: frozenset[str] = frozenset()
        self._has_checked_symbols = False
        self._books: dict[Market, tuple[OrderBook, int]] = {}
        self._accounts: dict[str, AccountSeen] = {}
        self._lost: dict[tuple[str, str, str | None], FeedLost] = {}
        self._candidates: tuple[Candidate, ...] = ()
        self._look: _Look | None = None
        self._left_alone: dict[tuple[str, str, str], int] = {}
        self._opened_ms: dict[str, int] = {}
        self._rounds_done = 0
        self._stopping = ""

    def on_event(self, event: Event, now_ms: int) -> tuple[Intent, ...]:
        """Hear, let the pairs act, then look for more. See BaseStrategy."""
        intents = list(self._hear(event, now_ms))
        for pair_id, pair in self.pairs.items():
            if pair.stage is Stage.HOLDING and not pair.reason:
                pair.request_exit(self._why_leave(pair_id, pair, now_ms))
            intents += pair.on_event(event, now_ms)
        return (*intents, *self._seek(now_ms))

    def _hear(self, event: Event, now_ms: int) -> tuple[Intent, ...]:
        match event:
            case VenueReady(venue=venue):
                self._venues[venue] = event
                self._listed.update({(i.venue, i.symbol): i for i in event.instruments})
                self._symbols, self._excluded = self._meant(self._config.symbols), self._meant(self._config.exclude)
            case BookEvent(book=book):
                self._books[(book.venue, book.symbol)] = (book, now_ms)
            case AccountSeen(venue=venue):
                self._accounts[venue] = event
            case FeedLost(venue=venue, feed=feed, symbol=symbol):
                self._lost[(venue, feed, symbol)] = event
                if feed == "book" and symbol is not None:
                    self._books.pop((venue, symbol), None)
            case FeedResumed(venue=venue, feed=feed, symbol=symbol):
                self._lost.pop((venue, feed, symbol), None)
            case OpportunitiesRanked(candidates=candidates):
                self._candidates = candidates
                return self._check_symbols()
            case OpportunitiesLost():
                self._candidates = ()
                return self._check_symbols()
            case PairApproved(plan=plan):
                return self._open(plan, now_ms)
            case IntentBlocked(intent=OpenPairIntent(), reason=reason):
                return self._turn_down(reason, now_ms)
            case Recovered():
                return self._recover(event, now_ms)
            case PairReconciled(pair_id=pair_id):
                return self._finish_pair(pair_id)
            case ExitRequested(reason=reason):
                self._stopping = self._stopping or reason
                for pair in self.pairs.values():
                    pair.request_exit(reason)
                return () if self.pairs else (Finish(reason),)
        return ()

    # Symbols

    def _spellings(self) -> Spellings:
        return Spellings((i.symbol, i.venue_symbol) for i in self._listed.values())

    def _meant(self, names: Sequence[str]) -> frozenset[str]:
        spellings = self._spellings()
        return frozenset(meant for name in names if (meant := spellings.meant(name)) is not None)

    def _check_symbols(self) -> tuple[Intent, ...]:
        """Say once, when all venues have told what they list, which of the wanted symbols can't be paired; idle for none."""
        if self._has_checked_symbols:
            return ()
        self._has_checked_symbols, spellings = True, self._spellings()
        unpaired: list[str] = []
        for name in self._config.symbols:
            meant = spellings.meant(name)
            venues = sorted(venue for venue, symbol in self._listed if symbol == meant)
            if len(venues) < 2:
                where = f"listed on {venues[0]} only" if venues else f"not listed{spellings.hint(name)}"
                unpaired.append(f"symbols: {name!r} can't be paired: {where}")
        told = (StandStill("; ".join(unpaired)),) if unpaired else ()
        hopeless = unpaired and len(unpaired) == len(self._config.symbols) and not self.pairs
        return (*told, Finish("none of the symbols can be paired")) if hopeless else told

    # Pairs

    def _open(self, plan: PairPlan, now_ms: int) -> tuple[Intent, ...]:
        settable = frozenset(v for v in plan.venues if self._venues[v].can_set_leverage)
        pair = PairedExecution(plan, self._config.execution, self._names, settable, now_ms)
        for market in ((i.venue, i.symbol) for i in (plan.long, plan.short)):
            if market in self._books:
                book, book_ms = self._books[market]
                pair.learn(BookEvent(book), book_ms)
        for lost in self._lost.values():
            pair.learn(lost, now_ms)
        for account in (self._accounts[v] for v in plan.venues if v in self._accounts):
            pair.learn(account, now_ms)
        self.pairs[plan.pair_id], self._look = pair, None
        self._pairs_used += 1
        self._opened_ms[plan.pair_id] = now_ms
        if self._stopping:
            pair.request_exit(self._stopping)
        return pair.start()

    def _recover(self, event: Recovered, now_ms: int) -> tuple[Intent, ...]:
        plan = event.plan
        self.pairs[plan.pair_id] = PairedExecution.recovered(event, self._config.execution, self._names, now_ms)
        self._opened_ms[plan.pair_id] = event.opened_ms
        return WatchIntent(plan.long), WatchIntent(plan.short)

    def _finish_pair(self, pair_id: str) -> tuple[Intent, ...]:
        pair = self.pairs.pop(pair_id, None)
        self._opened_ms.pop(pair_id, None)
        self._rounds_done += 1
        done = [UnwatchIntent(pair.plan.long), UnwatchIntent(pair.plan.short)] if pair is not None else []
        last = self._config.rounds_max is not None and self._rounds_done >= self._config.rounds_max
        if last and not self._stopping:
            self._stopping = f"{self._rounds_done} of {self._config.rounds_max} rounds are done"
        return (*done, Finish(self._stopping)) if self._stopping and not self.pairs else tuple(done)

    def _why_leave(self, pair_id: str, pair: PairedExecution, now_ms: int) -> str:
        return exit_reason(
            self._config.exit,
            HeldPair(
                held_ms=now_ms - self._opened_ms[pair_id],
                carry_hourly=self._carry(pair.plan),
                against_us_bps=self._against_us_bps(pair.plan),
                liquidation_distance=self._liquidation_distance(pair.plan),
            ),
        )

    def _carry(self, plan: PairPlan) -> float | None:
        """The pair's carry as ranked now; None when it is not in the ranking or its rates are stale."""
        for candidate in self._candidates:
            if candidate.symbol != plan.symbol or candidate.stale:
                continue
            if (candidate.long_venue, candidate.short_venue) == plan.venues:
                return candidate.carry_hourly
            if (candidate.short_venue, candidate.long_venue) == plan.venues:
                return -candidate.carry_hourly
        return None

    def _against_us_bps(self, plan: PairPlan) -> float | None:
        ratio = self._price_ratio(plan.long, plan.short)
        return None if ratio is None else (1 - ratio / plan.price_ratio) * BPS

    def _price_ratio(self, long: Instrument, short: Instrument) -> float | None:
        books = [self._books.get((i.venue, i.symbol)) for i in (long, short)]
        mids = [mid_base(i, b[0]) if b is not None else None for i, b in zip((long, short), books, strict=True)]
        return mids[0] / mids[1] if mids[0] is not None and mids[1] is not None else None

    def _liquidation_distance(self, plan: PairPlan) -> float | None:
        """The nearer of both legs' liquidation prices, as a fraction of the mid; None where no venue says."""
        distances = []
        for instrument in (plan.long, plan.short):
            account, book = self._accounts.get(instrument.venue), self._books.get((instrument.venue, instrument.symbol))
            mid = book[0].mid if book is not None else None
            for position in account.positions if account is not None else ():
                if position.symbol == instrument.symbol and position.liquidation_price is not None and mid is not None:
                    distances.append(abs(float(position.liquidation_price) / mid - 1))
        return min(distances, default=None)

    # Looking for more

    def _seek(self, now_ms: int) -> tuple[Intent, ...]:
        settled = all(p.stage is Stage.HOLDING and not any(leg.is_busy for leg in p.legs) for p in self.pairs.values())
        if self._stopping or not settled or len(self.pairs) >= self._config.positions_max:
            return ()
        if self._look is None:
            return self._choose(now_ms)
        return self._examine(self._look, now_ms) if self._look.asked_for is None else ()

    def _choose(self, now_ms: int) -> tuple[Intent, ...]:
        for candidate in self._candidates:
            if not self._is_wanted(candidate, now_ms):
                continue
            long = self._listed.get((candidate.long_venue, candidate.symbol))
            short = self._listed.get((candidate.short_venue, candidate.symbol))
            if long is None or short is None or self._is_taken(long) or self._is_taken(short):
                continue
            self._look = _Look(candidate, long, short, now_ms)
            legs = (long, short)
            return (
                *(WatchIntent(i) for i in legs),
                *(FetchBookIntent(i) for i in legs),
                *(FetchAccountIntent(i.venue) for i in legs),
            )
        return ()

    def _is_wanted(self, candidate: Candidate, now_ms: int) -> bool:
        config = self._config
        name = (candidate.symbol, candidate.long_venue, candidate.short_venue)
        return (
            not candidate.stale
            and (not config.symbols or candidate.symbol in self._symbols)
            and candidate.symbol not in self._excluded
            and candidate.net_apr_percent is not None
            and candidate.net_apr_percent >= config.net_apr_percent_min
            and candidate.breakeven_hours is not None
            and candidate.breakeven_hours <= config.breakeven_hours_max
            and self._left_alone.get(name, now_ms) <= now_ms
        )

    def _is_taken(self, instrument: Instrument) -> bool:
        return any(instrument in (p.plan.long, p.plan.short) for p in self.pairs.values())

    def _examine(self, look: _Look, now_ms: int) -> tuple[Intent, ...]:
        views = self._view(look.long, Side.BUY, look.since_ms), self._view(look.short, Side.SELL, look.since_ms)
        if any(v.book is None or v.available_usd is None for v in views):
            late = now_ms - look.since_ms > self._config.look_ms_max
            return self._turn_down("books or accounts did not show up in time", now_ms) if late else ()
        plan = self._plan(look, views)
        reasons = self._reasons(look.candidate, views, plan, now_ms) if plan is not None else ("a mid price is missing",)
        if plan is None or reasons:
            return self._turn_down("; ".join(reasons), now_ms)
        look.asked_for = plan
        return (OpenPairIntent(plan),)

    def _view(self, instrument: Instrument, side: Side, since_ms: int) -> LegView:
        """A leg as seen since the look began; an account read earlier does not count."""
        book, book_ms = self._books.get((instrument.venue, instrument.symbol), (None, 0))
        account = self._accounts.get(instrument.venue)
        available = account.balance.available if account is not None and account.asked_ms >= since_ms else None
        return LegView(instrument, side, book, book_ms, available)

    def _plan(self, look: _Look, views: Sequence[LegView]) -> PairPlan | None:
        ratio = self._price_ratio(look.long, look.short)
        mids = [v.book.mid for v in views if v.book is not None]
        if ratio is None or mids[0] is None or mids[1] is None:
            return None
        price_base = max(mid / float(v.instrument.multiplier) for mid, v in zip(mids, views, strict=True) if mid is not None)
        size_base = base_for_notional(self._wanted_usd(look.candidate), price_base, look.long, look.short)
        mark = look.long.round_price(mids[0], Side.BUY) / look.long.multiplier
        return PairPlan(
            pair_id=f"pair-{self._pairs_used + 1}",
            symbol=look.candidate.symbol,
            long=look.long,
            short=look.short,
            size_base=size_base,
            notional_usd=size_base * mark,
            leverage=self._config.leverage,
            carry_hourly=look.candidate.carry_hourly,
            price_ratio=ratio,
        )

    def _wanted_usd(self, candidate: Candidate) -> Decimal:
        """Never more than the ranking says the books can carry."""
        capacity = candidate.capacity_usd
        within = capacity is None or float(self._config.size_usd) <= capacity
        return self._config.size_usd if within else Decimal(int(capacity or 0))

    def _reasons(self, candidate: Candidate, views: tuple[LegView, LegView], plan: PairPlan, now_ms: int) -> tuple[str, ...]:
        reasons = preflight(*views, plan.size_base, plan.leverage, self._config.execution, now_ms)
        if reasons:
            return reasons
        fees = {venue: self._venues[venue].fees for venue in plan.venues}
        cost = round_trip_cost(*views, plan.size_base, fees)
        if cost is None:
            return ("the visible books are too thin for the size",)
        hours, carry = self._config.horizon_hours, candidate.carry_hourly
        apr_percent = net_fraction(carry, hours, cost) / hours * HOURS_PER_YEAR * 100
        if apr_percent < self._config.net_apr_percent_min:
            return (f"on live books it would earn {apr_percent:.2f} % a year net of {cost:.3%} costs",)
        if cost / carry > self._config.breakeven_hours_max:
            return (f"on live books it would break even after {cost / carry:.1f} h",)
        return ()

    def _turn_down(self, reason: str, now_ms: int) -> tuple[Intent, ...]:
        look, self._look = self._look, None
        if look is None:
            return ()
        candidate = look.candidate
        name = (candidate.symbol, candidate.long_venue, candidate.short_venue)
        self._left_alone[name] = now_ms + self._config.look_again_ms
        kept = {i for p in self.pairs.values() for i in (p.plan.long, p.plan.short)}
        unwanted = tuple(UnwatchIntent(i) for i in (look.long, look.short) if i not in kept)
        said = f"{candidate.symbol} {candidate.long_venue}/{candidate.short_venue} turned down: {reason}"
        return (*unwanted, StandStill(said))
