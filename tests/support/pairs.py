"""Small values that tests of pairs, orders and ledgers are told with."""

from __future__ import annotations

from decimal import Decimal

from exchange_clients.domain.account import Balance, FeeRates, Position
from exchange_clients.domain.market import Level, OrderBook
from exchange_clients.domain.orders import Fill, Liquidity, Order, OrderRequest, OrderStatus, TimeInForce
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from exchange_clients.trading.events import AccountSeen
from exchange_clients.trading.intents import PairPlan, PlaceIntent, Purpose
from tests.support.direct_client import instrument

ETH_EAST = instrument("east", "ETH", "0.1", "0.001")
ETH_WEST = instrument("west", "ETH", "0.05", "0.003")
PEPE_EAST = instrument("east", "kPEPE", "0.0000001", "1", 1000)
FEES = FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))


def plan(size: str = "0.3", leverage: int = 2, pair_id: str = "pair-1") -> PairPlan:
    """Long ETH on east, short on west, worth about 3000 a piece."""
    return PairPlan(
        pair_id, "ETH", ETH_EAST, ETH_WEST, Decimal(size), Decimal(size) * 3000, leverage, carry_hourly=1e-4, price_ratio=1.0
    )


def place(name: str, side: Side, size: str, purpose: Purpose = Purpose.ENTER, reduce_only: bool = False) -> PlaceIntent:
    """An order on east ETH at 3000."""
    request = OrderRequest(name, ETH_EAST, side, Decimal(size), Decimal(3000), TimeInForce.IOC, reduce_only)
    return PlaceIntent("pair-1", purpose, request, Decimal(3000))


def order_of(name: str, status: OrderStatus, filled: str = "0", size: str = "2", venue: str = "east") -> Order:
    """What the venue says of order `name`; its venue id is v-`name`."""
    return Order(
        venue=venue,
        symbol="ETH",
        venue_order_id=f"v-{name}",
        client_order_id=name,
        side=Side.BUY,
        size=Decimal(size),
        filled=Decimal(filled),
        price=Decimal(3000),
        average_price=None,
        status=status,
        reduce_only=False,
        reason="",
        updated_ms=0,
    )


def fill_of(
    name: str | None,
    fill_id: str,
    size: str,
    price: str = "3000",
    side: Side = Side.BUY,
    fee: str = "0",
    venue: str = "east",
    venue_order_id: str = "v-one",
) -> Fill:
    """An execution; `name` None leaves the client order id out."""
    return Fill(
        venue=venue,
        symbol="ETH",
        fill_id=fill_id,
        venue_order_id=venue_order_id,
        client_order_id=name,
        side=side,
        size=Decimal(size),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_asset="USD",
        liquidity=Liquidity.TAKER,
        time_ms=1,
    )


def book(venue: str, mid: float = 3000.0, size: float = 10.0, spread: float = 1.0, time_ms: int = 0) -> OrderBook:
    """Five levels a side, `spread` apart, each of `size`."""
    bids = [Level(mid - spread / 2 - i * spread, size) for i in range(5)]
    asks = [Level(mid + spread / 2 + i * spread, size) for i in range(5)]
    return OrderBook(venue, "ETH", bids, asks, time_ms, Provenance.SANDBOX)


def account(venue: str, size: str = "0", asked_ms: int = 0, available: str = "10000") -> AccountSeen:
    """An account with at most one ETH position."""
    held = (
        (
            Position(
                venue=venue,
                symbol="ETH",
                size=Decimal(size),
                entry_price=None,
                unrealised_pnl=None,
                liquidation_price=None,
                leverage=None,
                updated_ms=asked_ms,
            ),
        )
        if Decimal(size)
        else ()
    )
    money = Decimal(available)
    return AccountSeen(
        venue,
        held,
        Balance(venue=venue, asset="USD", wallet=money, equity=money, available=money, updated_ms=asked_ms),
        asked_ms,
    )
