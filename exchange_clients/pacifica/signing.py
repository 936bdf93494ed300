"""Signatures of Pacifica: Ed25519 over compact JSON whose keys are sorted at every depth.

`{"data": payload, "expiry_window": ms, "timestamp": ms, "type": operation}` is what is signed; account and agent are not in it.
Source: venue sheet section 6; every vector there is a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import base58
import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

_encode = msgspec.json.Encoder(order="sorted").encode


def signed_text(operation: str, timestamp_ms: int, expiry_window_ms: int, payload: Mapping[str, Any]) -> bytes:
    """The bytes that are signed. `payload`: the operation's own fields, numbers as strings, absent options left out."""
    return _encode({"type": operation, "timestamp": timestamp_ms, "expiry_window": expiry_window_ms, "data": payload})


class Signer:
    """One private key, loaded once."""

    def __init__(self, private_key: str) -> None:
        """`private_key`: base58 of 64 bytes, seed and public key (Solana's form). Raises ValueError for anything else."""
        secret = base58.b58decode(private_key)
        if len(secret) != 64:
            raise ValueError(f"a private key has 64 bytes, not {len(secret)}")
        self._key = SigningKey(secret[:32])
        if bytes(self._key.verify_key) != secret[32:]:
            raise ValueError("the public half does not belong to the private half")
        self.address = base58.b58encode(secret[32:]).decode()

    @classmethod
    def from_seed(cls, seed: bytes) -> Signer:
        """The key grown from 32 bytes."""
        return cls(base58.b58encode(seed + bytes(SigningKey(seed).verify_key)).decode())

    @property
    def private_key(self) -> str:
        """The secret in the form that `__init__` takes."""
        return base58.b58encode(bytes(self._key) + bytes(self._key.verify_key)).decode()

    def sign(self, text: bytes) -> str:
        """Signature in base58. Deterministic."""
        return base58.b58encode(self._key.sign(text).signature).decode()


def is_signed_by(address: str, text: bytes, signature: str) -> bool:
    """Whether `signature` (base58) of `text` was made with the key behind `address` (base58)."""
    try:
        VerifyKey(base58.b58decode(address)).verify(text, base58.b58decode(signature))
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True
