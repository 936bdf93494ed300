"""Starknet's typed data of the first revision, hashed with Pedersen (H of keys/stark.py):

    struct(T, vals) = H(starknet_keccak(T), vals …)
    message         = H("StarkNet Message", domain, account, struct)

What does not change between messages (domain, account, type) is hashed once.
"""

from __future__ import annotations

from fast_stark_crypto import pedersen_hash

from exchange_clients.keys.stark import absorb, pedersen_array, short_string, starknet_keccak

_DOMAIN = starknet_keccak("StarkNetDomain(name:felt,chainId:felt,version:felt)")


def type_state(type_text: str) -> int:
    """A struct's hash under way, its type taken in."""
    return pedersen_hash(0, starknet_keccak(type_text))


def domain_hash(name: str, chain_id: str) -> int:
    """The domain of a protocol on a chain, version 1."""
    return pedersen_array((_DOMAIN, short_string(name), short_string(chain_id), 1))


class TypedMessages:
    """What one account signs in one domain. `account`: its Starknet address in hex."""

    def __init__(self, domain: int, account: str) -> None:
        self._head = absorb(0, (short_string("StarkNet Message"), domain, int(account, 16)))

    def message(self, state: int, values: tuple[int, ...]) -> int:
        """The hash to sign of a struct with these values. `state`: `type_state` of its type."""
        body = pedersen_hash(absorb(state, values), len(values) + 1)
        return pedersen_hash(pedersen_hash(self._head, body), 4)
