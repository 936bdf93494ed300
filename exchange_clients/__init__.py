"""Async clients for perpetual-futures DEXes: one engine, many dialects.

Start at `registry` (which venues exist), `base` (what every client can do) and `errors` (what can go wrong).
Importing this package opens nothing, reads nothing and changes no process-wide state.
"""
