"""secp256k1 keys and EIP-712 digests, signed by libsecp256k1."""

from __future__ import annotations

from typing import Any

import sha3
from coincurve import PrivateKey, PublicKey


def keccak(data: bytes) -> bytes:
    """Keccak-256, 32 bytes."""
    return bytes(sha3.keccak_256(data).digest())


def word(number: int) -> bytes:
    """A uint256 as EIP-712 encodes it."""
    return number.to_bytes(32, "big")


def typed_data_head(name: str, chain_id: int) -> bytes:
    """What stands before a struct's hash in a digest: the prefix and the domain `name`, version 1, verified by no contract."""
    type_hash = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    return b"\x19\x01" + keccak(type_hash + keccak(name.encode()) + keccak(b"1") + word(chain_id) + word(0))


def address_of(public_key: PublicKey) -> str:
    """The 0x address (lower case) of a public key."""
    return "0x" + keccak(public_key.format(compressed=False)[1:])[12:].hex()


class Signer:
    """One private key, loaded once."""

    def __init__(self, private_key: str) -> None:
        """`private_key`: 32 bytes in hex, with or without 0x. Raises ValueError for anything else."""
        secret = bytes.fromhex(private_key.removeprefix("0x"))
        if len(secret) != 32:
            raise ValueError("a private key has 32 bytes")
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key)

    def sign(self, digest: bytes) -> dict[str, Any]:
        """`{"r","s","v"}` as the venue wants it: hex without padding, v 27 or 28. Deterministic (RFC 6979)."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return {"r": hex(int.from_bytes(raw[:32], "big")), "s": hex(int.from_bytes(raw[32:64], "big")), "v": 27 + raw[64]}


def recover_address(digest: bytes, r: str, s: str, v: int) -> str:
    """Who signed `digest`. Raises ValueError when nobody can have. `r`, `s` may be shorter than 64 digits."""
    try:
        raw = word(int(r, 16)) + word(int(s, 16)) + bytes([v - 27])
        return address_of(PublicKey.from_signature_and_message(raw, digest, hasher=None))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a signature: {error}") from error
