"""The bot: event → strategy → risk → journal → venue, in that order.

One task handles everything that happens, one item at a time; the calls that its intents need run beside it and bring what
they learn back as items. Every intent is on disk before it is sent and every fact before it is believed, so a restart
replays the journal and then asks the venues. Nothing is printed here: `progress` hears what people may want to see.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Protocol

from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.instruments import Instrument
from exchange_clients.errors import Misconfigured
from exchange_clients.trading.beliefs import Beliefs, OpenPair
from exchange_clients.trading.errands import Call, Errands
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
    Recovered,
    StopRequested,
    Tick,
    VenueReady,
    WalletsRead,
)
from exchange_clients.trading.feeds import Feeds
from exchange_clients.trading.inbox import Inbox, Item
from exchange_clients.trading.intents import (
    AdoptPositionIntent,
    CancelIntent,
    ClosePairIntent,
    FetchAccountIntent,
    FetchBookIntent,
    Finish,
    Intent,
    OpenPairIntent,
    PairPlan,
    PlaceIntent,
    ResolveIntent,
    SetLeverageIntent,
    StandStill,
    UnwatchIntent,
    WatchIntent,
)
from exchange_clients.trading.opportunities import OpportunitySource, candidate
from exchange_clients.trading.order_desk import OrderDesk
from exchange_clients.trading.order_tracker import OrderState
from exchange_clients.trading.progress import LedgerFinal, PairOpening, Progress, VenueUp
from exchange_clients.trading.records import Intended, PairSettled, Record, RunStarted, RunStopped, SendUnknown, WalletSeen
from exchange_clients.trading.settlement import compare, read_wallets
from helpers.config import BotSettings
from helpers.journal import Journal
from helpers.narrator import Narrator
from helpers.risk_manager import Approved, Blocked, Exposure, RiskLimits, review
from strategies.base_strategy import BaseStrategy

CLOCK_OFF_MS_MAX = 5_000
"""How far our clock may be from a venue's, in ms of the wire. Signatures and funding go by the venue's."""

_DAY_MS = 86_400_000
_LOOK_BACK_MS = 60_000
"""How much earlier than a pair's opening its executions are asked for: the venue's clock may differ from ours."""


class BotClock(Protocol):
    """Market time, as `engine.clock.Clock` gives it."""

    def now_ms(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class ForeignPosition(Exception):
    """A venue shows a position that the journal does not explain; the bot will not trade around it."""


class WrongJournal(Exception):
    """The journal belongs to another strategy."""


StrategyBuilder = Callable[[str, int, int], BaseStrategy]
"""(run id, orders named, pairs named) → strategy."""


@dataclass(frozen=True)
class Report:
    """How a run ended. `ledgers`: of the pairs settled in it. `open_pairs`: left open, by id."""

    reason: str
    ledgers: tuple[LedgerFinal, ...]
    open_pairs: tuple[str, ...]

    @property
    def adds_up(self) -> bool:
        """Whether the ledger agrees with the wallets to the last digit.

        A venue that other pairs still used when a pair was settled counts by the later comparison that covers both.
        """
        compared = [set(ledger.differences) for ledger in self.ledgers]
        explained = not any(any(ledger.differences.values()) for ledger in self.ledgers)
        return explained and all(
            any(venue in later for later in compared[number:])
            for number, ledger in enumerate(self.ledgers)
            for venue in ledger.plan.venues
        )


class TradingBot:
    """One strategy on several venues. `run()` once; `stop()` from a signal handler or another task.

    `clients` by venue; the caller opens and closes them, the journal too. `run_id` names the orders of a fresh journal.
    `ranking_errors`: what `source` raises when it has no answer.
    """

    def __init__(
        self,
        *,
        clients: Mapping[str, BaseExchangeClient],
        strategy_name: str,
        build_strategy: StrategyBuilder,
        settings: BotSettings,
        limits: RiskLimits,
        journal: Journal,
        clock: BotClock,
        source: OpportunitySource,
        run_id: str,
        ranking_errors: tuple[type[Exception], ...] = (),
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.beliefs = Beliefs(settings.gone_after_ms)
        self._clients = clients
        self._strategy_name = strategy_name
        self._build_strategy = build_strategy
        self._settings = settings
        self._limits = limits
        self._journal = journal
        self._clock = clock
        self._source = source
        self._run_id = run_id
        self._ranking_errors = ranking_errors
        self._progress = progress
        self._desk = OrderDesk(clients, clock)
        self._inbox = Inbox()
        self._wallets: dict[str, Decimal] = {}
        self._lost: set[tuple[str, str, str | None]] = set()
        self._ledgers: list[LedgerFinal] = []
        self._narrator = Narrator(self.beliefs, progress)
        self._finished: str | None = None

    async def run(self) -> Report:
        """Work until the strategy finishes or someone stops it.

        Raises JournalError, ForeignPosition, WrongJournal, ExchangeError while starting; a bug anywhere comes out as itself.
        """
        self._remember()
        try:
            async with asyncio.TaskGroup() as group:
                await self._work(group)
        except BaseExceptionGroup as failures:
            raise _first(failures) from failures
        return Report(self._finished or "", tuple(self._ledgers), tuple(self.beliefs.open_pairs))

    def stop(self, reason: str, exit_positions: bool) -> None:
        """End the run: after closing everything, or at once with positions left as they are."""
        self._inbox.put(ExitRequested(reason) if exit_positions else StopRequested(reason))

    # Starting

    def _remember(self) -> None:
        """Replay the journal."""
        for entry in self._journal.replay():
            self.beliefs.apply(entry)
        if self.beliefs.strategy not in ("", self._strategy_name):
            raise WrongJournal(
                f"journal {self._journal.path} belongs to {self.beliefs.strategy}, not to {self._strategy_name}; use another file"
            )
        run_id = self.beliefs.run_id or self._run_id
        self._record(RunStarted(run_id, self._strategy_name))
        self._strategy = self._build_strategy(run_id, self.beliefs.orders_named, self.beliefs.pairs_named)

    async def _work(self, group: asyncio.TaskGroup) -> None:
        self._errands = Errands(group, self._inbox.put, self._narrator.warn)
        self._feeds = Feeds(self._clients, self._inbox.put, group, self._pause)
        self._feeds.start()
        for venue in self._clients:
            await self._meet(venue)
        await self._recover()
        self._errands.beside(self._every(self._settings.tick_ms, self._tick))
        self._errands.beside(self._every(self._settings.rank_every_ms, self._rank))
        self._errands.beside(self._every(self._settings.funding_every_ms, self._read_funding))
        while self._finished is None:
            self._take(await self._inbox.get())
        await self._come_to_rest()

    async def _meet(self, venue: str) -> None:
        """What a venue lists, charges and holds for us. Refuses positions that the journal does not know."""
        client = self._clients[venue]
        instruments = tuple(await client.fetch_instruments())
        _check_clock(venue, client.clock_ahead_ms)
        await client.verify_access()
        fees = await client.fetch_fee_rates()
        positions = await client.fetch_positions()
        self._wallets[venue] = (await client.fetch_balance()).wallet
        for position in positions:
            if self.beliefs.pair_on(venue, position.symbol) is None:
                raise ForeignPosition(
                    f"{venue} shows a position of {position.size} {position.symbol} that journal {self._journal.path} does not "
                    "explain; close it or move it to another account, then start again"
                )
        self._progress(VenueUp(venue, len(instruments), self._wallets[venue]))
        self._tell(VenueReady(venue, instruments, fees, Capability.SET_LEVERAGE in client.capabilities))

    async def _recover(self) -> None:
        """Take up the pairs that the journal left open; what was in flight is in doubt until the venue says otherwise."""
        for order in list(self.beliefs.tracker.orders.values()):
            if order.state is OrderState.SENT:
                self._record(SendUnknown(order.client_order_id, "the bot ended before the reply"))
        for pair in list(self.beliefs.open_pairs.values()):
            for instrument in (pair.plan.long, pair.plan.short):
                for item in await self._desk.fetch_account(instrument.venue, [instrument], self._since(pair)):
                    self._take(item)
            self._tell(self._recovered(pair))
            if pair.closing:
                self._read_wallets(pair.plan.pair_id, 1)

    def _recovered(self, pair: OpenPair) -> Recovered:
        plan, beliefs = pair.plan, self.beliefs
        long, short = (beliefs.position(plan.pair_id, i) for i in (plan.long, plan.short))
        self._narrator.note(
            f"{plan.pair_id} was left open: {long} {plan.symbol} on {plan.long.venue}, {short} on {plan.short.venue}"
        )
        return Recovered(plan, pair.opened_ms, long, short, tuple(beliefs.orders_of(plan.pair_id)), pair.closing)

    # The loop: what happened → what is believed → what is wanted → what is done

    def _take(self, item: Item) -> None:
        match item:
            case StopRequested(reason=reason):
                self._finished = reason
            case WalletsRead():
                self._settle(item)
            case _ if isinstance(item, Record):
                if self.beliefs.is_news(item):
                    self._tell(*self._record(item))
            case _:
                self._react(item)
                self._tell(item)

    def _tell(self, *events: Event) -> None:
        """Let the strategy hear, and do what it wants, until it wants nothing more."""
        waiting = deque(events)
        while waiting:
            for intent in self._strategy.on_event(waiting.popleft(), self._clock.now_ms()):
                waiting.extend(self._do(intent))

    def _record(self, record: Record) -> tuple[Event, ...]:
        """On disk first, then believed."""
        entry = self._journal.append(record, self._clock.now_ms())
        events = self.beliefs.apply(entry)
        self._narrator.record(record, events)
        return events

    def _do(self, intent: Intent) -> tuple[Event, ...]:
        verdict = review(intent, self._exposure(), self._limits)
        if isinstance(verdict, Blocked):
            self._narrator.warn(f"{type(intent).__name__} blocked: {verdict.reason}")
            return (IntentBlocked(intent, verdict.reason),)
        match verdict.intent:
            case OpenPairIntent(plan=plan):
                return self._open_pair(plan, verdict)
            case PlaceIntent(request=request) as place:
                events = self._record(Intended(place))
                self._errands.act(partial(self._desk.place, request))
                return events
            case CancelIntent() as cancel:
                self._record(Intended(cancel))
                self._errands.act(partial(self._desk.cancel, cancel))
            case SetLeverageIntent() as choice:
                self._record(Intended(choice))
                self._errands.act(partial(self._desk.set_leverage, choice))
            case AdoptPositionIntent() as adoption:
                return self._record(Intended(adoption))
            case ClosePairIntent(pair_id=pair_id) as close:
                self._record(Intended(close))
                self._read_wallets(pair_id, 1)
            case _:
                self._look(verdict.intent)
        return ()

    def _look(self, intent: Intent) -> None:
        """Intents that move no money."""
        match intent:
            case ResolveIntent(instrument=instrument):
                pair = self.beliefs.pair_on(instrument.venue, instrument.symbol)
                since = self._since(pair) if pair is not None else 0
                self._errands.read(intent.client_order_id, lambda: self._desk.resolve(intent, since))
            case FetchBookIntent(instrument=instrument):
                self._errands.read(("book", instrument.venue, instrument.symbol), lambda: self._fetch_book(instrument))
            case FetchAccountIntent(venue=venue):
                self._errands.read(("account", venue), lambda: self._fetch_account(venue))
            case WatchIntent(instrument=instrument):
                self._feeds.watch(instrument)
            case UnwatchIntent(instrument=instrument):
                self._feeds.unwatch(instrument)
            case StandStill(reason=reason):
                self._narrator.note(reason)
            case Finish(reason=reason):
                self._finished = reason

    def _open_pair(self, plan: PairPlan, verdict: Approved) -> tuple[Event, ...]:
        for venue in plan.venues:
            if self.beliefs.is_alone(plan.pair_id, venue):
                self._record(WalletSeen(venue, self._wallets[venue]))
        self._record(Intended(OpenPairIntent(plan)))
        self._progress(PairOpening(plan, verdict.shrunk_because))
        return (PairApproved(plan),)

    def _exposure(self) -> Exposure:
        beliefs, venue_usd = self.beliefs, dict[str, Decimal]()
        positions: dict[tuple[str, str, str], Decimal] = {}
        for pair_id, pair in beliefs.open_pairs.items():
            for instrument in (pair.plan.long, pair.plan.short):
                venue_usd[instrument.venue] = venue_usd.get(instrument.venue, Decimal(0)) + pair.plan.notional_usd
                positions[(pair_id, instrument.venue, instrument.symbol)] = beliefs.position(pair_id, instrument)
        plans = {pair_id: pair.plan for pair_id, pair in beliefs.open_pairs.items()}
        day_ms = self._clock.now_ms() // _DAY_MS * _DAY_MS
        return Exposure(venue_usd, beliefs.loss_since(day_ms), positions, plans)

    # Settling

    def _read_wallets(self, pair_id: str, attempt: int) -> None:
        self._errands.read(("wallets", pair_id, attempt), partial(self._fetch_wallets, pair_id, attempt))

    async def _fetch_wallets(self, pair_id: str, attempt: int) -> list[Item]:
        if attempt > 1:
            await self._clock.sleep(self._settings.settle_wait_ms / 1000)
        pair = self.beliefs.open_pairs[pair_id]
        return await read_wallets(self._desk, pair.plan, self._since(pair), attempt)

    def _settle(self, read: WalletsRead) -> None:
        plan = self.beliefs.open_pairs[read.pair_id].plan
        if any(self.beliefs.position(read.pair_id, instrument) for instrument in (plan.long, plan.short)):
            return  # something filled after all; the strategy closes it and asks again
        comparison = compare(read, self.beliefs)
        if not comparison.is_final and read.attempt < self._settings.settle_attempts:
            self._read_wallets(read.pair_id, read.attempt + 1)
            return
        pair, differences = self.beliefs.open_pairs[read.pair_id], dict(comparison.differences)
        events = self._record(PairSettled(read.pair_id, pair.closing, differences))
        final = LedgerFinal(pair.plan, self.beliefs.ledger.pairs[read.pair_id], pair.closing, differences)
        self._ledgers.append(final)
        self._progress(final)
        self._tell(*events)

    # Calls beside the loop

    async def _fetch_book(self, instrument: Instrument) -> list[Item]:
        return [await self._desk.fetch_book(instrument)]

    async def _fetch_account(self, venue: str) -> list[Item]:
        pairs = [p for p in self.beliefs.open_pairs.values() if venue in p.plan.venues]
        instruments = [i for p in pairs for i in (p.plan.long, p.plan.short) if i.venue == venue]
        since = min((self._since(p) for p in pairs), default=0)
        return await self._desk.fetch_account(venue, instruments, since)

    async def _every(self, period_ms: int, act: Call[None]) -> None:
        while True:
            await act()
            await self._clock.sleep(period_ms / 1000)

    async def _tick(self) -> None:
        self._inbox.put(Tick())

    async def _rank(self) -> None:
        try:
            ranked = [candidate(o) for o in await self._source.opportunities()]
            ranked += await self._held_beside(ranked)
        except self._ranking_errors as error:
            self._inbox.put(OpportunitiesLost(str(error)))
            return
        self._inbox.put(OpportunitiesRanked(tuple(ranked)))

    async def _held_beside(self, ranked: Sequence[Candidate]) -> list[Candidate]:
        """What is held and not in the ranking, asked for by name: carry that has fallen must be seen to be left."""
        seen = {(c.symbol, frozenset((c.long_venue, c.short_venue))) for c in ranked}
        held = [p.plan for p in self.beliefs.open_pairs.values() if (p.plan.symbol, frozenset(p.plan.venues)) not in seen]
        asked = [await self._source.of_pair(plan.symbol, plan.venues) for plan in held]
        return [candidate(o) for o in asked if o is not None]

    async def _read_funding(self) -> None:
        for pair in list(self.beliefs.open_pairs.values()):
            self._ask_funding(pair)

    def _ask_funding(self, pair: OpenPair) -> None:
        for instrument in (pair.plan.long, pair.plan.short):
            key = ("funding", instrument.venue, instrument.symbol)
            self._errands.read(key, partial(self._desk.fetch_funding, instrument, self._since(pair)))

    async def _pause(self) -> None:
        await self._clock.sleep(self._settings.tick_ms / 1000)

    async def _come_to_rest(self) -> None:
        """Learn what became of everything that was sent, then end."""
        await self._errands.finish()
        while (item := self._inbox.get_nowait()) is not None:
            if isinstance(item, Record) and self.beliefs.is_news(item):
                self._record(item)
        self._record(RunStopped(self._finished or ""))
        self._feeds.stop()

    def _since(self, pair: OpenPair) -> int:
        return max(pair.opened_ms - _LOOK_BACK_MS, 0)

    def _react(self, event: Event) -> None:
        """What an event means to the bot itself, before the strategy hears it."""
        self._narrator.event(event)
        match event:
            case AccountSeen(venue=venue, balance=balance):
                self._wallets[venue] = balance.wallet
            case FeedLost(venue=venue, feed=feed, symbol=symbol):
                self._lost.add((venue, feed, symbol))
            case FeedResumed(venue=venue, feed=feed, symbol=symbol) if (venue, feed, symbol) in self._lost:
                self._lost.discard((venue, feed, symbol))
                self._catch_up(venue)

    def _catch_up(self, venue: str) -> None:
        """Anything may have happened while a stream was blind."""
        self._look(FetchAccountIntent(venue))
        for pair in self.beliefs.open_pairs.values():
            if venue in pair.plan.venues:
                self._ask_funding(pair)


def _check_clock(venue: str, ahead_ms: int | None) -> None:
    """Before anything is signed: a venue that takes nothing of ours any more would take it in the middle of a pair, too.

    Unknown is not refused. Raises Misconfigured.
    """
    if ahead_ms is not None and abs(ahead_ms) > CLOCK_OFF_MS_MAX:
        how = f"about {abs(ahead_ms) / 1000:.0f} s {'ahead of' if ahead_ms > 0 else 'behind'}"
        raise Misconfigured(venue, "clock", f"this machine's clock is {how} the venue's; set it, nothing was opened")


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the run, without the groups around it."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
