"""What people mean by a symbol, however they write it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from exchange_clients.domain.assets import identify

HINTS_MAX = 5


class Spellings:
    """Names matched in any case: a listed base asset, an alias of one (`kPEPE` means PEPE), or a venue's spelling (`ETH-PERP`).

    `listed`: base asset and the venue's spelling of every market.
    """

    def __init__(self, listed: Iterable[tuple[str, str]]) -> None:
        pairs = list(listed)
        self.symbols = {symbol.casefold(): symbol for symbol, _ in pairs}
        self._by_venue = {venue_symbol.casefold(): symbol for symbol, venue_symbol in pairs}

    def meant(self, name: str) -> str | None:
        """The listed base asset that `name` means; None when nothing does."""
        plain = name.strip().casefold()
        if plain in self.symbols:
            return self.symbols[plain]
        by_alias = self.symbols.get(identify(_alias(name.strip())).base.casefold())
        return by_alias or self._by_venue.get(plain)

    def hint(self, name: str) -> str:
        """The end of a message about a name that means nothing, or ""."""
        return did_you_mean(name, self.symbols.values())


def did_you_mean(symbol: str, known: Collection[str]) -> str:
    """A hint that ends a message about a symbol that is not `known`, or ""."""
    upper = {name.upper(): name for name in known}
    close = get_close_matches(str(symbol).upper(), upper, n=HINTS_MAX) or [n for n in sorted(upper) if str(symbol).upper() in n]
    return f"; did you mean {', '.join(upper[name] for name in close[:HINTS_MAX])}?" if close else ""


def _alias(name: str) -> str:
    """`name` as the alias table spells it: its lower-case prefixes are `k`, the assets upper case."""
    upper = name.upper()
    return "k" + upper[1:] if upper.startswith("K") and identify("k" + upper[1:]).base != "k" + upper[1:] else upper
