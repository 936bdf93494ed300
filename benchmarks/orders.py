"""The order that everybody builds and signs, and the keys it is signed with: invented, and good for nothing else."""

from __future__ import annotations

TIME_MS = 1_780_000_000_000
SIZE = "0.123"
PRICE = "68674"
CLIENT_ORDER_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
HYPERLIQUID_KEY = "0x" + "12" * 32
PARADEX_KEY = "0x543b6cf6c91817a87174aaea4fb370ac1c694e864d7740d728f8344d53e815"
PARADEX_ACCOUNT = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
PARADEX_CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
PARADEX_MARKET = "BTC-USD-PERP"
PACIFICA_SEED = bytes(range(1, 33))
