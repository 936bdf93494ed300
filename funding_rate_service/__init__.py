"""Collects funding rates of perpetual futures into PostgreSQL, ranks arbitrage between venues and serves both over HTTP."""
