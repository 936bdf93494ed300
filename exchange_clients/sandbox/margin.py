"""Cross margin: what an account is worth and what it must keep. All in settlement currency."""

from __future__ import annotations

from decimal import Decimal

from exchange_clients.domain.side import Side
from exchange_clients.sandbox.accounts import Account
from exchange_clients.sandbox.booking import money
from exchange_clients.sandbox.markets import Markets
from exchange_clients.sandbox.orders import SandboxOrder
from exchange_clients.sandbox.rules import ContinuousFunding


class Margin:
    """Values accounts at the marks of now."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._rules = markets.rules

    def leverage(self, account: Account, venue_symbol: str) -> int:
        """The leverage chosen for a market; its maximum until chosen."""
        return account.leverages.get(venue_symbol) or self._markets.listing(venue_symbol).max_leverage

    def unrealised(self, account: Account) -> Decimal:
        """Price result of open positions at the mark."""
        total = sum((p.size * self._markets.mark(s) - p.cost for s, p in account.positions.items()), Decimal(0))
        return self._money(total)

    def unrealised_funding(self, account: Account) -> Decimal:
        """Funding that accrued and is not booked; 0 where funding is paid at boundaries."""
        return sum((self.accrued_funding(account, symbol) for symbol in account.positions), Decimal(0))

    def accrued_funding(self, account: Account, venue_symbol: str) -> Decimal:
        """The part of `unrealised_funding` of one position."""
        funding, position = self._rules.funding, account.positions.get(venue_symbol)
        if position is None or position.funding_index is None or not isinstance(funding, ContinuousFunding):
            return Decimal(0)
        index = self._markets.funding_index(venue_symbol)
        return self._money(funding.payment(position.size, index, position.funding_index))

    def equity(self, account: Account) -> Decimal:
        return account.wallet + self.unrealised(account) + self.unrealised_funding(account)

    def initial(self, account: Account, with_order: SandboxOrder | None = None) -> Decimal:
        """Margin that positions and open orders bind, `with_order` as if it rested too.

        Per market: the larger of the exposures if all buys or all sells filled, at the mark, over the leverage.
        """
        symbols = set(account.positions) | {order.venue_symbol for order in account.working.values()}
        symbols |= {with_order.venue_symbol} if with_order else set()
        return self._money(sum((self.initial_of(account, symbol, with_order) for symbol in sorted(symbols)), Decimal(0)))

    def initial_of(self, account: Account, venue_symbol: str, with_order: SandboxOrder | None = None) -> Decimal:
        """The part of `initial` of one market, not quantised."""
        orders = [*account.working.values(), *([with_order] if with_order else [])]
        waiting = {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
        for order in orders:
            if order.venue_symbol == venue_symbol and not (order.reduce_only or order.waits):
                waiting[order.side] += order.remaining
        size = account.size(venue_symbol)
        exposure = max(abs(size), abs(size + waiting[Side.BUY]), abs(size - waiting[Side.SELL]))
        return exposure * self._markets.mark(venue_symbol) / self.leverage(account, venue_symbol)

    def maintenance(self, account: Account) -> Decimal:
        """Below this equity the account is liquidated."""
        total = sum(
            (abs(p.size) * self._markets.mark(s) * self.maintenance_rate(s) for s, p in account.positions.items()), Decimal(0)
        )
        return self._money(total)

    def maintenance_rate(self, venue_symbol: str) -> Decimal:
        """Maintenance margin as a fraction of notional."""
        return self._rules.maintenance_fraction / self._markets.listing(venue_symbol).max_leverage

    def available(self, account: Account) -> Decimal:
        """Equity that nothing binds, never negative."""
        return max(Decimal(0), self.equity(account) - self.initial(account))

    def liquidation_price(self, account: Account, venue_symbol: str) -> Decimal | None:
        """The mark at which equity meets maintenance, other markets standing still; None when flat or when no price does."""
        position = account.positions.get(venue_symbol)
        if position is None:
            return None
        mark, rate = self._markets.mark(venue_symbol), self.maintenance_rate(venue_symbol)
        cushion = self.equity(account) - self.maintenance(account) + abs(position.size) * mark * rate
        price = (position.size * mark - cushion) / (position.size - abs(position.size) * rate)
        if price <= 0:
            return None
        exit_side = Side.SELL if position.size > 0 else Side.BUY
        instrument = self._markets.listing(venue_symbol).instrument
        return instrument.round_price(price, exit_side) if price >= instrument.price_rule.tick else None

    def _money(self, amount: Decimal) -> Decimal:
        return money(amount, self._rules.money_quantum)
