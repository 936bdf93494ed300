"""Books money: executions, fees and funding. Each amount is quantised once; what is booked is what is reported."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import count

from exchange_clients.domain.orders import Liquidity
from exchange_clients.engine.clock import Clock
from exchange_clients.sandbox.accounts import Account
from exchange_clients.sandbox.booking import book_trade, money, pnl_quantum
from exchange_clients.sandbox.events import AccountChanged, Filled, FundingPaid, SandboxEvent
from exchange_clients.sandbox.margin import Margin
from exchange_clients.sandbox.markets import Markets
from exchange_clients.sandbox.orders import SandboxFill, SandboxFunding, SandboxOrder, SandboxPosition
from exchange_clients.sandbox.rules import ContinuousFunding, DiscreteFunding


class Settlement:
    """The only writer of wallets, positions, fills and payments."""

    def __init__(self, markets: Markets, margin: Margin, clock: Clock, emit: Callable[[SandboxEvent], None]) -> None:
        self._markets = markets
        self._margin = margin
        self._rules = markets.rules
        self._clock = clock
        self._emit = emit
        self._fill_ids, self._payment_ids = count(1), count(1)

    def book_fill(
        self, account: Account, order: SandboxOrder, price: Decimal, size: Decimal, liquidity: Liquidity, is_liquidation: bool
    ) -> None:
        """Book an execution of `order`: funding that it settles, the position, the fee; then record it."""
        symbol, fill_id, before = order.venue_symbol, next(self._fill_ids), account.size(order.venue_symbol)
        funding = self.settle_accrued(account, symbol, fill_id)
        realised = self._book_position(account, symbol, order.side.sign * size, price)
        fees = self._markets.listing(symbol).fees or self._rules.fees
        fee = money(size * price * (fees.maker if liquidity is Liquidity.MAKER else fees.taker), self._rules.money_quantum)
        fee, fee_asset = self._pay_fee(account, fee)
        account.wallet += realised
        order.filled += size
        order.cost += size * price
        fill = SandboxFill(
            fill_id=fill_id,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            account=account.name,
            venue_symbol=symbol,
            side=order.side,
            size=size,
            price=price,
            fee=fee,
            liquidity=liquidity,
            time_ms=self._clock.now_ms(),
            position_before=before,
            realised_pnl=realised,
            realised_funding=funding.amount if funding else Decimal(0),
            order_remaining=order.remaining,
            liquidation=is_liquidation,
            fee_asset=fee_asset,
        )
        account.fills.append(fill)
        self._emit(Filled(fill))

    def _pay_fee(self, account: Account, fee: Decimal) -> tuple[Decimal, str]:
        """What was paid and in which token ("": the settlement currency, also where the account has too little of its token)."""
        token = account.fee_token
        if token is not None:
            paid = money(fee * token.factor / token.price, self._rules.money_quantum)
            if account.tokens.get(token.name, Decimal(0)) >= paid:
                account.tokens[token.name] -= paid
                return paid, token.name
        account.wallet -= fee
        return fee, ""

    def settle_accrued(self, account: Account, venue_symbol: str, fill_id: int | None) -> SandboxFunding | None:
        """Book what accrued on a position through the funding index; None where nothing accrues that way."""
        position = account.positions.get(venue_symbol)
        if position is None or position.funding_index is None:
            return None
        index = self._markets.funding_index(venue_symbol)
        if index == position.funding_index:
            return None
        amount = self._margin.accrued_funding(account, venue_symbol)
        position.funding_index = index
        rate = self._markets.funding_rate(venue_symbol)
        return self._book_funding(account, position, amount, rate, self._clock.now_ms(), index, fill_id)

    def pay_at_boundary(self, account: Account, boundary_ms: int) -> None:
        """Book one boundary: the rate that stood just before it, the index price at it. Where the rate is unknown, nothing."""
        funding = self._rules.funding
        if not isinstance(funding, DiscreteFunding):
            return
        for symbol, position in account.positions.items():
            rate = self._markets.funding_rate(symbol, boundary_ms - 1)
            if rate is None:
                continue
            index_price = self._markets.state(symbol, boundary_ms).index
            amount = money(funding.payment(position.size, index_price, rate), self._rules.money_quantum)
            self._book_funding(account, position, amount, rate, boundary_ms, None, None)
        if account.positions:
            self._emit(AccountChanged(account.name))

    def _book_funding(
        self,
        account: Account,
        position: SandboxPosition,
        amount: Decimal,
        rate: Decimal | None,
        time_ms: int,
        index: Decimal | None,
        fill_id: int | None,
    ) -> SandboxFunding:
        account.wallet += amount
        position.funding_since_open += amount
        payment = SandboxFunding(
            payment_id=next(self._payment_ids),
            account=account.name,
            venue_symbol=position.venue_symbol,
            amount=amount,
            rate=rate,
            position_size=position.size,
            time_ms=time_ms,
            index=index,
            fill_id=fill_id,
        )
        account.payments.append(payment)
        self._emit(FundingPaid(payment))
        return payment

    def _book_position(self, account: Account, venue_symbol: str, change: Decimal, price: Decimal) -> Decimal:
        """Move a position and return what the move realised."""
        position, now_ms = account.positions.get(venue_symbol), self._clock.now_ms()
        size, cost = (position.size, position.cost) if position else (Decimal(0), Decimal(0))
        quantum = pnl_quantum(self._markets.listing(venue_symbol).instrument, self._rules.money_quantum)
        booking = book_trade(size, cost, change, price, quantum)
        if booking.size == 0:
            del account.positions[venue_symbol]
        elif position is not None and booking.size * size > 0:
            position.size, position.cost, position.updated_ms = booking.size, booking.cost, now_ms
        else:
            accrues = isinstance(self._rules.funding, ContinuousFunding)
            account.positions[venue_symbol] = SandboxPosition(
                venue_symbol=venue_symbol,
                size=booking.size,
                cost=booking.cost,
                leverage=self._margin.leverage(account, venue_symbol),
                funding_index=self._markets.funding_index(venue_symbol) if accrues else None,
                opened_ms=now_ms,
                updated_ms=now_ms,
            )
        return booking.realised_pnl
