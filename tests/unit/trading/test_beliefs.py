"""What is lost today: settled pairs, and what open ones have cost already."""

from __future__ import annotations

from decimal import Decimal

from exchange_clients.domain.orders import OrderStatus
from exchange_clients.domain.side import Side
from exchange_clients.trading.beliefs import Beliefs
from exchange_clients.trading.intents import ClosePairIntent, OpenPairIntent
from exchange_clients.trading.records import Entry, FillSeen, Intended, OrderSeen, PairSettled, Record
from tests.support.pairs import fill_of, order_of, place, plan

OPENED = Intended(OpenPairIntent(plan()))
BOUGHT = (
    Intended(place("one", Side.BUY, "2")),
    OrderSeen(order_of("one", OrderStatus.FILLED, "2")),
    FillSeen(fill_of("one", "f1", "2", "3001", fee="1.5")),
)
SOLD = (
    Intended(place("two", Side.SELL, "2")),
    OrderSeen(order_of("two", OrderStatus.FILLED, "2")),
    FillSeen(fill_of("two", "f2", "2", "2990", Side.SELL, fee="1.5", venue_order_id="v-two")),
)


def believing(*records: Record) -> Beliefs:
    """Beliefs after `records`, one each second from 1,000 ms on."""
    beliefs = Beliefs()
    for second, record in enumerate(records, 1):
        beliefs.apply(Entry(second * 1000, record))
    return beliefs


def test_an_open_pair_has_lost_its_fees_and_its_slippage() -> None:
    beliefs = believing(OPENED, *BOUGHT)
    assert beliefs.loss_since(0) == Decimal("1.5") + 2 * (3001 - 3000)
    assert beliefs.loss_since(10**12) == beliefs.loss_since(0), "it is being lost now, whenever it began"


def test_a_settled_pair_counts_on_the_day_it_was_settled() -> None:
    closed = Intended(ClosePairIntent("pair-1", "enough"))
    beliefs = believing(OPENED, *BOUGHT, *SOLD, closed, PairSettled("pair-1", "enough", {}))
    assert beliefs.loss_since(0) == 2 * (3001 - 2990) + 3
    assert beliefs.loss_since(10**12) == 0


def test_nothing_done_is_nothing_lost() -> None:
    assert believing().loss_since(0) == 0 == believing(OPENED).loss_since(0)
