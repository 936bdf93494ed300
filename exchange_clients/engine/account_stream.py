"""An account told whole, from a venue that streams positions one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from exchange_clients.domain.account import Balance, Position
from exchange_clients.domain.events import AccountEvent, Connected, Connectivity, Lost, Resumed
from exchange_clients.engine.subscription import Closing, Subscription
from exchange_clients.errors import NotSent, OutcomeUnknown, RateLimited

STATE_AGAIN_S = 1.0


@dataclass(frozen=True)
class Changed:
    """Something was told of the position in `symbol`, where one is held: `fields`, by their names."""

    symbol: str
    fields: Mapping[str, Any]


class BalanceInParts:
    """A balance of which one channel tells what the account is worth, and another its wallet. Unknown until it was read whole."""

    def __init__(self) -> None:
        self._last: Balance | None = None

    def read(self, balance: Balance) -> Balance:
        """`balance`, as it was read whole."""
        self._last = balance
        return balance

    def worth(self, of: Callable[[Decimal], Balance]) -> tuple[Balance, ...]:
        """The account's worth was told; `of` makes a balance of it with the wallet that is known."""
        return () if self._last is None else (self.read(of(self._last.wallet)),)

    def wallet(self, wallet: Decimal, time_ms: int) -> tuple[Balance, ...]:
        """A new wallet is told with the account that it belongs to, which may come before or after it."""
        if self._last is None:
            return ()
        self._last = msgspec.structs.replace(self._last, wallet=wallet)
        return (self._last,) if self._last.updated_ms > time_ms else ()


class AccountStream(Closing):
    """Positions and balance. `changes` yields connectivity, Balances, Positions (size 0: closed), what Changed of one, and tuples of all
    Positions that are open. `whole` reads everything.

    The whole is read once whenever the stream (re)starts, after the subscription is confirmed: whatever changes meanwhile waits
    in the queue and is applied on top.
    """

    def __init__(
        self, venue: str, changes: Subscription, whole: Callable[[], Awaitable[tuple[Sequence[Position], Balance]]]
    ) -> None:
        self._venue = venue
        self._changes = changes
        self._whole = whole
        self._positions: dict[str, Position] = {}
        self._is_stale = False

    def __aiter__(self) -> AccountStream:
        return self

    async def __anext__(self) -> AccountEvent | Connectivity:
        while self._is_stale:
            try:
                positions, balance = await self._whole()
            except (NotSent, OutcomeUnknown, RateLimited):
                await asyncio.sleep(STATE_AGAIN_S)
                continue
            self._positions, self._is_stale = {position.symbol: position for position in positions}, False
            return AccountEvent(self._venue, tuple(positions), balance)
        while True:
            change = await anext(self._changes)
            if isinstance(change, (Connected, Lost, Resumed)):
                self._is_stale = not isinstance(change, Lost)
                return change
            if isinstance(change, Balance):
                return AccountEvent(self._venue, None, change)
            if isinstance(change, tuple):
                self._positions = {position.symbol: position for position in change}
                return AccountEvent(self._venue, change, None)
            if isinstance(change, Changed):
                if (held := self._positions.get(change.symbol)) is None:
                    continue
                change = msgspec.structs.replace(held, **change.fields)
            if self._apply(change):
                return AccountEvent(self._venue, tuple(self._positions.values()), None)

    async def aclose(self) -> None:
        """Unsubscribe. Idempotent."""
        await self._changes.aclose()

    def _apply(self, position: Position) -> bool:
        """Take in one change; False when it is older than what is known."""
        known = self._positions.get(position.symbol)
        if known is not None and known.updated_ms > position.updated_ms:
            return False
        if position.size:
            self._positions[position.symbol] = position
        else:
            self._positions.pop(position.symbol, None)
        return True
