"""Signatures of Paradex: Starknet typed data of the first revision, hashed with Pedersen, signed by fast-stark-crypto.

    H(x1 … xn)      = pedersen(… pedersen(pedersen(0, x1), x2) …, n)
    struct(T, vals) = H(starknet_keccak(T), vals …)
    message         = H("StarkNet Message", domain, account, struct)

What does not change between messages (domain, account, type) is hashed once. Source: venue sheet section 6; every vector there
is a test.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import sha3
from fast_stark_crypto import get_public_key, pedersen_hash, sign, verify

from exchange_clients.domain.side import Side

CURVE_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
SIDES = {Side.BUY: 1, Side.SELL: 2}
_ADDRESS_BOUND = 2**251 - 256
_FIELD = 2**251 + 17 * 2**192 + 1
_BETA = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89


@lru_cache(maxsize=1024)
def short_string(text: str) -> int:
    """Up to 31 ASCII characters as one big-endian number; "" is 0. Raises ValueError for anything longer or not ASCII."""
    if len(text) > 31 or not text.isascii():
        raise ValueError(f"{text!r} is not a short string")
    return int.from_bytes(text.encode())


def starknet_keccak(text: str) -> int:
    """Keccak-256 of `text`, its lowest 250 bits."""
    return int.from_bytes(sha3.keccak_256(text.encode()).digest()) % 2**250


def _absorb(state: int, values: Sequence[int]) -> int:
    for value in values:
        state = pedersen_hash(state, value)
    return state


def pedersen_array(values: Sequence[int]) -> int:
    """H(x1 … xn)."""
    return pedersen_hash(_absorb(0, values), len(values))


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
        self._head = _absorb(0, (short_string("StarkNet Message"), domain_hash(chain_id), int(account, 16)))

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
        body = pedersen_hash(_absorb(type_state, values), len(values) + 1)
        return pedersen_hash(pedersen_hash(self._head, body), 4)


def _order_values(timestamp_ms: int, market: str, side: Side, kind: str, size: Decimal, price: Decimal) -> tuple[int, ...]:
    return timestamp_ms, short_string(market), SIDES[side], short_string(kind), int(size.scaleb(8)), int(price.scaleb(8))


class Signer:
    """One Stark key: an account's own or a subkey's."""

    def __init__(self, private_key: str) -> None:
        """`private_key`: hex. Raises ValueError for anything that is not a key of the curve."""
        self._key = int(private_key, 16)
        if not 0 < self._key < CURVE_ORDER:
            raise ValueError("not a private key of the Stark curve")
        self.public_key = hex(get_public_key(self._key))

    def sign(self, message: int) -> str:
        """`["r","s"]`, decimal, as the venue wants it. Deterministic (RFC 6979)."""
        r, s = sign(self._key, message)
        return f'["{r}","{s}"]'


def is_public_key(number: int) -> bool:
    """Whether `number` is the x coordinate of a point of the curve y² = x³ + x + β."""
    square = (pow(number, 3, _FIELD) + number + _BETA) % _FIELD
    return 0 < number < _FIELD and pow(square, (_FIELD - 1) // 2, _FIELD) == 1


def is_signed_by(public_key: str, message: int, signature: str) -> bool:
    """Whether `signature` (text of two decimals) over `message` is by `public_key`; anything malformed is not."""
    try:
        key = int(public_key, 16)
        r, s = map(int, json.loads(signature))
    except (ValueError, TypeError):
        return False
    # The native code panics, rather than refuse, on numbers that can't belong to a signature.
    if not (0 < r < 2**251 and 0 < s < CURVE_ORDER and is_public_key(key)):
        return False
    return verify(key, message, r, s)


def account_address(public_key: str, proxy_hash: str, account_hash: str) -> str:
    """The Starknet address that an account with `public_key` gets under the class hashes of `GET /system/config`."""
    key = int(public_key, 16)
    arguments = (int(account_hash, 16), starknet_keccak("initialize"), 2, key, 0)
    salted = (short_string("STARKNET_CONTRACT_ADDRESS"), 0, key, int(proxy_hash, 16), pedersen_array(arguments))
    return hex(pedersen_array(salted) % _ADDRESS_BOUND)
