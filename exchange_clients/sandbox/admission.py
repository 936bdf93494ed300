"""What the exchange checks of an order before it looks at books and positions."""

from __future__ import annotations

from decimal import Decimal

from exchange_clients.domain.side import Side
from exchange_clients.sandbox.orders import Rejected, RejectReason
from exchange_clients.sandbox.rules import Listing, VenueRules


def check_form(listing: Listing, side: Side, size: Decimal, price: Decimal | None) -> None:
    """Raise Rejected for a size or price that is off the market's grid."""
    instrument = listing.instrument
    if not size.is_finite() or size <= 0:
        raise Rejected(RejectReason.ZERO_SIZE, f"{size} is not a size")
    if size % instrument.lot_size:
        raise Rejected(RejectReason.BAD_LOT, f"{size} is not a multiple of {instrument.lot_size}")
    if price is not None and not _on_grid(price, listing, side):
        raise Rejected(RejectReason.BAD_TICK, f"{price} is not on the price grid of {listing.venue_symbol}")


def check_minimum(listing: Listing, rules: VenueRules, mark: Decimal, size: Decimal, price: Decimal | None) -> None:
    """Raise Rejected for an order that is too small. Orders that only reduce are exempt: dust must be closable."""
    instrument = listing.instrument
    least = max(rules.min_notional, instrument.min_notional)
    notional = size * (mark if price is None else price)
    if size < instrument.min_size or notional < least:
        raise Rejected(
            RejectReason.BELOW_MINIMUM_NOTIONAL, f"{size} for {notional}; at least {instrument.min_size} for {least}"
        )


def check_band(rules: VenueRules, mark: Decimal, price: Decimal | None) -> None:
    """Raise Rejected for a limit price too far from the mark, on either side."""
    if price is not None and abs(price - mark) > mark * rules.price_band:
        raise Rejected(RejectReason.PRICE_OUT_OF_BAND, f"{price} is more than {rules.price_band:%} from the mark {mark}")


def _on_grid(price: Decimal, listing: Listing, side: Side) -> bool:
    if not price.is_finite() or price < listing.instrument.price_rule.tick:
        return False
    return listing.instrument.round_price(price, side) == price
