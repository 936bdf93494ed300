"""What is signed on Paradex, as keys/starknet_messages.py hashes it. Source: venue sheet section 6; every vector there is a test."""

from __future__ import annotations

from decimal import Decimal

from exchange_clients.domain import Side, exact
from exchange_clients.keys import starknet_messages
from exchange_clients.keys.stark import Signer, account_address, is_signed_by, short_string
from exchange_clients.keys.starknet_messages import TypedMessages, type_state

__all__ = ["Messages", "Signer", "account_address", "domain_hash", "is_signed_by"]

SIDES = {Side.BUY: 1, Side.SELL: 2}
_ORDER_FIELDS = "timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt"
_ONBOARDING, _ORDER = type_state("Constant(action:felt)"), type_state(f"Order({_ORDER_FIELDS})")
_AUTH = type_state("Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)")
_MODIFY = type_state(f"ModifyOrder({_ORDER_FIELDS},id:felt)")


def domain_hash(chain_id: str) -> int:
    """The domain of a chain. `chain_id`: as `GET /system/config` spells it."""
    return starknet_messages.domain_hash("Paradex", chain_id)


class Messages(TypedMessages):
    """Hashes of everything that one account can sign. `account`: its Starknet address in hex."""

    def __init__(self, chain_id: str, account: str) -> None:
        super().__init__(domain_hash(chain_id), account)

    def onboarding(self) -> int:
        """Makes the account known to the venue."""
        return self.message(_ONBOARDING, (short_string("Onboarding"),))

    def auth(self, timestamp_s: int, expiration_s: int) -> int:
        """Asks for a session token; both times in seconds since 1970."""
        return self.message(_AUTH, (short_string("POST"), short_string("/v1/auth"), 0, timestamp_s, expiration_s))

    def order(self, timestamp_ms: int, market: str, side: Side, kind: str, size: Decimal, price: Decimal) -> int:
        """A new order. `kind`: LIMIT or MARKET. `price`: 0 for MARKET."""
        return self.message(_ORDER, _terms(timestamp_ms, market, side, kind, size, price))

    def modify(
        self, timestamp_ms: int, market: str, side: Side, kind: str, size: Decimal, price: Decimal, order_id: str
    ) -> int:
        """A change of a resting order to this size and price."""
        return self.message(_MODIFY, (*_terms(timestamp_ms, market, side, kind, size, price), int(order_id)))


@exact
def _terms(timestamp_ms: int, market: str, side: Side, kind: str, size: Decimal, price: Decimal) -> tuple[int, ...]:
    return timestamp_ms, short_string(market), SIDES[side], short_string(kind), int(size.scaleb(8)), int(price.scaleb(8))
