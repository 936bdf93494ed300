"""Signatures of Paradex.

Starknet typed data of the first revision is hashed with Pedersen (H of keys/stark.py):

    struct(T, vals) = H(starknet_keccak(T), vals …)
    message         = H("StarkNet Message", domain, account, struct)

What does not change between messages (domain, account, type) is hashed once. Source: venue sheet section 6; every vector there
is a test.
"""

from __future__ import annotations

from decimal import Decimal

from fast_stark_crypto import pedersen_hash

from exchange_clients.domain.side import Side
from exchange_clients.keys.stark import (
    Signer,
    absorb,
    account_address,
    is_signed_by,
    pedersen_array,
    short_string,
    starknet_keccak,
)

__all__ = ["Messages", "Signer", "account_address", "domain_hash", "is_signed_by"]

SIDES = {Side.BUY: 1, Side.SELL: 2}
_ORDER_FIELDS = "timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt"
_DOMAIN = starknet_keccak("StarkNetDomain(name:felt,chainId:felt,version:felt)")
_ONBOARDING, _AUTH, _ORDER, _MODIFY = (
    pedersen_hash(0, starknet_keccak(type_text))
    for type_text in (
        "Constant(action:felt)",
        "Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)",
        f"Order({_ORDER_FIELDS})",
        f"ModifyOrder({_ORDER_FIELDS},id:felt)",
    )
)


def domain_hash(chain_id: str) -> int:
    """The domain of a chain. `chain_id`: as `GET /system/config` spells it."""
    return pedersen_array((_DOMAIN, short_string("Paradex"), short_string(chain_id), 1))


class Messages:
    """Hashes of everything that one account can sign. `account`: its Starknet address in hex."""

    def __init__(self, chain_id: str, account: str) -> None:
        self._head = absorb(0, (short_string("StarkNet Message"), domain_hash(chain_id), int(account, 16)))

    def onboarding(self) -> int:
        """Makes the account known to the venue."""
        return self._message(_ONBOARDING, (short_string("Onboarding"),))

    def auth(self, timestamp_s: int, expiration_s: int) -> int:
        """Asks for a session token; both times in seconds since 1970."""
        values = (short_string("POST"), short_string("/v1/auth"), 0, timestamp_s, expiration_s)
        return self._message(_AUTH, values)

    def order(self, timestamp_ms: int, market: str, side: Side, kind: str, size: Decimal, price: Decimal) -> int:
        """A new order. `kind`: LIMIT or MARKET. `price`: 0 for MARKET."""
        return self._message(_ORDER, _order_values(timestamp_ms, market, side, kind, size, price))

    def modify(
        self, timestamp_ms: int, market: str, side: Side, kind: str, size: Decimal, price: Decimal, order_id: str
    ) -> int:
        """A change of a resting order to this size and price."""
        values = (*_order_values(timestamp_ms, market, side, kind, size, price), int(order_id))
        return self._message(_MODIFY, values)

    def _message(self, type_state: int, values: tuple[int, ...]) -> int:
        body = pedersen_hash(absorb(type_state, values), len(values) + 1)
        return pedersen_hash(pedersen_hash(self._head, body), 4)


def _order_values(timestamp_ms: int, market: str, side: Side, kind: str, size: Decimal, price: Decimal) -> tuple[int, ...]:
    return timestamp_ms, short_string(market), SIDES[side], short_string(kind), int(size.scaleb(8)), int(price.scaleb(8))
