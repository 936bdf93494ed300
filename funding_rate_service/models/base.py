"""What all replies have in common."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Reply(BaseModel):
    """Base of all replies. Rates are fractions, times RFC 3339 UTC with Z; null means unknown and never zero."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


def _to_float(value: object) -> object:
    return float(str(value)) if isinstance(value, Decimal) else value


JsonNumber = Annotated[float, BeforeValidator(_to_float)]
"""A JSON number. A Decimal of up to 15 significant digits passes unchanged: reading the JSON text as a decimal gives it back."""
