"""What venues make of a book's levels: coarser grids, mid and impact prices. Levels are (price, size), best first."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from exchange_clients.domain.instruments import wire_text
from exchange_clients.sandbox.exchange import SandboxExchange

Levels = list[tuple[Decimal, Decimal]]


def mid(exchange: SandboxExchange, venue_symbol: str) -> Decimal | None:
    """Half way between a market's best prices; None when it has no prices (yet) or an empty side."""
    if exchange.find_state(venue_symbol) is None:
        return None
    bids, asks, _ = exchange.book(venue_symbol, 1)
    return (bids[0][0] + asks[0][0]) / 2 if bids and asks else None


def touch(exchange: SandboxExchange, venue_symbol: str) -> dict[str, str]:
    """`bid`, `bid_size`, `ask` and `ask_size` as venues write them; "" where a side is empty."""
    bids, asks, _ = exchange.book(venue_symbol, 1)
    best = [text for side in (bids, asks) for text in (map(wire_text, side[0]) if side else ("", ""))]
    return dict(zip(("bid", "bid_size", "ask", "ask_size"), best, strict=True))


def impact_price(levels: Levels, notional: float) -> float | None:
    """The average price of a trade worth `notional`, or of all there is; None for an empty side."""
    left, size = notional, 0.0
    for price, offered in levels:
        part = min(left, float(price * offered))
        left, size = left - part, size + part / float(price)
    return round((notional - left) / size, 9) if size else None


def grouped(levels: Levels, figures: int | None, mantissa: int = 1, *, up: bool) -> Levels:
    """Levels put together at `figures` significant figures (None: as they are) in steps of `mantissa`; `up`: rounded up."""
    if figures is None:
        return levels
    sizes: dict[Decimal, Decimal] = {}
    for price, size in levels:
        step = Decimal(mantissa).scaleb(price.adjusted() - figures + 1)
        place = (price / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * step
        sizes[place] = sizes.get(place, Decimal(0)) + size
    return list(sizes.items())
