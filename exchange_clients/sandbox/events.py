"""What the sandbox exchange tells its listeners, in the order it happens."""

from __future__ import annotations

from dataclasses import dataclass

from exchange_clients.sandbox.orders import SandboxFill, SandboxFunding, SandboxOrder, SandboxTrade


@dataclass(frozen=True)
class BookChanged:
    """A book moved on; its sequence grew by one."""

    venue_symbol: str


@dataclass(frozen=True)
class TradePrinted:
    """A public trade."""

    trade: SandboxTrade


@dataclass(frozen=True)
class OrderChanged:
    """An order as it stands now (a snapshot)."""

    order: SandboxOrder


@dataclass(frozen=True)
class Filled:
    """An execution was booked."""

    fill: SandboxFill


@dataclass(frozen=True)
class FundingPaid:
    """Funding was booked."""

    payment: SandboxFunding


@dataclass(frozen=True)
class AccountChanged:
    """Cash, positions, leverage or reserved margin of the account changed."""

    account: str


SandboxEvent = BookChanged | TradePrinted | OrderChanged | Filled | FundingPaid | AccountChanged
