"""Conversions between aware UTC datetimes and the millisecond integers that venues send."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(time_ms: int) -> datetime:
    """Milliseconds since 1970 → aware UTC datetime, without passing through a float."""
    return EPOCH + timedelta(milliseconds=time_ms)


def to_ms(moment: datetime) -> int:
    """Aware datetime → whole milliseconds since 1970. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place in this system")
    return (moment - EPOCH) // timedelta(milliseconds=1)


def next_boundary_ms(time_ms: int, interval_ms: int) -> int:
    """The first multiple of `interval_ms` since 1970 that is later than `time_ms`."""
    return (time_ms // interval_ms + 1) * interval_ms
