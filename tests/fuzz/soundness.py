"""What may come out of a client: values of the domain whose numbers are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any

import msgspec

from exchange_clients.domain.funding import FundingObservation
from exchange_clients.domain.instruments import Instrument


def assert_sound(value: Any) -> None:
    """Every struct is the domain's, every number finite, every unknown rate says why."""
    if isinstance(value, Instrument):
        return  # what is no lot or no tick stands as it was listed: the market watch doubts it, and nothing is traded on it
    if isinstance(value, msgspec.Struct):
        assert type(value).__module__.startswith("exchange_clients.domain."), f"{type(value)} left its package"
        if isinstance(value, FundingObservation):
            assert value.rate is not None or value.unknown_because, f"{value.venue_symbol}: a rate that nobody can explain"
        for name in value.__struct_fields__:
            assert_sound(getattr(value, name))
    elif isinstance(value, Decimal):
        assert value.is_finite(), "a commitment that is no number"
    elif isinstance(value, float):
        assert isfinite(value), "a measurement that is no number"
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            assert_sound(part)
    elif isinstance(value, Mapping):
        for part in (*value, *value.values()):
            assert_sound(part)
    else:
        assert value is None or isinstance(value, str | int | bool | Enum | datetime | timedelta), type(value)
