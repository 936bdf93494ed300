"""Hyperliquid: one path to read, one to act, EIP-712 over msgpack, funding every hour."""
