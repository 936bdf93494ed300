"""A market list that is suddenly ten times off is not traded on before a person has looked, in this run and in the next."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from exchange_clients import BaseExchangeClient, Network, OrderRequest, Sandbox, Side, TimeInForce, registry
from exchange_clients.confirm import main as confirm
from exchange_clients.domain.instruments import Instrument, PriceRule
from exchange_clients.engine.clock import LoopClock
from exchange_clients.errors import MarketChanged, Misconfigured
from exchange_clients.market_watch import MarketWatch
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.support.drifting import Change, Drifting

START_MS = 1_767_400_000_000
BTC = Instrument(
    venue="east", symbol="BTC", venue_symbol="BTC-PERP", venue_id="1", multiplier=Decimal(1), quote="USD",
    price_rule=PriceRule(Decimal("0.1")), lot_size=Decimal("0.001"), min_size=Decimal("0.001"), min_notional=Decimal(10),
)  # fmt: skip


def changed(**figures: Any) -> Instrument:
    return msgspec.structs.replace(BTC, **figures)


@pytest.fixture
def watch() -> MarketWatch:
    made = MarketWatch("east")
    made.see([BTC])
    made.see_price(BTC, 90_000.0)
    return made


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (changed(lot_size=Decimal("0.01")), "its lot was 0.001 when last seen and is 0.01 now"),
        (changed(lot_size=Decimal("0.0001")), "its lot was"),
        (changed(multiplier=Decimal(1000)), "its multiplier was 1 when last seen and is 1000 now"),
        (changed(price_rule=PriceRule(Decimal("0.01"))), "its tick was 0.1"),
        (changed(lot_size=Decimal("1e-400000")), "its lot was"),
    ],
)
def test_a_jump_by_ten_stops_trading_until_it_is_confirmed(watch: MarketWatch, listed: Instrument, words: str) -> None:
    watch.see([listed])
    with pytest.raises(MarketChanged, match=r"nothing was sent.*client\.markets\.confirm") as refusal:
        watch.require(listed, "place_order")
    assert words in str(refusal.value)
    with pytest.raises(MarketChanged):
        watch.require(BTC, "place_order")
    watch.require(listed, "place_order", reduces=True)
    watch.confirm("BTC")
    watch.require(listed, "place_order")
    watch.see([listed])
    assert not watch.doubts


@pytest.mark.parametrize("lot", ["0", "-0.001", "NaN", "Infinity"])
def test_what_is_no_lot_at_all_can_not_be_confirmed(watch: MarketWatch, lot: str) -> None:
    watch.see([changed(lot_size=Decimal(lot))])
    with pytest.raises(MarketChanged, match=f"its lot is {lot}"):
        watch.require(BTC, "place_order")
    with pytest.raises(Misconfigured, match="can't be"):
        watch.confirm("BTC")
    watch.see([BTC])
    watch.require(BTC, "place_order")


@pytest.mark.parametrize("lot", ["0", "-0.001", "NaN", "Infinity"])
def test_what_is_no_lot_is_doubted_at_first_sight(lot: str) -> None:
    watch = MarketWatch("east")
    watch.see([changed(lot_size=Decimal(lot))])
    with pytest.raises(MarketChanged, match=f"its lot is {lot}"):
        watch.require(BTC, "place_order")
    watch.see([BTC])
    watch.require(BTC, "place_order")


@pytest.mark.parametrize("price", [900_000.0, 9_000.0, 1.0])
def test_a_price_that_jumps_stops_even_what_reduces(watch: MarketWatch, price: float) -> None:
    watch.see_price(BTC, price)
    for reduces in (False, True):
        with pytest.raises(MarketChanged, match=f"its price was 90000 when last seen and is {price:g} now"):
            watch.require(BTC, "place_order", reduces=reduces)
    watch.see([changed(lot_size=Decimal("0.01"))])
    with pytest.raises(MarketChanged, match="its price was"):
        watch.require(BTC, "place_order", reduces=True)
    watch.confirm("BTC-PERP")
    watch.require(BTC, "place_order")


def test_what_moves_by_less_is_followed_and_what_comes_back_is_believed(watch: MarketWatch) -> None:
    for price in (200_000.0, 1_900_000.0, 12_000_000.0):
        watch.see_price(BTC, price)
        watch.require(BTC, "place_order")
    watch.see([changed(lot_size=Decimal("0.002"), price_rule=PriceRule(Decimal("0.5")))])
    watch.see_price(BTC, 1.0)
    assert [doubt.venue_symbol for doubt in watch.doubts] == ["BTC-PERP"]
    watch.see_price(BTC, 11_000_000.0)
    assert not watch.doubts
    for nonsense in (0.0, -1.0, float("nan"), float("inf")):
        watch.see_price(BTC, nonsense)
    assert not watch.doubts


def test_it_is_remembered_from_run_to_run_and_a_person_may_confirm_from_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, ten = tmp_path / "markets" / f"live-{registry.names()[0]}.json", changed(lot_size=Decimal("0.01"))
    MarketWatch("east", file).see([BTC])
    assert file.stat().st_mode & 0o777 == 0o600
    running = MarketWatch("east", file)
    running.see([ten])
    with pytest.raises(MarketChanged):
        running.require(ten, "place_order")
    arguments = [registry.names()[0], "--folder", str(tmp_path)]
    assert confirm(arguments) == 1 and "in doubt: BTC-PERP (BTC): its lot was 0.001" in capsys.readouterr().out
    assert confirm([*arguments, "ETH"]) == 2 and "markets in doubt: BTC-PERP" in capsys.readouterr().err
    assert confirm([*arguments, "BTC"]) == 0 and "nothing is in doubt" in capsys.readouterr().out
    running.require(ten, "place_order")
    running.see([ten])
    assert not running.doubts and not MarketWatch("east", file).doubts


def test_a_broken_file_or_folder_costs_the_memory_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(b'{"markets": {"BTC-')
    watch = MarketWatch("east", file)
    watch.see([BTC])
    with pytest.raises(Misconfigured, match="markets in doubt: none"):
        watch.confirm("BTC")
    (tmp_path / "file").write_text("")
    watch = MarketWatch("east", tmp_path / "file" / "x.json")
    watch.see([BTC])
    watch.see([changed(lot_size=Decimal("0.01"))])
    with pytest.raises(MarketChanged):
        watch.require(BTC, "place_order")


def ten_times(members: dict[str, Any], name: str) -> None:
    value = members.get(name)
    if isinstance(value, str):
        members[name] = str(Decimal(value) * 10)


def one_decimal_less(members: dict[str, Any], name: str) -> None:
    if isinstance(members.get(name), int):
        members[name] -= 1


JUMPS: list[tuple[str, str, Change]] = [
    ("hyperliquid", ".universe[].szDecimals", one_decimal_less),
    ("hyperliquid", "[1][].markPx", ten_times),
    ("paradex", ".results[].order_size_increment", ten_times),
    ("paradex", ".results[].mark_price", ten_times),
    ("pacifica", ".data[].tick_size", ten_times),
    ("pacifica", ".data[].mark", ten_times),
]


@pytest.mark.parametrize(("venue", "path", "change"), JUMPS, ids=lambda value: str(getattr(value, "__name__", value)))
def test_a_client_of_the_next_run_does_not_trade_on_a_venue_that_has_jumped(
    venue: str, path: str, change: Callable[[dict[str, Any], str], None], tmp_path: Path
) -> None:
    seen: list[Drifting] = []

    async def run(jumped: bool) -> None:
        clock = LoopClock(START_MS)

        def tamper(facade: Any) -> Drifting:
            seen.append(Drifting(facade, path if jumped else "", change))
            return seen[-1]

        async with (
            Sandbox([venue], clock=clock, tamper=tamper) as world,
            Network(
                "sandbox", hosts=world.hosts, clock=clock, http=world.network.http, websocket=world.network.websocket,
                folder=tmp_path,
            ) as network,
        ):  # fmt: skip
            client = network.client(venue, world.enrol(venue))
            bitcoin = await client.instrument("BTC")
            await client.fetch_stats()
            wanted = await order(client, bitcoin)
            if not jumped:
                await client.place_order(wanted)
                assert seen[-1].orders == 1
                return
            with pytest.raises(MarketChanged):
                await client.place_order(wanted)
            assert seen[-1].orders == 0
            client.markets.confirm("BTC")
            await client.place_order(wanted)
            assert seen[-1].orders == 1

    run_virtual(lambda: run(False))
    run_virtual(lambda: run(True))


async def order(client: BaseExchangeClient, instrument: Instrument) -> OrderRequest:
    return OrderRequest(
        str(UUID(int=1)),
        instrument,
        Side.BUY,
        instrument.round_size(0.01),
        instrument.round_price(89_000.0, Side.BUY),
        TimeInForce.GTC,
    )
