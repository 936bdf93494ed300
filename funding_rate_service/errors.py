"""What can keep the service from starting. Each message is one line for the person who started it."""

from __future__ import annotations


class StartupError(Exception):
    """The service can't start; the text says what is wrong and what to do."""


class DatabaseUnavailable(StartupError):
    """No usable PostgreSQL: it can't be reached, refuses us, or the embedded one does not start."""
