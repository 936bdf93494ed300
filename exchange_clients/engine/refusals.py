"""From a venue's words (or codes) of refusal to our classes, by a table."""

from __future__ import annotations

from collections.abc import Mapping

from exchange_clients.errors import OrderRejected, Refused


def refused(
    venue: str,
    operation: str,
    text: str,
    table: Mapping[str, type[Refused]],
    code: str = "",
    default: type[Refused] = OrderRejected,
) -> Refused:
    """The first class whose key is `code` or occurs in `text` (any case); otherwise `default`. The venue's words are kept."""
    lowered = text.lower()
    kind = table.get(code) or next((kind for part, kind in table.items() if part.lower() in lowered), default)
    return kind(venue, operation, text, code or text)
