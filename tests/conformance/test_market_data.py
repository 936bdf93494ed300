"""What every venue's client promises of markets: instruments, books, trades, figures."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from exchange_clients.domain.assets import identify
from exchange_clients.domain.market import MarketStats
from exchange_clients.domain.provenance import Provenance
from exchange_clients.errors import Misconfigured
from exchange_clients.sandbox.prices import MarketState
from tests.support.stage import Stage

FIGURES_REL = 1e-6
"""Venues round prices to a handful of decimals. The premium of mark over index is a hundred times wider."""


async def test_instruments_are_complete(on: Stage) -> None:
    listed = await on.client.fetch_instruments()
    assert {i.venue_symbol for i in listed} == set(on.exchange.listings)
    for instrument in listed:
        truth = on.exchange.listings[instrument.venue_symbol].instrument
        assert instrument.venue == on.spec.name
        assert (instrument.symbol, instrument.multiplier) == (truth.symbol, truth.multiplier)
        assert (instrument.lot_size, instrument.min_notional) == (truth.lot_size, truth.min_notional)
        assert instrument.price_rule == truth.price_rule


async def test_an_instrument_is_found_by_either_name(on: Stage) -> None:
    pepe = await on.client.instrument("PEPE")
    assert pepe.multiplier == 1000
    assert await on.client.instrument(pepe.venue_symbol) is pepe


async def test_an_unknown_symbol_is_one_clear_error(on: Stage) -> None:
    with pytest.raises(Misconfigured, match="NOSUCHCOIN"):
        await on.client.instrument("NOSUCHCOIN")


async def test_book_is_ordered_and_says_where_it_comes_from(on: Stage) -> None:
    book = await on.client.fetch_order_book(await on.client.instrument("BTC"), depth=5)
    assert 0 < len(book.bids) <= 5 and 0 < len(book.asks) <= 5
    assert [lv.price for lv in book.bids] == sorted((lv.price for lv in book.bids), reverse=True)
    assert [lv.price for lv in book.asks] == sorted(lv.price for lv in book.asks)
    assert not book.is_crossed() and book.provenance is Provenance.SANDBOX and book.symbol == "BTC"


async def test_quote_and_trades(on: Stage) -> None:
    bitcoin = await on.client.instrument("BTC")
    await on.trade()
    quote = await on.client.fetch_quote(bitcoin)
    assert quote.bid is not None and quote.ask is not None and quote.bid.price < quote.ask.price
    trades = await on.client.fetch_trades(bitcoin, limit=10)
    assert trades and [t.time_ms for t in trades] == sorted(t.time_ms for t in trades)


async def test_the_clients_figures_are_the_venues(on: Stage) -> None:
    began_ms = on.clock.now_ms()
    _compare(on, {s.venue_symbol: s for s in await on.client.fetch_stats()}, began_ms)


async def test_the_adapters_figures_are_the_venues(on: Stage) -> None:
    began_ms = on.clock.now_ms()
    _compare(on, {s.venue_symbol: s for s in await on.adapter.market_stats()}, began_ms)


@dataclass(frozen=True)
class _Figures:
    mark: float | None
    index: float | None
    interest_usd: float | None
    volume_usd: float | None

    def are(self, truth: MarketState) -> bool:
        true = (float(truth.mark), float(truth.index), truth.open_interest_usd, truth.volume_24h_usd)
        seen = (self.mark, self.index, self.interest_usd, self.volume_usd)
        return seen == pytest.approx(true, rel=FIGURES_REL)


def _compare(on: Stage, stats: dict[str, MarketStats], began_ms: int) -> None:
    """Every market is told as it was at one instant of the call, mark and index each in its own place."""
    assert stats.keys() == set(on.exchange.listings)
    for name, stat in stats.items():
        seen = _Figures(stat.mark_price, stat.index_price, stat.open_interest_usd, stat.volume_24h_usd)
        truths = [on.exchange.find_state(name, at_ms) for at_ms in range(began_ms, on.clock.now_ms() + 1)]
        assert any(truth is not None and seen.are(truth) for truth in truths), f"{name}: {seen} is none of {truths[:3]} …"


def test_names_mean_the_same_everywhere() -> None:
    assert identify("kPEPE") == identify("1000PEPE")
