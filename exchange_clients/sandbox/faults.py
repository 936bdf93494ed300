"""What can go wrong between a client and its venue, on purpose and on schedule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from exchange_clients.engine.transport import HttpRequest
from exchange_clients.sandbox.facade import Facade


class FaultKind(StrEnum):
    """LOST_REPLY: the venue handles an order, the reply never arrives, the connection drops. SERVER_ERROR: it handles an order
    and answers 500. REFUSED_CONNECTION: an order never reaches the venue. DUPLICATE_FRAME: a frame that is not a book arrives
    twice. DROPPED_SOCKET: a WebSocket is lost together with the frame under way. BOOK_GAP: one book frame is withheld.
    """

    LOST_REPLY = "lost_reply"
    SERVER_ERROR = "server_error"
    DUPLICATE_FRAME = "duplicate_frame"
    DROPPED_SOCKET = "dropped_socket"
    BOOK_GAP = "book_gap"
    REFUSED_CONNECTION = "refused_connection"


class FrameAction(StrEnum):
    """What to do with one outgoing frame."""

    DELIVER = "deliver"
    DROP_SOCKET = "drop_socket"


_ON_ORDERS = (FaultKind.LOST_REPLY, FaultKind.SERVER_ERROR, FaultKind.REFUSED_CONNECTION)
_FRAME_ACTIONS: dict[FaultKind, tuple[FrameAction, ...]] = {
    FaultKind.DUPLICATE_FRAME: (FrameAction.DELIVER, FrameAction.DELIVER),
    FaultKind.DROPPED_SOCKET: (FrameAction.DROP_SOCKET,),
    FaultKind.BOOK_GAP: (),
}


@dataclass(frozen=True)
class Fault:
    """`venue` None means any. `nth`: which matching occurrence on a venue it strikes, from 1; it strikes once."""

    kind: FaultKind
    venue: str | None = None
    nth: int = 1

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `kind`, `kind:venue` or `kind:venue:nth`; an empty venue means any. Raises ValueError saying what is wrong."""
        kind_text, _, rest = text.partition(":")
        venue, _, nth_text = rest.partition(":")
        kinds = [kind.value for kind in FaultKind]
        if kind_text not in kinds:
            raise ValueError(f"{text!r}: unknown fault {kind_text!r}; known are {', '.join(kinds)}")
        if nth_text and not (nth_text.isascii() and nth_text.isdigit() and int(nth_text) > 0):
            raise ValueError(f"{text!r}: {nth_text!r} is not a count from 1; write it like {kind_text}:venue:2")
        return cls(FaultKind(kind_text), venue or None, int(nth_text or 1))


class FaultPlan:
    """Decides which request or frame is struck. `fired`: what has struck so far, with the venue that it struck."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.fired: list[Fault] = []
        self._waiting: list[tuple[Fault, Counter[str]]] = [(fault, Counter()) for fault in faults]

    def on_request(self, facade: Facade, request: HttpRequest) -> FaultKind | None:
        """The fault that strikes this request, if any. Only requests that place an order are struck."""
        return self._strike(facade.venue, _ON_ORDERS) if facade.places_order(request) else None

    def on_frame(self, facade: Facade, frame: bytes) -> tuple[FrameAction, ...]:
        """What to do with a frame on its way to the client, in order."""
        is_book = facade.book_marker in frame
        own_kind = FaultKind.BOOK_GAP if is_book else FaultKind.DUPLICATE_FRAME
        kind = self._strike(facade.venue, (own_kind, FaultKind.DROPPED_SOCKET))
        return (FrameAction.DELIVER,) if kind is None else _FRAME_ACTIONS[kind]

    def _strike(self, venue: str, kinds: tuple[FaultKind, ...]) -> FaultKind | None:
        """Count this occurrence for every fault that it matches; the first whose turn it is strikes."""
        due: int | None = None
        for place, (fault, seen) in enumerate(self._waiting):
            if fault.kind in kinds and fault.venue in (None, venue):
                seen[venue] += 1
                if due is None and seen[venue] >= fault.nth:
                    due = place
        if due is None:
            return None
        struck, _ = self._waiting.pop(due)
        self.fired.append(replace(struck, venue=venue))
        return struck.kind
