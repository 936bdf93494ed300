"""Replies that nobody foresaw: what goes wrong in making sense of them is told in the library's own errors."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import msgspec

from exchange_clients.errors import OutcomeUnknown, ProtocolViolation

UNREADABLE_DATA = (
    msgspec.MsgspecError,
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What Python says when data is not what code expects."""

ACTS = ("_place", "_cancel", "_amend", "_set_leverage", "_cancel_all")
READS = ("_fetch_order", "_rate_history", "current_rates", "market_stats", "snapshot", "verify_access")


def guard(kind: type) -> None:
    """Make the contract's verbs that `kind` itself defines raise ExchangeError and nothing else.

    After an act the outcome is unknown; a read is a ProtocolViolation. The cause is kept.
    """
    for name, method in list(vars(kind).items()):
        if name in ACTS:
            setattr(kind, name, _told(name, method, OutcomeUnknown, "it may have happened"))
        elif name in READS or name.startswith("fetch_"):
            setattr(kind, name, _told(name, method, ProtocolViolation, "nothing was learnt"))


def _told(
    name: str, method: Callable[..., Awaitable[Any]], error: type[OutcomeUnknown] | type[ProtocolViolation], consequence: str
) -> Callable[..., Awaitable[Any]]:
    @wraps(method)
    async def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(self, *args, **kwargs)
        except UNREADABLE_DATA as odd:
            detail = f"the reply makes no sense ({type(odd).__name__}: {odd}); {consequence}"
            raise error(self.venue, name.lstrip("_"), detail) from odd

    return told
