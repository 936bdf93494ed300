"""Which asset a venue's name means.

Names are looked up, never dissected: `2Z`, `1INCH` and `0G` are names of their own, `kPEPE` and `1000PEPE` are a thousand
PEPE. A name that is not in the table means itself, once.
Source: the instrument lists of the venues (venue sheets, section 3).
"""

from decimal import Decimal

import msgspec


class Asset(msgspec.Struct, frozen=True):
    """One unit as a venue trades it: `multiplier` units of `base`."""

    base: str
    multiplier: Decimal = Decimal(1)


_THOUSANDS = ("PEPE", "SHIB", "BONK", "FLOKI", "LUNC", "NEIRO", "DOGS", "SATS", "RATS", "CAT", "CHEEMS", "X", "WHY", "TOSHI")
_MILLIONS = ("MOG", "BOB", "BABYDOGE")

ALIASES: dict[str, Asset] = {
    **{f"k{name}": Asset(name, Decimal(1000)) for name in _THOUSANDS},
    **{f"1000{name}": Asset(name, Decimal(1000)) for name in _THOUSANDS},
    **{f"1000000{name}": Asset(name, Decimal(1_000_000)) for name in _MILLIONS},
    **{f"1M{name}": Asset(name, Decimal(1_000_000)) for name in _MILLIONS},
}


def identify(name: str) -> Asset:
    """The asset behind a venue's base-asset name (case-sensitive, as the venue's own instrument list spells it)."""
    return ALIASES.get(name) or Asset(name)
