"""Markets as they were last seen, so that a list which is suddenly ten times off is not traded on before a person has looked.

A venue that sends another lot, multiplier, tick or price by a factor of ten or more has changed its market, made a mistake, or is
not the venue. All three look the same from here. What was seen first is believed; whatever stays within the factor is taken over.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec

from exchange_clients.domain.instruments import Instrument
from exchange_clients.domain.market import MarketStats
from exchange_clients.errors import MarketChanged, Misconfigured

__all__ = ["Doubt", "Figures", "MarketWatch"]

JUMP = 10
PRICE_KEPT_WITHIN = 1.25
"""A price is written down again when it has moved by more than this factor."""


class Figures(msgspec.Struct, frozen=True):
    """What one market's list said. `price`: quote currency per venue unit, None before one was seen."""

    symbol: str
    lot: Decimal
    multiplier: Decimal
    tick: Decimal
    price: float | None = None


class Doubt(msgspec.Struct, frozen=True):
    """A market that has jumped. `reason`: what from and what to. `figures`: what is believed once a person confirms it."""

    venue_symbol: str
    reason: str
    figures: Figures
    of_price: bool


class _Kept(msgspec.Struct):
    """A file's content."""

    markets: dict[str, Figures] = {}
    doubts: dict[str, Doubt] = {}


class MarketWatch:
    """The markets of one venue. `file`: where they are remembered from run to run; None: for this program only."""

    def __init__(self, venue: str, file: Path | None = None) -> None:
        self._venue = venue
        self._file = file
        self._kept = _Kept()
        self._written_ns = 0
        self._read()

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Markets that are not traded on until `confirm`."""
        self._read()
        return tuple(self._kept.doubts.values())

    def confirm(self, symbol: str) -> None:
        """A person has looked: believe what the venue says of `symbol` (a base asset, or the venue's spelling) now.

        Raises Misconfigured when nothing about it is in doubt, and for figures that no market can have.
        """
        found = [doubt for doubt in self.doubts if symbol in (doubt.venue_symbol, doubt.figures.symbol)]
        if not found:
            names = ", ".join(doubt.venue_symbol for doubt in self.doubts) or "none"
            raise Misconfigured(self._venue, "confirm", f"nothing about {symbol!r} is in doubt; markets in doubt: {names}")
        for doubt in found:
            if any(not _is_positive(figure) for figure in (doubt.figures.lot, doubt.figures.multiplier, doubt.figures.tick)):
                raise Misconfigured(self._venue, "confirm", f"{doubt.venue_symbol}: {doubt.reason}, which can't be")
            self._kept.markets[doubt.venue_symbol] = doubt.figures
            del self._kept.doubts[doubt.venue_symbol]
        self._write()

    def require(self, instrument: Instrument, operation: str, *, reduces: bool = False) -> None:
        """Raise MarketChanged while the market is in doubt. `reduces`: only what a new price may make dear is refused, since an order
        that can but reduce a position is bounded by it, and a hedge or an exit must not wait for a person.
        """
        doubt = self._kept.doubts.get(instrument.venue_symbol)
        if doubt is None:
            return
        self._read()
        doubt = self._kept.doubts.get(instrument.venue_symbol)
        if doubt is None or (reduces and not doubt.of_price):
            return
        name = instrument.venue_symbol
        raise MarketChanged(
            self._venue,
            operation,
            f"{name}: {doubt.reason}; nothing was sent. Look at the venue; if it is so, confirm it: "
            f"`client.markets.confirm({name!r})`, or `python -m exchange_clients.confirm {self._venue} {name}`",
        )

    def see(self, instruments: Iterable[Instrument]) -> None:
        """A list of markets came."""
        self._read()
        is_news = False
        for listed in instruments:
            name, known = listed.venue_symbol, self._kept.markets.get(listed.venue_symbol)
            seen = Figures(
                symbol=listed.symbol, lot=listed.lot_size, multiplier=listed.multiplier, tick=listed.price_rule.tick,
                price=None if known is None else known.price,
            )  # fmt: skip
            jumps = _jumps(known, seen)
            if jumps:
                is_news |= self._doubt(Doubt(name, jumps, seen, of_price=False))
            elif seen != known:
                self._kept.markets[name] = seen
                is_news = True
            if not jumps:
                is_news |= self._believe(name, of_price=False)
        self._write_if(is_news)

    def see_stats(self, stats: Iterable[MarketStats]) -> None:
        """Mark prices came."""
        self._read()
        is_news = False
        for row in stats:
            if row.mark_price is not None:
                is_news |= self._see_price(row.venue_symbol, row.mark_price)
        self._write_if(is_news)

    def see_price(self, instrument: Instrument, price: float) -> None:
        """A price of one market came, such as the middle of its book."""
        self._read()
        self._write_if(self._see_price(instrument.venue_symbol, price))

    def _see_price(self, name: str, price: float) -> bool:
        known = self._kept.markets.get(name)
        if known is None or not (math.isfinite(price) and price > 0):
            return False
        was = known.price
        seen = msgspec.structs.replace(known, price=price)
        if was is not None and max(price / was, was / price) >= JUMP:
            return self._doubt(Doubt(name, f"its price was {was:g} when last seen and is {price:g} now", seen, of_price=True))
        is_news = self._believe(name, of_price=True)
        if was is None or max(price / was, was / price) > PRICE_KEPT_WITHIN:
            self._kept.markets[name] = seen
            return True
        return is_news

    def _doubt(self, doubt: Doubt) -> bool:
        """Returns whether that is new."""
        before = self._kept.doubts.get(doubt.venue_symbol)
        if before is not None and before.of_price and not doubt.of_price:
            return False  # the graver one stays until its price is believed again
        self._kept.doubts[doubt.venue_symbol] = doubt
        return before is None or before.reason != doubt.reason

    def _believe(self, name: str, of_price: bool) -> bool:
        """What was doubted is as it used to be. Returns whether something was."""
        doubt = self._kept.doubts.get(name)
        if doubt is None or doubt.of_price != of_price:
            return False
        del self._kept.doubts[name]
        return True

    def _read(self) -> None:
        """Take over what another process, or a person, has written meanwhile. What can't be read counts as never seen."""
        if self._file is None:
            return
        with suppress(OSError):
            written_ns = self._file.stat().st_mtime_ns
            if written_ns != self._written_ns:
                self._written_ns = written_ns
                try:
                    self._kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
                except (msgspec.MsgspecError, ValueError):
                    self._kept = _Kept()

    def _write_if(self, is_news: bool) -> None:
        if is_news:
            self._write()

    def _write(self) -> None:
        """All of it or nothing, for the owner's eyes. Where that fails, what was seen is remembered by this program alone."""
        if self._file is None:
            return
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=self._file.parent, delete=False) as partial:
                partial.write(msgspec.json.encode(self._kept))
            Path(partial.name).replace(self._file)
            self._written_ns = self._file.stat().st_mtime_ns


def _jumps(known: Figures | None, seen: Figures) -> str:
    """What jumped, in words; "" when nothing did."""
    found = []
    for what in ("lot", "multiplier", "tick"):
        was, now = getattr(known, what, None), getattr(seen, what)
        if not _is_positive(now):
            found.append(f"its {what} is {now}")
        elif was is not None and _is_positive(was) and (now >= was * JUMP or now * JUMP <= was):
            found.append(f"its {what} was {was} when last seen and is {now} now")
    return "; ".join(found)


def _is_positive(figure: Decimal) -> bool:
    return figure.is_finite() and figure > 0
