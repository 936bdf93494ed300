"""What can be asked of a sandbox exchange without moving anything."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from exchange_clients.engine.clock import Clock
from exchange_clients.sandbox.accounts import Account
from exchange_clients.sandbox.margin import Margin
from exchange_clients.sandbox.markets import Markets
from exchange_clients.sandbox.orders import Rejected, SandboxFill, SandboxFunding, SandboxOrder, SandboxPosition
from exchange_clients.sandbox.prices import MarketState, PriceSource
from exchange_clients.sandbox.rules import Listing, VenueRules


class ExchangeReads:
    """Markets at the clock's present; accounts as the last `advance()` left them, valued at present marks.

    Returns snapshots. An account that was not opened raises KeyError; `has_account` tells.
    """

    def __init__(self, rules: VenueRules, listings: tuple[Listing, ...], prices: PriceSource, clock: Clock) -> None:
        self.rules = rules
        self.clock = clock
        self.prices = prices
        self.markets = Markets(rules, listings, prices, clock)
        self.listings = self.markets.listings
        self._accounts: dict[str, Account] = {}
        self._margin = Margin(self.markets)

    def state(self, venue_symbol: str) -> MarketState:
        """The market now. Raises Rejected(UNKNOWN_MARKET)."""
        return self.markets.state(venue_symbol)

    def find_state(self, venue_symbol: str, at_ms: int | None = None) -> MarketState | None:
        """The market now, or at `at_ms`; None when it had no prices then."""
        try:
            return self.markets.state(venue_symbol, at_ms)
        except Rejected:
            return None

    def funding_rate(self, venue_symbol: str) -> Decimal | None:
        """Fraction per the venue's funding period; None when unknown."""
        return self.markets.funding_rate(venue_symbol)

    def rate_at(self, venue_symbol: str, at_ms: int) -> Decimal | None:
        """The funding rate at `at_ms`; None when unknown or when the market had no prices then."""
        return None if self.find_state(venue_symbol, at_ms) is None else self.markets.funding_rate(venue_symbol, at_ms)

    def earlier(self, venue_symbol: str, ago_ms: int) -> MarketState | None:
        """The market as it stood so long ago, or when prices begin."""
        return self.find_state(venue_symbol, max(self.clock.now_ms() - ago_ms, self.prices.start_ms))

    def result(self, account: str) -> Decimal:
        """Everything earned and lost since the account was opened, unrealised included."""
        return self.equity(account) - self._accounts[account].deposit

    def funding_index(self, venue_symbol: str) -> Decimal:
        """Settlement currency per unit accrued so far; 0 where funding is paid at boundaries."""
        return self.markets.funding_index(venue_symbol)

    def next_funding_ms(self, venue_symbol: str) -> int | None:
        """When the next payment is due; None where funding accrues continuously."""
        return self.markets.next_funding_ms(venue_symbol)

    def accounts(self) -> tuple[str, ...]:
        """The accounts by name, in the order in which they were opened."""
        return tuple(self._accounts)

    def has_account(self, account: str) -> bool:
        return account in self._accounts

    def order(self, account: str, *, order_id: int | None = None, client_order_id: str | None = None) -> SandboxOrder | None:
        """One order, open or done; None when there is none. After an amendment the client id means the newer order."""
        found = self._accounts[account].find(order_id, client_order_id)
        return replace(found) if found else None

    def orders(self, account: str, open_only: bool = True, venue_symbol: str | None = None) -> list[SandboxOrder]:
        """Orders by id, of one market or of all; `open_only`: those that rest or wait."""
        owner = self._accounts[account]
        found = (owner.working if open_only else owner.orders).values()
        return [replace(order) for order in found if venue_symbol in (None, order.venue_symbol)]

    def fills(self, account: str, since_ms: int = 0, venue_symbol: str | None = None) -> list[SandboxFill]:
        """Executions at or after `since_ms`, oldest first, of one market or of all."""
        fills = self._accounts[account].fills
        return [fill for fill in fills if fill.time_ms >= since_ms and venue_symbol in (None, fill.venue_symbol)]

    def realised(self, account: str, venue_symbol: str) -> Decimal:
        """What the position of a market has brought since it was opened, fees apart; 0 without one."""
        held = self.positions(account).get(venue_symbol)
        if held is None:
            return Decimal(0)
        fills = self.fills(account, held.opened_ms, venue_symbol)
        return sum((fill.realised_pnl for fill in fills), held.funding_since_open)

    def funding_payments(self, account: str, since_ms: int = 0) -> list[SandboxFunding]:
        """Funding booked at or after `since_ms`, oldest first."""
        return [payment for payment in self._accounts[account].payments if payment.time_ms >= since_ms]

    def positions(self, account: str) -> dict[str, SandboxPosition]:
        """Open positions by market."""
        return self._accounts[account].snapshot_positions()

    def wallet(self, account: str) -> Decimal:
        """Deposit + Σ realised PnL − Σ fees + Σ funding, to the last digit."""
        return self._accounts[account].wallet

    def tokens(self, account: str) -> dict[str, Decimal]:
        """What an account holds besides the settlement currency."""
        return {token: size for token, size in self._accounts[account].tokens.items() if size}

    def unrealised(self, account: str) -> Decimal:
        """Price result of open positions at the mark."""
        return self._margin.unrealised(self._accounts[account])

    def unrealised_funding(self, account: str, venue_symbol: str | None = None) -> Decimal:
        """Funding accrued and not booked, of one market or of all."""
        owner = self._accounts[account]
        return self._margin.accrued_funding(owner, venue_symbol) if venue_symbol else self._margin.unrealised_funding(owner)

    def equity(self, account: str) -> Decimal:
        """Wallet plus everything unrealised."""
        return self._margin.equity(self._accounts[account])

    def initial_margin(self, account: str) -> Decimal:
        """Margin bound by positions and open orders."""
        return self._margin.initial(self._accounts[account])

    def maintenance_margin(self, account: str) -> Decimal:
        """Equity below this is liquidated."""
        return self._margin.maintenance(self._accounts[account])

    def available(self, account: str) -> Decimal:
        """Equity that nothing binds."""
        return self._margin.available(self._accounts[account])

    def liquidation_price(self, account: str, venue_symbol: str) -> Decimal | None:
        """The mark at which this position brings the account down, others standing still; None when no price does."""
        return self._margin.liquidation_price(self._accounts[account], venue_symbol)

    def leverage(self, account: str, venue_symbol: str) -> int:
        """The leverage chosen for a market; its maximum until chosen."""
        return self._margin.leverage(self._accounts[account], venue_symbol)
