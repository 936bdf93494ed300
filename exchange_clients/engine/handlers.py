"""What the handlers of most topics do: a complete book becomes one event, a list of rows one event each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from exchange_clients.domain.events import BookEvent
from exchange_clients.domain.market import OrderBook
from exchange_clients.engine.book_builder import Gap
from exchange_clients.engine.guarded import UNREADABLE_DATA
from exchange_clients.engine.rows import ROW_SHOWN_BYTES
from exchange_clients.engine.stream_dialect import Blind
from exchange_clients.errors import ProtocolViolation

Event = TypeVar("Event")


class WholeBooks:
    """The handler of one topic whose every frame is a complete book (SequenceRule.SNAPSHOT). `read`: what the channel decodes → the book.

    A book that is older than the last one, by its sequence, is passed over. Raises Gap for one that crosses: something was lost
    without a number saying so. `forget` is the topic's `on_start`.
    """

    def __init__(self, read: Callable[[Any], OrderBook]) -> None:
        self._read = read
        self._newest = -1

    def forget(self) -> None:
        """The topic is asked for again, and may be numbered afresh."""
        self._newest = -1

    def __call__(self, frame: Any) -> tuple[BookEvent, ...]:
        book = self._read(frame)
        if book.sequence is not None:
            if book.sequence < self._newest:
                return ()
            self._newest = book.sequence
        if book.is_crossed():
            raise Gap("the book crosses")
        return (BookEvent(book),)


def each_row(
    event: Callable[[Any], Event],
    read: Callable[[msgspec.Raw], Any],
    rows: Callable[[Any], Iterable[msgspec.Raw]] = lambda frame: frame.data,
) -> Callable[[Any], Iterator[Event | Blind]]:
    """The handler of a topic whose frames carry `rows` that are read one by one.

    `read`: a row → what `event` tells, or None for a row that is not ours. Of one that can't be read it is told that it was missed.
    """

    def on_frame(frame: Any) -> Iterator[Event | Blind]:
        for row in rows(frame):
            try:
                found = read(row)
            except (ProtocolViolation, *UNREADABLE_DATA) as error:
                shown = bytes(row)[:ROW_SHOWN_BYTES].decode("utf-8", "replace")
                yield Blind(f"a row can't be read ({error}): {shown}")
                continue
            if found is not None:
                yield event(found)

    return on_frame
