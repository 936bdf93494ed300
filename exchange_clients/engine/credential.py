"""From the texts of an account's credentials to keys, with one message for each mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import Misconfigured

Key = TypeVar("Key")


def text_of(wiring: Wiring, field: str) -> str:
    """The credential `field` as it was given, "" when it was not."""
    return wiring.credentials.get(field) if wiring.credentials is not None else ""


def key_of(venue: str, wiring: Wiring, field: str, make: Callable[[str], Key], form: str) -> Key | None:
    """What `make` makes of the credential `field`, None when it is not given. `form`: how the venue writes it, for people.

    Raises Misconfigured, without the text, when `make` raises ValueError.
    """
    text = text_of(wiring, field)
    try:
        return make(text) if text else None
    except ValueError as error:
        raise Misconfigured(venue, "credentials", f"{field} is not {form}") from error


def needed(key: Key | None, venue: str, operation: str, *fields: str) -> Key:
    """`key`. Raises Misconfigured, naming the credentials it comes from, when there is none."""
    if not key:
        names = " and ".join(fields)
        raise Misconfigured(venue, operation, f"this needs the credential{'s' if len(fields) > 1 else ''} {names}")
    return key
