"""What every venue's client promises of the values it gives: the same in every program, and in the domain's words."""

from __future__ import annotations

import asyncio
import decimal
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import msgspec
import pytest

from exchange_clients.base import Capability
from exchange_clients.domain.events import AccountEvent, BookEvent
from exchange_clients.domain.side import Side
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.support.stage import Stage, collect, stage
from tests.support.wires import ForeignHabits

HOUR_MS = 3_600_000
VENUE_WORDS = {"px", "sz", "p", "a", "s", "szi", "oid", "cloid", "l", "i"}


async def _everything(on: Stage) -> list[Any]:
    """A trading day in short: all that its verbs and streams say."""
    client, adapter, said = on.client, on.adapter, list[Any]()
    bitcoin, pepe = await client.instrument("BTC"), await client.instrument("PEPE")
    said += await client.fetch_instruments()
    said += [bitcoin.round_price(91_234.5678912, Side.BUY), pepe.round_price(0.0123456789, Side.SELL)]
    said += [bitcoin.round_size(0.123456789), pepe.round_size(123456.789)]
    request = await on.request(size=0.0123)
    said += [request, await client.place_order(request)]
    said.append(await on.trade(side=Side.SELL, size=0.0061))
    on.clock.jump_to((on.clock.now_ms() // HOUR_MS + 3) * HOUR_MS + 500)
    await asyncio.sleep(0.2)  # the world turns by itself, in habits of its own
    said.append(await on.trade("PEPE", size=60_000 / pepe.multiplier * 1000))
    said += [await client.fetch_balance(), *await client.fetch_positions(), *await client.fetch_fills()]
    said += [*await client.fetch_funding_payments(bitcoin), await client.fetch_fee_rates(), *await client.fetch_open_orders()]
    said += [await client.fetch_order_book(bitcoin), await client.fetch_quote(bitcoin), *await client.fetch_trades(bitcoin)]
    said += [*await client.fetch_stats(), *await adapter.current_rates(), *await adapter.market_stats()]
    if Capability.FUNDING_HISTORY in on.spec.capabilities:
        now = on.clock.now()
        said += await adapter.rate_history(bitcoin, now.replace(hour=max(now.hour - 2, 0)), now)
    if Capability.STREAM_BOOK in on.spec.capabilities:
        async with client.stream_book(bitcoin) as books:
            said += await collect(books, lambda e: sum(isinstance(x, BookEvent) for x in e) >= 2)
    if Capability.STREAM_ACCOUNT in on.spec.capabilities:
        async with client.stream_account() as account:
            said += await collect(account, lambda e: isinstance(e[-1], AccountEvent))
    return said


def _day(venue: str, habits: decimal.Context | None = None) -> list[bytes]:
    """What the day says, encoded. `habits`: the decimal context of the program around the client, not of the venue."""

    async def main() -> list[bytes]:
        async with stage(venue) as on:
            if habits is None:
                return [msgspec.json.encode(value) for value in await _everything(on)]
            home = copy_context()
            with decimal.localcontext(habits):
                wire = ForeignHabits(on.wiring.http, on.wiring.websocket, home, copy_context())
                on.client = on.another_client(http=wire, websocket=wire)
                on.adapter = on.another_adapter(http=wire, websocket=wire)
                async with on.client, on.adapter:
                    return [msgspec.json.encode(value) for value in await _everything(on)]

    return run_virtual(main)


@pytest.mark.parametrize(
    "habits",
    [
        decimal.Context(prec=6, rounding=decimal.ROUND_UP),
        decimal.Context(prec=9, rounding=decimal.ROUND_FLOOR, Emin=-9, Emax=9, traps=[]),
        decimal.Context(prec=50, traps=[decimal.Inexact, decimal.Rounded]),
    ],
    ids=["six digits up", "narrow and silent", "inexact raises"],
)
def test_the_decimal_habits_of_the_program_around_change_nothing(venue: str, habits: decimal.Context) -> None:
    assert _day(venue, habits) == _day(venue)


async def test_every_value_is_told_in_the_words_of_the_domain(on: Stage) -> None:
    said = await _everything(on)
    kinds = {type(value).__name__ for value in said}
    assert {"Instrument", "Order", "Fill", "Position", "Balance", "OrderBook", "Quote", "MarketStats"} <= kinds
    for value in said:
        for struct in _structs(value):
            home = type(struct).__module__
            assert home.startswith("exchange_clients.domain."), f"{type(struct).__qualname__} of {home} left its package"
            assert struct.__struct_encode_fields__ == struct.__struct_fields__
        words = set(_keys(msgspec.json.decode(msgspec.json.encode(value))))
        assert not words & VENUE_WORDS, f"{type(value).__name__} is told with {words & VENUE_WORDS}"


def _structs(value: Any) -> Iterator[msgspec.Struct]:
    if isinstance(value, msgspec.Struct):
        yield value
        for name in value.__struct_fields__:
            yield from _structs(getattr(value, name))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _structs(part)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from _keys(part)
