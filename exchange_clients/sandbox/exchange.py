"""One small venue-neutral exchange: price-time matching, cross margin, fees, funding, liquidation.

A façade calls it synchronously. Nothing in it moves by itself: `advance()` brings the world to the clock's present, and every
acting call does so first. What it returns are snapshots; what happens goes to listeners as events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from random import Random

from exchange_clients.domain.orders import OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import Clock
from exchange_clients.sandbox.accounts import Account, FeeToken
from exchange_clients.sandbox.admission import check_band, check_form, check_minimum
from exchange_clients.sandbox.events import (
    AccountChanged,
    BookChanged,
    Filled,
    FundingPaid,
    OrderChanged,
    SandboxEvent,
    TradePrinted,
)
from exchange_clients.sandbox.market_book import MarketBook
from exchange_clients.sandbox.matching import Matcher
from exchange_clients.sandbox.orders import (
    Rejected,
    RejectReason,
    SandboxFill,
    SandboxFunding,
    SandboxOrder,
    SandboxPosition,
    SandboxTrade,
    Trigger,
)
from exchange_clients.sandbox.prices import PriceSource
from exchange_clients.sandbox.reads import ExchangeReads
from exchange_clients.sandbox.rules import DiscreteFunding, Listing, Phase, VenueRules
from exchange_clients.sandbox.settlement import Settlement
from exchange_clients.sandbox.triggers import WaitingOrders

__all__ = [
    "AccountChanged",
    "BookChanged",
    "Filled",
    "FundingPaid",
    "OrderChanged",
    "RejectReason",
    "Rejected",
    "SandboxEvent",
    "SandboxExchange",
    "SandboxFill",
    "SandboxFunding",
    "SandboxOrder",
    "SandboxPosition",
    "SandboxTrade",
    "TradePrinted",
    "Trigger",
]

_FIRST_TRADES = 10
_TRADE_CHANCE = 0.3


class SandboxExchange(ExchangeReads):
    """What acts; what only looks is inherited.

    `seed` decides background liquidity and prints; `refresh_ms` is the shortest time (market ms) between two books.
    """

    def __init__(
        self,
        rules: VenueRules,
        listings: tuple[Listing, ...],
        prices: PriceSource,
        clock: Clock,
        seed: int,
        refresh_ms: int = 500,
    ) -> None:
        super().__init__(rules, listings, prices, clock)
        self.refresh_ms = refresh_ms
        self._books = {s: MarketBook(listing, f"{seed}:{rules.venue}:{s}") for s, listing in self.listings.items()}
        self._listeners: list[Callable[[SandboxEvent], None]] = []
        self._order_ids, self._trade_ids = count(1_000_001), count(1)
        self._pending: list[SandboxOrder] = []
        self._waiting = WaitingOrders()
        self._advanced_ms = clock.now_ms()
        self._settlement = Settlement(self.markets, self._margin, clock, self._emit)
        self._matcher = Matcher(self._accounts, self._settlement, self._print, self._emit, clock, rules.reduce_only_fits)

    # Markets

    def book(self, venue_symbol: str, depth: int) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]], int]:
        """(bids, asks, sequence): (price, size) per level, best first, at most `depth` a side; sequence: +1 per change."""
        book = self._current_book(venue_symbol)
        return book.depth(Side.BUY, depth), book.depth(Side.SELL, depth), book.sequence

    def trades(self, venue_symbol: str, limit: int) -> list[SandboxTrade]:
        """The latest public trades, oldest first."""
        return list(self._current_book(venue_symbol).trades)[-limit:] if limit > 0 else []

    def watch(self, venue_symbol: str) -> None:
        """Let the book move on every `advance()`. Counted: each `watch` needs its `unwatch`."""
        self._current_book(venue_symbol).watchers += 1

    def unwatch(self, venue_symbol: str) -> None:
        book = self._book(venue_symbol)
        book.watchers = max(0, book.watchers - 1)

    # Accounts

    def open_account(self, account: str, balance: Decimal) -> None:
        """Open an account with `balance` of settlement currency. Raises ValueError when it exists."""
        if account in self._accounts:
            raise ValueError(f"account {account} exists already")
        self._accounts[account] = Account(account, balance, balance)

    def give(self, account: str, token: str, size: Decimal) -> None:
        """Put `size` of a token that is not the settlement currency into an account."""
        tokens = self._accounts[account].tokens
        tokens[token] = tokens.get(token, Decimal(0)) + size
        self._emit(AccountChanged(account))

    def pay_fees_in(self, account: str, token: FeeToken | None) -> None:
        """From now on fees come out of this token while it lasts; None: out of the wallet."""
        self._accounts[account].fee_token = token

    def set_leverage(self, account: str, venue_symbol: str, leverage: int) -> None:
        """Choose the leverage of a market. Raises Rejected(LEVERAGE or INSUFFICIENT_MARGIN)."""
        self.advance()
        listing, owner = self.markets.listing(venue_symbol), self._accounts[account]
        if not 1 <= leverage <= listing.max_leverage:
            raise Rejected(RejectReason.LEVERAGE, f"{venue_symbol} allows 1 to {listing.max_leverage}, not {leverage}")
        before = owner.leverages.get(venue_symbol)
        old, bound = self._margin.leverage(owner, venue_symbol), self._margin.initial(owner)
        owner.leverages[venue_symbol] = leverage
        if leverage < old and self._margin.initial(owner) > max(bound, self._margin.equity(owner)):
            del owner.leverages[venue_symbol]
            if before is not None:
                owner.leverages[venue_symbol] = before
            raise Rejected(RejectReason.INSUFFICIENT_MARGIN, f"{venue_symbol} needs more margin at leverage {leverage}")
        if venue_symbol in owner.positions:
            owner.positions[venue_symbol].leverage = leverage
        self._emit(AccountChanged(account))

    def settle_funding(self, account: str, venue_symbol: str) -> SandboxFunding | None:
        """Book what accrued on a position through a funding index; None when nothing accrues."""
        return self._settlement.settle_accrued(self._accounts[account], venue_symbol, None)

    # Orders

    def place(
        self,
        account: str,
        venue_symbol: str,
        side: Side,
        size: Decimal,
        price: Decimal | None,
        tif: TimeInForce,
        reduce_only: bool,
        client_order_id: str | None,
        trigger: Trigger | None = None,
        *,
        reuses_client_id: bool = False,
    ) -> SandboxOrder:
        """Place an order; `price` None takes what the book has. Returns its state after matching (PENDING if decided later).

        With a `trigger` it waits for its price first, and is judged then. `reuses_client_id`: it takes the place of an earlier
        order of the same name.

        Raises Rejected. Where the venue decides later, only malformed orders raise; the rest end REJECTED with a reason.
        """
        self.advance()
        owner, listing = self._accounts[account], self.markets.listing(venue_symbol)
        mark = self.markets.mark(venue_symbol)
        self._check_phase(tif)
        check_form(listing, side, size, price)
        if not reduce_only or (self.rules.reduce_only_fits and size != abs(owner.size(venue_symbol))):
            check_minimum(listing, self.rules, mark, size, price)
        if client_order_id is not None and owner.knows_client_id(client_order_id) and not reuses_client_id:
            raise Rejected(RejectReason.DUPLICATE_CLIENT_ID, f"client order id {client_order_id} was used before")
        order = self._new_order(account, venue_symbol, side, size, price, tif, reduce_only, client_order_id)
        if trigger is not None:
            if trigger.is_due(mark):
                raise Rejected(RejectReason.BAD_TRIGGER, f"the mark {mark} has passed {trigger.price} already")
            order.trigger = trigger
        if trigger is not None or self.rules.decide_later:
            owner.record(order)
            (self._pending.append if trigger is None else self._waiting.add)(order)
            self._emit(OrderChanged(replace(order)))
            return replace(order)
        self._check(owner, order)
        owner.record(order)
        self._admit(order)
        return replace(order)

    def flush(self) -> None:
        """Judge the orders that wait for it, those whose price has come among them."""
        self._pending += self._waiting.take_due(self.markets.mark)
        while self._pending:
            order = self._pending.pop(0)
            owner = self._accounts[order.account]
            del owner.working[order.order_id]
            try:
                self._check(owner, order)
            except Rejected as refusal:
                self._matcher.end(order, OrderStatus.REJECTED, refusal.reason)
                continue
            owner.working[order.order_id] = order
            self._admit(order)

    def cancel(self, account: str, *, order_id: int | None = None, client_order_id: str | None = None) -> SandboxOrder:
        """Cancel an order that rests or waits. Raises Rejected(UNKNOWN_ORDER) for any other."""
        self.advance()
        order = self._working(account, order_id, client_order_id)
        self._withdraw(order)
        self._matcher.end(order, OrderStatus.CANCELLED, "")
        self._emit(AccountChanged(account))
        return replace(order)

    def amend(self, account: str, order_id: int, price: Decimal, size: Decimal, tif: TimeInForce | None = None) -> SandboxOrder:
        """Replace a resting order by one with the same client id and what filled so far. `tif`: another one than it had.

        The rules say whether its id stays (where it does not, the old order ends cancelled) and whether `size` is the total or
        that of a fresh order, of which nothing filled.

        Raises Rejected, and then the old order stays as it was.
        """
        self.advance()
        old = self._working(account, order_id, None)
        owner, listing = self._accounts[account], self.markets.listing(old.venue_symbol)
        self._check_phase(old.time_in_force)
        check_form(listing, old.side, size, price)
        if size <= old.filled and self.rules.amend_counts_fills:
            raise Rejected(RejectReason.ZERO_SIZE, f"{old.filled} of order {order_id} filled already; {size} leaves nothing")
        if not old.reduce_only:
            check_minimum(listing, self.rules, self.markets.mark(old.venue_symbol), size, price)
        new, now_ms = replace(old, price=price, size=size, status=OrderStatus.PENDING), self.clock.now_ms()
        new.updated_ms, new.time_in_force = now_ms, tif or old.time_in_force
        if not self.rules.amend_counts_fills:
            new.filled = new.cost = Decimal(0)
        if not self.rules.amend_keeps_id:
            new.order_id, new.created_ms = next(self._order_ids), now_ms
        del owner.working[order_id]
        try:
            self._check(owner, new)
        except Rejected:
            owner.working[order_id] = old
            owner.working = dict(sorted(owner.working.items()))
            raise
        self._withdraw(old)
        if not self.rules.amend_keeps_id:
            self._matcher.end(old, OrderStatus.CANCELLED, "")
        owner.record(new)
        self._admit(new)
        return replace(new)

    # The world

    def subscribe(self, listener: Callable[[SandboxEvent], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on. Returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def advance(self) -> None:
        """Bring the world to the clock's present.

        Funding boundaries in order, each at its own time; then waiting orders, books with their resting orders, liquidations.
        """
        now_ms = self.clock.now_ms()
        if now_ms > self._advanced_ms:
            self._pay_funding(self._advanced_ms, now_ms)
            self._advanced_ms = now_ms
        self.flush()
        is_open = self.rules.phase(now_ms) is Phase.OPEN
        if not is_open:
            self._protect_prices()
        held = {symbol for account in self._accounts.values() for symbol in account.positions}
        for venue_symbol, book in self._books.items():
            if book.is_active or venue_symbol in held:
                self._refresh(book)
        for account in self._accounts.values() if is_open else ():
            self._liquidate_if_due(account)

    def _protect_prices(self) -> None:
        """While the venue pauses, end what lies outside the band that it protects."""
        for order in [order for account in self._accounts.values() for order in account.working.values()]:
            if not self._outlives_pause(order, self.markets.mark(order.venue_symbol)):
                self._withdraw(order)
                self._matcher.end(order, OrderStatus.CANCELLED, RejectReason.PRICE_OUT_OF_BAND)

    def _outlives_pause(self, order: SandboxOrder, mark: Decimal) -> bool:
        """Whether an order may stand now; while the venue is open every one may."""
        release = self.rules.release
        is_paused = release is not None and release.phase(self.clock.now_ms()) is not Phase.OPEN
        return not is_paused or release is None or release.allows(order.side, order.price, mark)

    def _pay_funding(self, after_ms: int, until_ms: int) -> None:
        if not isinstance(self.rules.funding, DiscreteFunding):
            return
        boundary_ms = self.rules.funding.next_payment_ms(after_ms)
        while boundary_ms <= until_ms:
            for account in self._accounts.values():
                self._settlement.pay_at_boundary(account, boundary_ms)
            boundary_ms = self.rules.funding.next_payment_ms(boundary_ms)

    def _refresh(self, book: MarketBook) -> None:
        """Give a book the background of the present tick and fill the resting orders that it moved through."""
        tick = self.clock.now_ms() // self.refresh_ms
        if book.tick == tick:
            return
        symbol, tick_ms, is_first = book.listing.venue_symbol, tick * self.refresh_ms, book.tick < 0
        random = book.refresh(tick, tick_ms, self.markets.mark(symbol))
        for number in range(_FIRST_TRADES if is_first else 1):
            if is_first or random.random() < _TRADE_CHANCE:
                self._print_background(book, random, tick_ms - (_FIRST_TRADES - number) * 1000 if is_first else tick_ms)
        if self.rules.phase(self.clock.now_ms()) is Phase.OPEN:
            self._matcher.sweep(book)
        self._touch(book)

    def _print_background(self, book: MarketBook, random: Random, time_ms: int) -> None:
        side = random.choice((Side.BUY, Side.SELL))
        touch = book.depth(side.opposite, 1)
        if touch:
            price, size = touch[0]
            lot = book.listing.instrument.lot_size
            least = (self.rules.min_notional / price // lot + 1) * lot  # nobody can trade less than the minimum
            self._print(book, side, price, max(lot, least, size * random.randint(1, 20) // 100 // lot * lot), time_ms)

    def _liquidate_if_due(self, account: Account) -> None:
        if not account.positions or self._margin.equity(account) >= self._margin.maintenance(account):
            return
        for order in list(account.working.values()):
            self._withdraw(order)
            self._matcher.end(order, OrderStatus.CANCELLED, RejectReason.INSUFFICIENT_MARGIN)
        for venue_symbol, position in list(account.positions.items()):
            side = Side.SELL if position.size > 0 else Side.BUY
            order = self._new_order(account.name, venue_symbol, side, abs(position.size), None, TimeInForce.IOC, True, None)
            account.record(order)
            self._admit(order, is_liquidation=True)

    # Orders, inside

    def _new_order(
        self,
        account: str,
        venue_symbol: str,
        side: Side,
        size: Decimal,
        price: Decimal | None,
        tif: TimeInForce,
        reduce_only: bool,
        client_order_id: str | None,
    ) -> SandboxOrder:
        now_ms = self.clock.now_ms()
        return SandboxOrder(
            order_id=next(self._order_ids),
            account=account,
            venue_symbol=venue_symbol,
            side=side,
            size=size,
            filled=Decimal(0),
            price=price,
            time_in_force=TimeInForce.IOC if price is None else tif,
            reduce_only=reduce_only,
            client_order_id=client_order_id,
            status=OrderStatus.PENDING,
            reason="",
            cost=Decimal(0),
            created_ms=now_ms,
            updated_ms=now_ms,
        )

    def _check_phase(self, tif: TimeInForce) -> None:
        """Raise Rejected for an order that the venue does not take at this hour."""
        phase = self.rules.phase(self.clock.now_ms())
        if phase is Phase.CANCEL_ONLY:
            raise Rejected(RejectReason.CANCEL_ONLY, "system status is CANCEL_ONLY, only cancel orders are allowed")
        if phase is Phase.POST_ONLY and tif is not TimeInForce.POST_ONLY:
            raise Rejected(RejectReason.POST_ONLY, "system status is POST_ONLY, only post only orders are allowed")

    def _check(self, owner: Account, order: SandboxOrder) -> None:
        """Raise Rejected when book, position or margin do not allow the order now."""
        mark = self.markets.mark(order.venue_symbol)
        check_band(self.rules, mark, order.price)
        if order.reduce_only and owner.size(order.venue_symbol) * order.side.sign >= 0:
            raise Rejected(RejectReason.REDUCE_ONLY, f"there is nothing to reduce in {order.venue_symbol}")
        if order.reduce_only and self.rules.reduce_only_fits and not self._matcher.fits(order):
            raise Rejected(
                RejectReason.REDUCE_ONLY, f"{order.remaining} is more than there is to reduce in {order.venue_symbol}"
            )
        if not self._outlives_pause(order, mark):
            raise Rejected(RejectReason.PRICE_OUT_OF_BAND, f"{order.price} is outside the band that is protected now")
        if order.time_in_force is TimeInForce.POST_ONLY:
            book = self._current_book(order.venue_symbol)
            if book.best_for(order.side, order.price) is not None:
                raise Rejected(RejectReason.WOULD_CROSS, f"{order.side.value} at {order.price} would take liquidity")
        self._check_margin(owner, order, mark)

    def _check_margin(self, owner: Account, order: SandboxOrder, mark: Decimal) -> None:
        symbol = order.venue_symbol
        if order.reduce_only or self._margin.initial_of(owner, symbol, order) <= self._margin.initial_of(owner, symbol):
            return
        fee = order.remaining * (order.price or mark) * max(self.rules.fees.taker, Decimal(0))
        needed, equity = self._margin.initial(owner, order) + fee, self._margin.equity(owner)
        if equity < needed:
            raise Rejected(RejectReason.INSUFFICIENT_MARGIN, f"needs {needed:f} of margin and fees, equity is {equity:f}")

    def _admit(self, order: SandboxOrder, is_liquidation: bool = False) -> None:
        """Match an order that passed every check, then let the rest of it rest or end."""
        book = self._current_book(order.venue_symbol)
        self._matcher.admit(book, order, is_liquidation)
        self._touch(book)
        self._emit(AccountChanged(order.account))

    def _working(self, account: str, order_id: int | None, client_order_id: str | None) -> SandboxOrder:
        order = self._accounts[account].find(order_id, client_order_id)
        if order is None or order.status.is_terminal:
            known = f"is {order.status.value} already" if order else "is not known"
            wanted = order_id if order_id is not None else client_order_id
            raise Rejected(RejectReason.UNKNOWN_ORDER, f"order {wanted} {known}")
        return order

    def _withdraw(self, order: SandboxOrder) -> None:
        if self._waiting.withdraw(order):
            return
        if order in self._pending:
            self._pending.remove(order)
            return
        book = self._book(order.venue_symbol)
        book.withdraw(order)
        self._touch(book)

    # Books, inside

    def _book(self, venue_symbol: str) -> MarketBook:
        return self._books[self.markets.listing(venue_symbol).venue_symbol]

    def _current_book(self, venue_symbol: str) -> MarketBook:
        book = self._book(venue_symbol)
        if not book.is_active or book.tick < 0:
            self._refresh(book)
        return book

    def _touch(self, book: MarketBook) -> None:
        book.sequence += 1
        self._emit(BookChanged(book.listing.venue_symbol))

    def _print(self, book: MarketBook, side: Side, price: Decimal, size: Decimal, time_ms: int) -> None:
        trade = SandboxTrade(next(self._trade_ids), book.listing.venue_symbol, side, price, size, time_ms)
        book.trades.append(trade)
        self._emit(TradePrinted(trade))

    def _emit(self, event: SandboxEvent) -> None:
        for listener in list(self._listeners):
            listener(event)
