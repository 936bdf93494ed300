"""What can be known to be wrong before anything leaves this machine. One mistake gets one message, whatever the venue."""

from __future__ import annotations

import re
from decimal import Decimal

from exchange_clients.domain.instruments import EXPONENT_MAX, Instrument
from exchange_clients.domain.orders import ByClientId, ByVenueId, OrderRef, OrderRequest, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.errors import Misconfigured

LEVERAGE_MAX = 1000
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def check_instrument(venue: str, operation: str, instrument: Instrument) -> None:
    """Raises Misconfigured for a market of another venue, and for what is no market."""
    if not isinstance(instrument, Instrument):
        raise _wrong(venue, operation, f"{instrument!r} is not an Instrument")
    if instrument.venue != venue:
        raise _wrong(venue, operation, f"{instrument.venue_symbol} is an instrument of {instrument.venue}")


def check_request(venue: str, request: OrderRequest) -> None:
    """Raises Misconfigured unless the order could be one of this venue."""
    operation, instrument = "place_order", request.instrument
    check_instrument(venue, operation, instrument)
    if not isinstance(request.side, Side) or not isinstance(request.time_in_force, TimeInForce):
        raise _wrong(venue, operation, f"side {request.side!r} or time in force {request.time_in_force!r} is not one of ours")
    check_size(venue, operation, instrument, request.size)
    if request.price is not None:
        check_price(venue, operation, request.price)
    if request.client_order_id and not is_uuid(request.client_order_id):
        raise _wrong(venue, operation, f"the client order id {request.client_order_id!r} is not a UUID")


def check_size(venue: str, operation: str, instrument: Instrument, size: Decimal) -> None:
    """Raises Misconfigured unless `size` is a positive Decimal of whole lots."""
    if not _is_amount(size):
        raise _wrong(venue, operation, f"a size of {size!r} is not a positive Decimal")
    if not _is_amount(instrument.lot_size):
        raise _wrong(venue, operation, f"{instrument.venue_symbol} is listed in lots of {instrument.lot_size}")
    if not instrument.is_whole_lots(size):
        raise _wrong(
            venue, operation, f"a size of {size} is not whole lots of {instrument.lot_size}; see Instrument.round_size"
        )


def check_price(venue: str, operation: str, price: Decimal) -> None:
    """Raises Misconfigured unless `price` is a positive Decimal. Whether it is on the grid, the venue says."""
    if not _is_amount(price):
        raise _wrong(venue, operation, f"a price of {price!r} is not a positive Decimal")


def check_ref(venue: str, operation: str, ref: OrderRef) -> None:
    """Raises Misconfigured for a reference that can name no order."""
    if not isinstance(ref, (ByVenueId, ByClientId)):
        raise _wrong(venue, operation, f"{ref!r} is neither ByVenueId nor ByClientId")
    if not isinstance(ref.id, str) or not ref.id:
        raise _wrong(venue, operation, f"{ref!r} names no order")
    if isinstance(ref, ByClientId) and not is_uuid(ref.id):
        raise _wrong(venue, operation, f"the client order id {ref.id!r} is not a UUID")
    if isinstance(ref, ByVenueId) and not (ref.id.isascii() and ref.id.isprintable() and "/" not in ref.id):
        raise _wrong(venue, operation, f"{ref.id!r} is not an order id")


def check_leverage(venue: str, leverage: int) -> None:
    """Raises Misconfigured unless `leverage` is a whole number that any market could have; what this one may have, the venue says."""
    if isinstance(leverage, bool) or not isinstance(leverage, int) or not 1 <= leverage <= LEVERAGE_MAX:
        raise _wrong(venue, "set_leverage", f"a leverage of {leverage!r} is not a whole number from 1 to {LEVERAGE_MAX}")


def is_uuid(text: object) -> bool:
    """Whether `text` is a UUID as `str(uuid)` writes it."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def _is_amount(number: object) -> bool:
    """Whether it is a Decimal > 0 that a price or a size of anything could be: one with thousands of digits would be sent as such."""
    return isinstance(number, Decimal) and number.is_finite() and number > 0 and abs(number.adjusted()) <= EXPONENT_MAX


def _wrong(venue: str, operation: str, why: str) -> Misconfigured:
    return Misconfigured(venue, operation, f"{why}; nothing was sent")
