"""Does what intents ask for, through the venues' clients, and says what is known afterwards.

Errors answer one question here: might it have happened? What certainly did not is SendRefused, everything else that went
wrong after sending is SendUnknown, and only reads follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from exchange_clients.base import BaseExchangeClient, Capability
from exchange_clients.domain.account import Position
from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.orders import ByClientId, ByVenueId, Fill, Order, OrderRequest
from exchange_clients.errors import ExchangeError, Misconfigured, NotSent, OrderNotFound, RateLimited, Refused, Unsupported
from exchange_clients.trading.events import AccountSeen, LeverageSet
from exchange_clients.trading.inbox import Item
from exchange_clients.trading.intents import CancelIntent, ResolveIntent, SetLeverageIntent
from exchange_clients.trading.records import FillSeen, FundingSeen, OrderMissing, OrderSeen, SendRefused, SendUnknown

CERTAINLY_NOT = (NotSent, RateLimited, Refused, Unsupported, Misconfigured)
"""Errors after which an acting call certainly has not happened."""


class MarketTime(Protocol):
    """The part of a clock that is needed here."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, market time."""


class OrderDesk:
    """One desk for all venues. Reading methods raise ExchangeError; acting ones return what became of it."""

    def __init__(self, clients: Mapping[str, BaseExchangeClient], clock: MarketTime) -> None:
        self._clients = clients
        self._clock = clock

    async def place(self, request: OrderRequest) -> Item:
        """Send an order once."""
        try:
            return OrderSeen(await self._clients[request.instrument.venue].place_order(request))
        except CERTAINLY_NOT as error:
            return SendRefused(request.client_order_id, str(error))
        except ExchangeError as error:
            return SendUnknown(request.client_order_id, str(error))

    async def cancel(self, intent: CancelIntent) -> None:
        """Ask once for a cancellation; whatever comes back, the order's own reports say what became of it."""
        try:
            client = self._clients[intent.instrument.venue]
            await client.cancel_order(intent.instrument, ByClientId(intent.client_order_id))
        except ExchangeError:
            return

    async def set_leverage(self, intent: SetLeverageIntent) -> Item:
        """Choose a leverage; choosing it again is harmless. A key that may not choose is enough where it is chosen already."""
        instrument, client = intent.instrument, self._clients[intent.instrument.venue]
        try:
            await client.set_leverage(instrument, intent.leverage)
        except Refused as refusal:
            return LeverageSet(instrument.venue, instrument.symbol, "" if await self._is_set(client, intent) else str(refusal))
        except ExchangeError as error:
            return LeverageSet(instrument.venue, instrument.symbol, str(error))
        return LeverageSet(instrument.venue, instrument.symbol, "")

    async def _is_set(self, client: BaseExchangeClient, intent: SetLeverageIntent) -> bool:
        try:
            return await client.fetch_leverage(intent.instrument) == intent.leverage
        except ExchangeError:
            return False

    async def fetch_book(self, instrument: Instrument) -> Item:
        """A book, read once."""
        return BookEvent(await self._clients[instrument.venue].fetch_order_book(instrument))

    async def fetch_account(self, venue: str, instruments: Sequence[Instrument], since_ms: int) -> list[Item]:
        """Executions of the given markets first, then positions and balance, so that what explains a position precedes it."""
        client, asked_ms = self._clients[venue], self._clock.now_ms()
        found: list[Item] = []
        for instrument in instruments:
            found += [FillSeen(fill) for fill in await client.fetch_fills(instrument, since_ms)]
        positions = await client.fetch_positions()
        balance = await client.fetch_balance()
        return [*found, AccountSeen(venue, tuple(positions), balance, asked_ms)]

    async def fetch_funding(self, instrument: Instrument, since_ms: int) -> list[Item]:
        """Funding booked since then."""
        payments = await self._clients[instrument.venue].fetch_funding_payments(instrument, since_ms)
        return [FundingSeen(payment) for payment in payments]

    async def resolve(self, intent: ResolveIntent, since_ms: int) -> list[Item]:
        """What became of an order: the order itself, its executions, what rests, the position. In that order."""
        client, instrument = self._clients[intent.instrument.venue], intent.instrument
        order = await self._find(client, intent)
        fills = await client.fetch_fills(instrument, since_ms)
        found: list[Item] = [FillSeen(fill) for fill in fills]
        if order is not None:
            return [OrderSeen(order), *found]
        resting = _named(await client.fetch_open_orders(instrument), intent)
        if resting is not None:
            return [OrderSeen(resting), *found]
        position = signed_position(await client.fetch_positions(), instrument)
        executed = sum((f.size * f.side.sign for f in fills if _is_of(f, intent)), Decimal(0))
        return [*found, OrderMissing(intent.client_order_id, position == intent.position_before + executed)]

    async def _find(self, client: BaseExchangeClient, intent: ResolveIntent) -> Order | None:
        try:
            if Capability.FETCH_BY_CLIENT_ID in client.capabilities:
                return await client.fetch_order(intent.instrument, ByClientId(intent.client_order_id))
            if intent.venue_order_id is not None:
                return await client.fetch_order(intent.instrument, ByVenueId(intent.venue_order_id))
        except OrderNotFound:
            return None
        return None


def signed_position(positions: Sequence[Position], instrument: Instrument) -> Decimal:
    """The signed size on a market, from a complete list of open positions (not listed = flat)."""
    here = (p.size for p in positions if (p.venue, p.symbol) == (instrument.venue, instrument.symbol))
    return sum(here, Decimal(0))


def _named(orders: Sequence[Order], intent: ResolveIntent) -> Order | None:
    return next((o for o in orders if o.client_order_id == intent.client_order_id), None)


def _is_of(fill: Fill, intent: ResolveIntent) -> bool:
    by_name = fill.client_order_id == intent.client_order_id
    return by_name or (intent.venue_order_id is not None and fill.venue_order_id == intent.venue_order_id)
