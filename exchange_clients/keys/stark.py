"""Keys and hashes of Starknet: Pedersen and the Stark curve, by fast-stark-crypto.

H(x1 … xn) = pedersen(… pedersen(pedersen(0, x1), x2) …, n)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import sha3
from fast_stark_crypto import get_public_key, pedersen_hash, sign, verify

CURVE_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
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


def absorb(state: int, values: Sequence[int]) -> int:
    """A hash that is under way, `values` later."""
    for value in values:
        state = pedersen_hash(state, value)
    return state


def pedersen_array(values: Sequence[int]) -> int:
    """H(x1 … xn)."""
    return pedersen_hash(absorb(0, values), len(values))


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
    """Whether `signature` over `message` is by `public_key`; anything malformed is not.

    `signature`: a JSON array of two texts, decimal as venues document it or 0x-hexadecimal as ccxt sends it.
    """
    try:
        key = int(public_key, 16)
        r, s = (int(part, 0) for part in json.loads(signature))
    except (ValueError, TypeError):
        return False
    # The native code panics, rather than refuse, on numbers that can't belong to a signature.
    if not (0 < r < 2**251 and 0 < s < 2**251 and message < 2**251 and is_public_key(key)):
        return False
    if pow(s, -1, CURVE_ORDER) >= 2**251:
        return False
    return verify(key, message, r, s)


def account_address(public_key: str, proxy_hash: str, account_hash: str) -> str:
    """The Starknet address that an account with `public_key` gets behind a proxy, under these class hashes."""
    key = int(public_key, 16)
    arguments = (int(account_hash, 16), starknet_keccak("initialize"), 2, key, 0)
    salted = (short_string("STARKNET_CONTRACT_ADDRESS"), 0, key, int(proxy_hash, 16), pedersen_array(arguments))
    return hex(pedersen_array(salted) % _ADDRESS_BOUND)
