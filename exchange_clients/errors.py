"""Everything that can go wrong at a venue. Each class answers two questions: may I try again, and might it have happened?

ExchangeError(venue, operation)     may I try again?      did it happen?
├─ NotSent                          anything              no: nothing left this machine
├─ OutcomeUnknown                   reads only            perhaps: time-out, 5xx, dropped socket, undecodable reply
├─ RateLimited                      after .retry_after_s  no
├─ Refused                          no                    no: the venue said so, with its code
│  ├─ OrderRejected
│  │  ├─ WouldCross                 a post-only order would have taken liquidity
│  │  ├─ InsufficientMargin
│  │  ├─ BelowMinimum               size or notional too small
│  │  ├─ ReduceOnlyViolated         it would have increased the position
│  │  └─ PriceOutOfBand             too far from the mark price
│  ├─ VenueClosed                   wait                  no: the venue takes no such order now, whoever asks
│  ├─ OrderNotFound                 a fact about now, not proof of cancellation
│  └─ AuthenticationFailed
├─ ProtocolViolation                no                    unknown: raw bytes and JSON path are kept
├─ StaleData                        wait                  (reads) a gap, silence or a crossed book
├─ Unsupported                      no                    no: the capability is not declared
└─ Misconfigured                    no                    no
   └─ MarketChanged                 once confirmed        no: a market is ten times what it was; a person has to look
"""

__all__ = [
    "AuthenticationFailed",
    "BelowMinimum",
    "ExchangeError",
    "InsufficientMargin",
    "MarketChanged",
    "Misconfigured",
    "NotSent",
    "OrderNotFound",
    "OrderRejected",
    "OutcomeUnknown",
    "PriceOutOfBand",
    "ProtocolViolation",
    "RateLimited",
    "ReduceOnlyViolated",
    "Refused",
    "StaleData",
    "Unsupported",
    "VenueClosed",
    "WouldCross",
]


class ExchangeError(Exception):
    """The root. `venue` and `operation` say where, `detail` what is known, what is not, and what happens next."""

    def __init__(self, venue: str, operation: str, detail: str) -> None:
        super().__init__(f"{venue} {operation}: {detail}")
        self.venue = venue
        self.operation = operation
        self.detail = detail


class NotSent(ExchangeError):
    """Nothing left this machine (no connection, name not resolved, budget spent before sending)."""


class OutcomeUnknown(ExchangeError):
    """It was sent and no usable answer came. An acting call may have happened; only reads may be repeated."""


RETRY_AFTER_S_MAX = 3600.0
"""A venue that says `inf` must not silence us for ever."""


class RateLimited(ExchangeError):
    """The venue (or our own meter) says wait; nothing happened. `retry_after_s`: seconds of wire time, at most an hour."""

    def __init__(self, venue: str, operation: str, detail: str, retry_after_s: float = 1.0) -> None:
        super().__init__(venue, operation, detail)
        self.retry_after_s = min(max(0.0, retry_after_s), RETRY_AFTER_S_MAX)


class Refused(ExchangeError):
    """The venue said no. `code` is the venue's own code or text."""

    def __init__(self, venue: str, operation: str, detail: str, code: str = "") -> None:
        super().__init__(venue, operation, detail)
        self.code = code


class OrderRejected(Refused):
    """The venue refused the order; it does not rest and did not fill."""


class WouldCross(OrderRejected):
    """A post-only order would have taken liquidity."""


class InsufficientMargin(OrderRejected):
    """Not enough free collateral."""


class BelowMinimum(OrderRejected):
    """Size or notional is under the venue's minimum."""


class ReduceOnlyViolated(OrderRejected):
    """A reduce-only order would have opened or increased a position."""


class PriceOutOfBand(OrderRejected):
    """The price is too far from the venue's reference price."""


class VenueClosed(Refused):
    """The venue takes no such order now (maintenance, only cancellations, only post-only orders). Wait; the order is not to blame."""


class OrderNotFound(Refused):
    """The venue does not know the order now. It may have been filled, cancelled, forgotten or not have arrived yet."""


class AuthenticationFailed(Refused):
    """Key, signature, session or permission was refused."""


class ProtocolViolation(ExchangeError):
    """The venue sent what its protocol does not allow. `raw` keeps the bytes, `path` where in the JSON it broke."""

    def __init__(self, venue: str, operation: str, detail: str, raw: bytes = b"", path: str = "") -> None:
        super().__init__(venue, operation, detail)
        self.raw = raw
        self.path = path


class StaleData(ExchangeError):
    """The data can't be trusted now: a gap, silence or a crossed book."""


class Unsupported(ExchangeError):
    """The venue's client does not declare this capability."""


class Misconfigured(ExchangeError):
    """Settings or credentials are missing or contradict each other."""


class MarketChanged(Misconfigured):
    """A market's lot, multiplier, tick or price is ten times, or a tenth of, what it was when last seen.

    Nothing is traded on it until a person confirms that it is so: `client.markets.confirm(symbol)`.
    """
