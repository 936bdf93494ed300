"""Signatures of Hyperliquid: EIP-712 digests computed here, signed by libsecp256k1.

An acting call is msgpack-encoded, hashed with its nonce into a `connectionId`, and that is signed as a phantom `Agent`.
Source: venue sheet section 6; every vector there is a test.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sha3
from coincurve import PrivateKey, PublicKey

_pack = msgspec.msgpack.Encoder().encode


def keccak(data: bytes) -> bytes:
    """Keccak-256, 32 bytes."""
    return bytes(sha3.keccak_256(data).digest())


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _domain(name: str, chain_id: int) -> bytes:
    type_hash = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    return keccak(type_hash + keccak(name.encode()) + keccak(b"1") + _word(chain_id) + _word(0))


_EIP712 = b"\x19\x01"
_AGENT_PREFIX = _EIP712 + _domain("Exchange", 1337)
_AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")
_AGENT_HEAD = {True: _AGENT_TYPE + keccak(b"a"), False: _AGENT_TYPE + keccak(b"b")}
_APPROVE_AGENT_TYPE = keccak(
    b"HyperliquidTransaction:ApproveAgent(string hyperliquidChain,address agentAddress,string agentName,uint64 nonce)"
)


def action_hash(action: Any, nonce: int, vault: str | None = None, expires_after: int | None = None) -> bytes:
    """The `connectionId` of an action. `nonce`, `expires_after`: ms. `vault`: 0x address or None. Key order of `action` counts."""
    data = _pack(action) + nonce.to_bytes(8, "big")
    data += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:])
    if expires_after is not None:
        data += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(data)


def agent_digest(connection_id: bytes, mainnet: bool) -> bytes:
    """What is signed for an L1 action."""
    return keccak(_AGENT_PREFIX + keccak(_AGENT_HEAD[mainnet] + connection_id))


def approve_agent_digest(agent: str, name: str, nonce: int, mainnet: bool, signature_chain_id: int = 0x66EEE) -> bytes:
    """What the main key signs to let `agent` (0x address) trade; this kind is signed as it reads, not through an agent."""
    chain = b"Mainnet" if mainnet else b"Testnet"
    body = _APPROVE_AGENT_TYPE + keccak(chain) + bytes(12) + bytes.fromhex(agent[2:]) + keccak(name.encode()) + _word(nonce)
    return keccak(_EIP712 + _domain("HyperliquidSignTransaction", signature_chain_id) + keccak(body))


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

    def sign_action(
        self, action: Any, nonce: int, mainnet: bool, vault: str | None = None, expires_after: int | None = None
    ) -> dict[str, Any]:
        """Signature of an L1 action."""
        return self.sign(agent_digest(action_hash(action, nonce, vault, expires_after), mainnet))


def recover_address(digest: bytes, r: str, s: str, v: int) -> str:
    """Who signed `digest`. Raises ValueError when nobody can have. `r`, `s` may be shorter than 64 digits."""
    try:
        raw = _word(int(r, 16)) + _word(int(s, 16)) + bytes([v - 27])
        return address_of(PublicKey.from_signature_and_message(raw, digest, hasher=None))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a signature: {error}") from error
