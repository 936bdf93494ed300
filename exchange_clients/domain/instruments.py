"""What is traded, and the one place where numbers are rounded to what a venue accepts."""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

import msgspec

from exchange_clients.domain.assets import Asset
from exchange_clients.domain.numbers import EXACT, decimal_of, exact
from exchange_clients.domain.side import Side

EXPONENT_MAX = 40
_ONE = Decimal(1)


class PriceRule(msgspec.Struct, frozen=True):
    """Which prices a venue accepts.

    `tick`: the smallest step, in quote currency. `significant_figures`: when set, a price may have no more than that many
    figures, except that whole numbers are always allowed.
    """

    tick: Decimal
    significant_figures: int | None = None

    def step_at(self, price: Decimal) -> Decimal:
        """The step that applies at `price` (quote currency, > 0)."""
        if self.significant_figures is None or price <= 0:
            return self.tick
        by_figures = Decimal(1).scaleb(price.adjusted() - self.significant_figures + 1)
        return max(self.tick, min(by_figures, Decimal(1)))


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A perpetual future on one venue.

    `symbol` is the base asset under its own name (`PEPE`), `venue_symbol` the venue's spelling (`kPEPE-USD-PERP`), `venue_id`
    whatever the venue wants in orders. Sizes are in venue units, each worth `multiplier` units of the base asset; prices are
    quote currency per venue unit. `min_notional` is in quote currency. `max_leverage` is None where the venue does not
    say. `isolated_only`: positions there can't share the account's margin.
    """

    venue: str
    symbol: str
    venue_symbol: str
    venue_id: str
    multiplier: Decimal
    quote: str
    price_rule: PriceRule
    lot_size: Decimal
    min_size: Decimal
    min_notional: Decimal
    max_leverage: Decimal | None = None
    isolated_only: bool = False

    @classmethod
    def perpetual(
        cls,
        venue: str,
        venue_symbol: str,
        asset: Asset,
        quote: str,
        price_rule: PriceRule,
        lot_size: Decimal,
        min_notional: Decimal,
        max_leverage: Decimal | None = None,
        venue_id: str = "",
        isolated_only: bool = False,
    ) -> "Instrument":
        """`asset` as it is listed under `venue_symbol`, traded from one lot up. `venue_id`: "" where orders use the symbol."""
        return cls(
            venue=venue,
            symbol=asset.base,
            venue_symbol=venue_symbol,
            venue_id=venue_id or venue_symbol,
            multiplier=asset.multiplier,
            quote=quote,
            price_rule=price_rule,
            lot_size=lot_size,
            min_size=lot_size,
            min_notional=min_notional,
            max_leverage=max_leverage,
            isolated_only=isolated_only,
        )

    @exact
    def round_price(self, price: float | Decimal, side: Side) -> Decimal:
        """`price` on the venue's grid, never worse for `side` than asked: a buy rounds down, a sell rounds up.

        Raises ValueError when the price is not a positive finite number or rounds to zero.
        """
        number = self._number(price, "a price")
        if number <= 0:
            raise ValueError(f"{self.venue} {self.venue_symbol}: {price!r} is not a price")
        step = self.price_rule.step_at(number)
        rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        rounded = (number / step).to_integral_value(rounding) * step
        if rounded <= 0:
            raise ValueError(f"{self.venue} {self.venue_symbol}: price {price!r} is below one step of {step}")
        return plain(rounded)

    @exact
    def round_size(self, size: float | Decimal) -> Decimal:
        """`size` (venue units, ≥ 0) rounded down to whole lots. Raises ValueError for a negative or non-finite size."""
        number = self._number(size, "a size")
        if number < 0:
            raise ValueError(f"{self.venue} {self.venue_symbol}: {size!r} is not a size")
        return plain((number / self.lot_size).to_integral_value(ROUND_DOWN) * self.lot_size)

    def is_whole_lots(self, size: Decimal) -> bool:
        """Whether `size` (venue units) is on the grid of lots."""
        return not EXACT.remainder(size, self.lot_size)

    def _number(self, number: object, what: str) -> Decimal:
        """Numbers beyond `±EXPONENT_MAX` powers of ten are no price or size of anything."""
        try:
            found = decimal_of(number)
        except ValueError:
            raise ValueError(f"{self.venue} {self.venue_symbol}: {number!r} is not {what}") from None
        if found and abs(found.adjusted()) > EXPONENT_MAX:
            raise ValueError(f"{self.venue} {self.venue_symbol}: {number!r} is not {what}")
        return found


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent; minus zero becomes zero."""
    if not number:
        return Decimal(0)
    normal = EXACT.normalize(number)
    exponent = normal.as_tuple().exponent
    return EXACT.quantize(normal, _ONE) if isinstance(exponent, int) and exponent > 0 else normal


def wire_text(number: Decimal) -> str:
    """A Decimal as venues want it in JSON strings: no exponent, no trailing zeros, no minus zero."""
    return format(plain(number), "f")
