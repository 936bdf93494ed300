"""Whether a closed pair's ledger explains the wallets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from exchange_clients.errors import ExchangeError
from exchange_clients.trading.beliefs import Beliefs
from exchange_clients.trading.events import AccountSeen, WalletsRead
from exchange_clients.trading.inbox import Item
from exchange_clients.trading.intents import PairPlan
from exchange_clients.trading.ledger import reconcile
from exchange_clients.trading.order_desk import OrderDesk


class Comparison(msgspec.Struct, frozen=True):
    """`differences`: wallet change − ledger per venue that could be compared. `is_final`: nothing is missing or unexplained."""

    differences: Mapping[str, Decimal]
    is_final: bool


async def read_wallets(desk: OrderDesk, plan: PairPlan, since_ms: int, attempt: int) -> list[Item]:
    """What explains the cash first, then the cash, so that it is booked before it is compared.

    Executions are costly to list and were read when the legs were confirmed flat, so they are listed again only when a first
    comparison found something unexplained. A venue that does not answer is left out.
    """
    found, wallets = list[Item](), dict[str, Decimal]()
    for instrument in (plan.long, plan.short):
        try:
            funding = await desk.fetch_funding(instrument, since_ms)
            items = await desk.fetch_account(instrument.venue, [instrument] if attempt > 1 else [], since_ms)
        except ExchangeError:
            continue
        found += [*funding, *items]
        wallets |= {item.venue: item.balance.wallet for item in items if isinstance(item, AccountSeen)}
    return [*found, WalletsRead(plan.pair_id, wallets, attempt)]


def compare(read: WalletsRead, beliefs: Beliefs) -> Comparison:
    """Wallets against the ledger. A venue where other pairs are open can't be compared yet, and that does not hold this one up."""
    venues = beliefs.open_pairs[read.pair_id].plan.venues
    alone = [venue for venue in venues if beliefs.is_alone(read.pair_id, venue)]
    differences = {
        venue: reconcile(beliefs.wallets[venue], read.wallets[venue], beliefs.booked_since_wallet(venue))
        for venue in alone
        if venue in beliefs.wallets and venue in read.wallets
    }
    known = len(read.wallets) == len(venues) and not beliefs.executions_missing(read.pair_id)
    return Comparison(differences, known and len(differences) == len(alone) and not any(differences.values()))
