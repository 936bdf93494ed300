"""Signatures of Hyperliquid: EIP-712 digests of actions.

An acting call is msgpack-encoded, hashed with its nonce into a `connectionId`, and that is signed as a phantom `Agent`.
Source: venue sheet section 6; every vector there is a test.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exchange_clients.keys import evm
from exchange_clients.keys.evm import keccak, recover_address, typed_data_head, word

__all__ = ["Signer", "action_hash", "agent_digest", "approve_agent_digest", "recover_address"]

_pack = msgspec.msgpack.Encoder().encode
_AGENT_PREFIX = typed_data_head("Exchange", 1337)
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
    body = _APPROVE_AGENT_TYPE + keccak(chain) + bytes(12) + bytes.fromhex(agent[2:]) + keccak(name.encode()) + word(nonce)
    return keccak(typed_data_head("HyperliquidSignTransaction", signature_chain_id) + keccak(body))


class Signer(evm.Signer):
    """One private key, loaded once."""

    def sign_action(
        self, action: Any, nonce: int, mainnet: bool, vault: str | None = None, expires_after: int | None = None
    ) -> dict[str, Any]:
        """Signature of an L1 action."""
        return self.sign(agent_digest(action_hash(action, nonce, vault, expires_after), mainnet))
