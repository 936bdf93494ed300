"""What a bot tells people while it works. Frozen values; whoever shows them decides how."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from exchange_clients.domain.funding import FundingPayment
from exchange_clients.domain.orders import Fill
from exchange_clients.trading.events import Candidate
from exchange_clients.trading.intents import PairPlan, Purpose
from exchange_clients.trading.ledger import PairStatement


class VenueUp(msgspec.Struct, frozen=True):
    """A venue answered. `wallet`: cash there."""

    venue: str
    instruments: int
    wallet: Decimal


class Ranking(msgspec.Struct, frozen=True):
    """The opportunities as ranked, best first."""

    candidates: tuple[Candidate, ...]


class PairOpening(msgspec.Struct, frozen=True):
    """A pair passed preflight and the risk limits. `shrunk_because` is "" unless the limits made it smaller."""

    plan: PairPlan
    shrunk_because: str


class LegFilled(msgspec.Struct, frozen=True):
    """An execution. `purpose` is None for one that no order of ours explains."""

    pair_id: str
    purpose: Purpose | None
    fill: Fill


class FundingReceived(msgspec.Struct, frozen=True):
    """Funding was booked; `total`: of the pair so far."""

    pair_id: str
    payment: FundingPayment
    total: Decimal


class PairClosing(msgspec.Struct, frozen=True):
    """Both legs are flat again; the ledger is being settled."""

    pair_id: str
    reason: str


class LedgerFinal(msgspec.Struct, frozen=True):
    """A pair's books. `differences`: wallet change − ledger per venue, 0 when everything is explained; a venue that could not
    be compared (other pairs open there, or it did not answer) is left out."""

    plan: PairPlan
    statement: PairStatement
    reason: str
    differences: dict[str, Decimal]

    @property
    def adds_up(self) -> bool:
        """Whether both venues were compared and nothing is unexplained."""
        return set(self.differences) == set(self.plan.venues) and not any(self.differences.values())


class Notice(msgspec.Struct, frozen=True):
    """Something that people should know. `level`: info or warning."""

    level: str
    text: str


Progress = VenueUp | Ranking | PairOpening | LegFilled | FundingReceived | PairClosing | LedgerFinal | Notice
