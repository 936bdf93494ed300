"""Price-time matching of one order against a book, and of a moved background against resting orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from exchange_clients.domain.orders import Liquidity, OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.clock import Clock
from exchange_clients.sandbox.accounts import Account
from exchange_clients.sandbox.events import AccountChanged, OrderChanged, SandboxEvent
from exchange_clients.sandbox.market_book import MarketBook
from exchange_clients.sandbox.orders import RejectReason, SandboxOrder
from exchange_clients.sandbox.settlement import Settlement

Print = Callable[[MarketBook, Side, Decimal, Decimal, int], None]


class Matcher:
    """Executes orders and moves them through their states.

    An account never trades with itself: its resting order is cancelled instead. A reduce-only order never takes more than the
    position; what is left of it when nothing remains to reduce is cancelled (`reduce_only_fits`: as soon as it is too large).
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        settlement: Settlement,
        print_trade: Print,
        emit: Callable[[SandboxEvent], None],
        clock: Clock,
        reduce_only_fits: bool = False,
    ) -> None:
        self._accounts = accounts
        self._reduce_only_fits = reduce_only_fits
        self._settlement = settlement
        self._print = print_trade
        self._emit = emit
        self._clock = clock

    def admit(self, book: MarketBook, order: SandboxOrder, is_liquidation: bool) -> None:
        """Match an accepted order; what is left rests, or ends when it may not rest."""
        if order.time_in_force is not TimeInForce.IOC:
            self._move(order, OrderStatus.OPEN, "")
        self._take(book, order, is_liquidation)
        if order.status.is_terminal:
            return
        if order.time_in_force is TimeInForce.IOC:
            self.end(order, OrderStatus.CANCELLED, "" if order.filled else RejectReason.NO_LIQUIDITY)
        elif order.reduce_only and self._executable(order) == 0:
            self.end(order, OrderStatus.CANCELLED, RejectReason.REDUCE_ONLY)
        else:
            book.rest(order)
            self._drop_needless_reducers(book, self._accounts[order.account])

    def fits(self, order: SandboxOrder) -> bool:
        """Whether a reduce-only order has room in the position behind the account's better priced orders of its side."""
        account, needed = self._accounts[order.account], order.remaining
        for other in account.working.values():
            is_beside = (other.venue_symbol, other.side, other.status) == (order.venue_symbol, order.side, OrderStatus.OPEN)
            if is_beside and _priority(other) < _priority(order):
                needed += other.remaining
        return needed <= -order.side.sign * account.size(order.venue_symbol)

    def sweep(self, book: MarketBook) -> None:
        """Fill resting orders, as makers at their own prices, with the background that crossed them."""
        for side in Side:
            for order in book.resting(side):
                self._sweep_order(book, order)

    def end(self, order: SandboxOrder, status: OrderStatus, reason: RejectReason | Literal[""]) -> None:
        """Bring an order to a terminal status. It must not rest in a book any more."""
        self._move(order, status, reason)
        self._accounts[order.account].working.pop(order.order_id, None)

    def _take(self, book: MarketBook, order: SandboxOrder, is_liquidation: bool) -> None:
        while (wanted := self._executable(order)) > 0:
            best = book.best_for(order.side, order.price)
            if best is None:
                return
            if not isinstance(best, SandboxOrder):
                size, price = min(wanted, best.size), best.price
                book.consume(order.side.opposite, best, size)
                self._print(book, order.side, price, size, self._clock.now_ms())
                self._execute(book, order, price, size, Liquidity.TAKER, is_liquidation)
                continue
            offered = Decimal(0) if best.account == order.account else self._executable(best)
            if offered == 0 or best.price is None:
                book.withdraw(best)
                why = RejectReason.SELF_TRADE if best.account == order.account else RejectReason.REDUCE_ONLY
                self.end(best, OrderStatus.CANCELLED, why)
                continue
            size, price = min(wanted, offered), best.price
            self._print(book, order.side, price, size, self._clock.now_ms())
            self._execute(book, best, price, size, Liquidity.MAKER, False)
            self._execute(book, order, price, size, Liquidity.TAKER, is_liquidation)
            self._emit(AccountChanged(best.account))

    def _sweep_order(self, book: MarketBook, order: SandboxOrder) -> None:
        price = order.price
        while price is not None and not order.status.is_terminal and (wanted := self._executable(order)) > 0:
            level = book.background_for(order.side, price)
            if level is None:
                return
            size = min(wanted, level.size)
            book.consume(order.side.opposite, level, size)
            self._print(book, order.side.opposite, price, size, self._clock.now_ms())
            self._execute(book, order, price, size, Liquidity.MAKER, False)
            self._emit(AccountChanged(order.account))

    def _execute(
        self, book: MarketBook, order: SandboxOrder, price: Decimal, size: Decimal, liquidity: Liquidity, is_liquidation: bool
    ) -> None:
        account = self._accounts[order.account]
        self._settlement.book_fill(account, order, price, size, liquidity, is_liquidation)
        if order.remaining == 0:
            book.withdraw(order)
            self.end(order, OrderStatus.FILLED, "")
        elif order.status is OrderStatus.OPEN:
            self._move(order, OrderStatus.OPEN, "")
        self._drop_needless_reducers(book, account)

    def _drop_needless_reducers(self, book: MarketBook, account: Account) -> None:
        symbol = book.listing.venue_symbol
        for order in sorted(account.working.values(), key=_priority):
            if order.venue_symbol != symbol or order.status is not OrderStatus.OPEN or not order.reduce_only:
                continue
            if self._executable(order) == 0 or (self._reduce_only_fits and not self.fits(order)):
                book.withdraw(order)
                self.end(order, OrderStatus.CANCELLED, RejectReason.REDUCE_ONLY)

    def _executable(self, order: SandboxOrder) -> Decimal:
        """How much of an order may trade now."""
        if order.status.is_terminal:
            return Decimal(0)
        if not order.reduce_only:
            return order.remaining
        reducible = -order.side.sign * self._accounts[order.account].size(order.venue_symbol)
        return max(Decimal(0), min(order.remaining, reducible))

    def _move(self, order: SandboxOrder, status: OrderStatus, reason: RejectReason | Literal[""]) -> None:
        order.status, order.reason, order.updated_ms = status, reason, self._clock.now_ms()
        self._emit(OrderChanged(replace(order)))


def _priority(order: SandboxOrder) -> tuple[Decimal, int]:
    """The smaller, the sooner an order trades: the better price, then the older."""
    return (Decimal("-Infinity") if order.price is None else -order.side.sign * order.price), order.order_id
