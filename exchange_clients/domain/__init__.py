"""Frozen values that every part of the system shares. Standard library and msgspec only; no I/O, no clock."""
