"""Whom the conformance suite examines, and what it may take for granted of a venue from its spec alone."""

from __future__ import annotations

from exchange_clients import registry
from exchange_clients.domain.credentials import Credentials
from exchange_clients.spec import VenueSpec

TOY = "toy"
"""The fictitious venue that new ones begin as. It is examined like any other, and listed nowhere."""

registry.register(TOY, "exchange_clients.toy.common:SPEC")
VENUES = (*registry.names(), TOY)

_SECRET_WORDS = ("key", "secret", "phrase", "password")


def is_secret(field: str) -> bool:
    """Whether a credential is one to hide. Names of accounts and addresses may be said aloud."""
    return any(word in field for word in _SECRET_WORDS)


def mixtures(spec: VenueSpec, own: Credentials, strange: Credentials) -> list[tuple[str, Credentials]]:
    """Our credentials with one of a stranger's put in, for every field in which the two differ."""
    fields = [name for name in spec.credential_fields if own.get(name) != strange.get(name)]
    return [(name, with_field(own, name, strange[name])) for name in fields]


def with_field(credentials: Credentials, name: str, value: str) -> Credentials:
    """`credentials` with another value of one field; an empty one leaves it out."""
    changed = {**credentials.values, name: value}
    return Credentials({field: text for field, text in changed.items() if text})
