"""Secrets of one account on one venue. They never show up in a repr, a log line or an error."""

from collections.abc import Mapping
from typing import Any

import msgspec


class Credentials(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Named secret texts, named as the venue's `VenueSpec.credential_fields` lists them."""

    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self.values))}: hidden)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What `rich` shows instead of the values."""
        return [(name, "hidden") for name in sorted(self.values)]
