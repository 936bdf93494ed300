"""The only arithmetic of profit and loss. Nothing is rounded, so that it can be compared with wallets digit by digit.

Per leg, over its fills and funding payments:

    price    = −Σ signed size × price     the cash that trading moved; what was won or lost once the leg is flat
    fees     = Σ fee                      positive when paid; fees paid in another token are kept apart and never added as money
    funding  = Σ amount                   positive when received
    slippage = Σ signed size × (price − mid at the decision)   a cost when positive; part of price, shown apart
    net      = price − fees + funding

The wallet of a venue where we are flat has changed by exactly Σ net of the legs there.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.orders import Fill

MONEY = frozenset({"USD", "USDC", "USDT", "USDE", "USDH"})
"""What venues settle in: fees in these are in the unit of the books, any other token is not."""


class LegStatement(msgspec.Struct, frozen=True):
    """The books of one leg. `position` signed, venue units; money in settlement currency. `slippage` is a cost when positive.

    `slippage` is None when an execution had no reference price (an order that was not ours). `other_fees`: (token, amount) of fees
    that did not come out of the settlement currency; what they were worth is not known, so they are in no sum.
    """

    venue: str
    symbol: str
    position: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    slippage: Decimal | None = Decimal(0)
    fills: int = 0
    payments: int = 0
    other_fees: tuple[tuple[str, Decimal], ...] = ()

    @property
    def net(self) -> Decimal:
        """What the leg added to the wallet."""
        return self.price - self.fees + self.funding

    def with_fill(self, fill: Fill, reference: Decimal | None) -> LegStatement:
        """The books after one more execution. `reference`: mid at the decision, quote currency per venue unit."""
        signed = fill.size * fill.side.sign
        slippage = None if self.slippage is None or reference is None else self.slippage + signed * (fill.price - reference)
        is_money = fill.fee_asset in MONEY or not fill.fee
        others = dict(self.other_fees)
        if not is_money:
            others[fill.fee_asset] = others.get(fill.fee_asset, Decimal(0)) + fill.fee
        return msgspec.structs.replace(
            self,
            position=self.position + signed,
            price=self.price - signed * fill.price,
            fees=self.fees + (fill.fee if is_money else Decimal(0)),
            other_fees=tuple(sorted(others.items())),
            slippage=slippage,
            fills=self.fills + 1,
        )

    def with_funding(self, payment: FundingPayment) -> LegStatement:
        """The books after one more payment."""
        return msgspec.structs.replace(self, funding=self.funding + payment.amount, payments=self.payments + 1)

    def price_at(self, mark: Decimal) -> Decimal:
        """Price result if what is still open were closed at `mark` (quote currency per venue unit)."""
        return self.price + self.position * mark


class PairStatement(msgspec.Struct, frozen=True):
    """The books of a pair: its long and its short leg and their sums."""

    pair_id: str
    long: LegStatement
    short: LegStatement

    @property
    def price(self) -> Decimal:
        return self.long.price + self.short.price

    @property
    def fees(self) -> Decimal:
        return self.long.fees + self.short.fees

    @property
    def funding(self) -> Decimal:
        return self.long.funding + self.short.funding

    @property
    def slippage(self) -> Decimal | None:
        """None when it is unknown for a leg."""
        if self.long.slippage is None or self.short.slippage is None:
            return None
        return self.long.slippage + self.short.slippage

    @property
    def net(self) -> Decimal:
        return self.long.net + self.short.net

    @property
    def is_flat(self) -> bool:
        return self.long.position == 0 and self.short.position == 0

    def leg(self, venue: str, symbol: str) -> LegStatement | None:
        """The leg on this market, if the pair has one there."""
        return next((leg for leg in (self.long, self.short) if (leg.venue, leg.symbol) == (venue, symbol)), None)


class Ledger:
    """The books of every pair of a journal. Executions and payments must come once each; the caller removes repeats."""

    def __init__(self) -> None:
        self.pairs: dict[str, PairStatement] = {}

    def open_pair(self, pair_id: str, long_market: tuple[str, str], short_market: tuple[str, str]) -> None:
        """Start the books of a pair. Markets are (venue, symbol)."""
        self.pairs[pair_id] = PairStatement(pair_id, LegStatement(*long_market), LegStatement(*short_market))

    def book_fill(self, pair_id: str, fill: Fill, reference: Decimal | None) -> None:
        """Book an execution. Raises KeyError for an unknown pair or a market that is none of its legs."""
        leg = self._leg(pair_id, fill.venue, fill.symbol)
        self._put(pair_id, leg.with_fill(fill, reference))

    def book_funding(self, pair_id: str, payment: FundingPayment) -> None:
        """Book a payment. Raises KeyError as `book_fill` does."""
        leg = self._leg(pair_id, payment.venue, payment.symbol)
        self._put(pair_id, leg.with_funding(payment))

    def venue_net(self, venue: str, pair_ids: Iterable[str]) -> Decimal:
        """What the legs on `venue` of these pairs added to its wallet."""
        legs = (leg for i in pair_ids for leg in (self.pairs[i].long, self.pairs[i].short))
        return sum((leg.net for leg in legs if leg.venue == venue), Decimal(0))

    def _leg(self, pair_id: str, venue: str, symbol: str) -> LegStatement:
        leg = self.pairs[pair_id].leg(venue, symbol)
        if leg is None:
            raise KeyError(f"{pair_id} has no leg on {venue} {symbol}")
        return leg

    def _put(self, pair_id: str, leg: LegStatement) -> None:
        pair = self.pairs[pair_id]
        is_long = (leg.venue, leg.symbol) == (pair.long.venue, pair.long.symbol)
        self.pairs[pair_id] = msgspec.structs.replace(pair, **{"long" if is_long else "short": leg})


def reconcile(wallet_before: Decimal, wallet_after: Decimal, booked: Decimal) -> Decimal:
    """Wallet change that the ledger does not explain; exactly 0 when every execution and payment is known and we are flat."""
    return wallet_after - wallet_before - booked
