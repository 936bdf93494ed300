"""One account of the sandbox exchange: cash, positions, orders and what was booked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from exchange_clients.sandbox.orders import SandboxFill, SandboxFunding, SandboxOrder, SandboxPosition


@dataclass(frozen=True)
class FeeToken:
    """Fees are paid in this token, `factor` of what they would be, at `price` (settlement currency per token)."""

    name: str
    price: Decimal
    factor: Decimal


@dataclass
class Account:
    """`wallet`: deposit plus everything realised. `orders`: all ever, by id; `working`: those that rest or wait.

    `tokens`: what it holds besides the settlement currency, which backs no position. `fee_token`: None: fees come out of the wallet.
    """

    name: str
    deposit: Decimal
    wallet: Decimal
    positions: dict[str, SandboxPosition] = field(default_factory=dict)
    leverages: dict[str, int] = field(default_factory=dict)
    orders: dict[int, SandboxOrder] = field(default_factory=dict)
    working: dict[int, SandboxOrder] = field(default_factory=dict)
    fills: list[SandboxFill] = field(default_factory=list)
    payments: list[SandboxFunding] = field(default_factory=list)
    tokens: dict[str, Decimal] = field(default_factory=dict)
    fee_token: FeeToken | None = None
    _by_client_id: dict[str, int] = field(default_factory=dict)

    def record(self, order: SandboxOrder) -> None:
        """Keep a new order; one with a client id that was used before becomes the one that the id means."""
        self.orders[order.order_id] = order
        if order.client_order_id is not None:
            self._by_client_id[order.client_order_id] = order.order_id
        if not order.status.is_terminal:
            self.working[order.order_id] = order

    def knows_client_id(self, client_order_id: str) -> bool:
        return client_order_id in self._by_client_id

    def find(self, order_id: int | None, client_order_id: str | None) -> SandboxOrder | None:
        """The live order object, by either id."""
        if order_id is None and client_order_id is not None:
            order_id = self._by_client_id.get(client_order_id)
        return None if order_id is None else self.orders.get(order_id)

    def size(self, venue_symbol: str) -> Decimal:
        """Signed position size; 0 when flat."""
        position = self.positions.get(venue_symbol)
        return position.size if position else Decimal(0)

    def snapshot_positions(self) -> dict[str, SandboxPosition]:
        return {symbol: replace(position) for symbol, position in self.positions.items()}
