"""Model and tape: pure functions of time, and a tape that says where it is broken."""

import csv
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal as D
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from exchange_clients import registry
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.times import to_ms
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.rules import DiscreteFunding
from exchange_clients.sandbox.tape import COLUMNS, TapeError, TapePrices

START_MS = 1_767_400_000_000
HOUR_MS = 3_600_000
ROW = "2026-01-02T20:00:00Z,v,ABC-PERP,100,101,0.000012300,1,5000.5,77"


def test_the_model_does_not_depend_on_the_pattern_of_questions() -> None:
    times = [START_MS + step * 977_000 for step in range(200)]
    forward = [ModelPrices(7, START_MS).state("v", "BTC", moment) for moment in times]
    shuffled, model = list(range(200)), ModelPrices(7, START_MS)
    Random(1).shuffle(shuffled)
    found = {step: model.state("v", "BTC", times[step]) for step in shuffled}
    assert [found[step] for step in range(200)] == forward
    assert ModelPrices(8, START_MS).state("v", "BTC", times[50]) != forward[50]


def test_the_model_starts_at_its_prices_shares_indices_and_lets_funding_differ() -> None:
    model, rule = ModelPrices(7, START_MS), DiscreteFunding(D(1), D("0.04"))
    assert model.provenance is Provenance.SANDBOX and "seed 7" in model.describe()
    differing = 0
    for name, first in model.assets("v"):
        one, other = model.state("v", name, START_MS), model.state("w", name, START_MS)
        assert one is not None and other is not None
        assert one.index == other.index == first
        assert abs(one.mark / one.index - 1) < D("0.0005")
        differing += rule.rate(one.premium) != rule.rate(other.premium)
    assert differing >= len(model.assets("v")) // 2
    assert model.state("v", "NOTHING", START_MS) is None


def test_the_model_moves_like_a_market() -> None:
    model = ModelPrices(7, START_MS)
    marks = [model.state("v", "ETH", START_MS + hour * HOUR_MS).mark for hour in range(24 * 30)]  # type: ignore[union-attr]
    hourly = [abs(b / a - 1) for a, b in pairwise(marks)]
    assert D("0.001") < sum(hourly) / len(hourly) < D("0.02")
    assert D("0.5") < min(marks) / max(marks) < D("0.99")


@pytest.fixture
def tape(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: str, header: str = ",".join(COLUMNS)) -> Path:
        path = tmp_path / "tape.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2026-01-02T21:00:00Z,v,ABC-PERP,100,101,0.1,1,5", "8 columns instead of 9"),
        ("2026-01-02T21:00:00Z,v,ABC-PERP,abc,101,0.1,1,5,7", "mark_price 'abc' is not a number"),
        ("2026-01-02T21:00:00Z,v,ABC-PERP,100,101,nan,1,5,7", "funding_rate 'nan' is not a number"),
        ("2026-01-02T21:00:00Z,v,ABC-PERP,100,,0.1,1,5,7", "index_price '' is not a number"),
        ("2026-01-02 21:00,v,ABC-PERP,100,101,0.1,1,5,7", "hour_utc '2026-01-02 21:00' is not a time"),
        ("2026-01-02T21:30:00Z,v,ABC-PERP,100,101,0.1,1,5,7", "is not a full hour"),
        ("2026-01-02T21:00:00Z,v,ABC-PERP,100,101,0.1,hourly,5,7", "funding_interval_hours 'hourly' is not a number"),
        ("2026-01-02T21:00:00Z,v,ABC-PERP,100,101,0.1,0,5,7", "funding_interval_hours '0' is not an interval"),
        ("2026-01-02T21:00:00Z,v,ABC-PERP,-1,101,0.1,1,5,7", "must not be negative"),
        ("2026-01-02T21:00:00Z,,ABC-PERP,100,101,0.1,1,5,7", "must not be empty"),
        (ROW, "a second row"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tape: Callable[..., Path], row: str, message: str) -> None:
    path = tape(ROW, row)
    with pytest.raises(TapeError, match=r"tape\.csv line 3: ") as caught:
        TapePrices(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_a_tape_that_is_missing_or_of_another_kind_is_refused(tape: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"nowhere\.csv line 1: can't be read"):
        TapePrices(tmp_path / "nowhere.csv")
    with pytest.raises(TapeError, match="line 1: the columns must be"):
        TapePrices(tape(ROW, header="a,b"))
    with pytest.raises(TapeError, match="no rows for w"):
        TapePrices(tape(ROW), ["v", "w"])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(TapeError):
        TapePrices(tmp_path / "empty.csv")


def test_rates_step_and_prices_run_straight(tape: Callable[..., Path]) -> None:
    prices = TapePrices(
        tape(
            ROW,
            "2026-01-02T21:00:00Z,v,ABC-PERP,110,103,-0.0000020,1,,",
            "2026-01-02T23:00:00Z,v,ABC-PERP,120,104,0.5,,1,1",
            "2026-01-02T21:00:00Z,w,ABC,1,1,0.1,8,1,1",
        ),
        ["v"],
    )
    hour = to_ms(datetime.fromisoformat("2026-01-02T20:00:00+00:00"))
    assert (prices.start_ms, prices.end_ms, prices.provenance) == (hour, hour + 3 * HOUR_MS, Provenance.REPLAY)
    assert prices.assets("v") == (("ABC-PERP", D(100)),) and prices.assets("w") == ()
    assert prices.state("v", "ABC-PERP", hour - 1) is None
    quarter = prices.state("v", "ABC-PERP", hour + HOUR_MS // 4)
    assert quarter is not None
    assert (quarter.mark, quarter.index, str(quarter.funding_rate)) == (D("102.5"), D("101.5"), "0.000012300")
    assert (quarter.open_interest_usd, quarter.volume_24h_usd) == (5000.5, 77.0)
    gap = prices.state("v", "ABC-PERP", hour + HOUR_MS * 5 // 2)
    assert gap is not None and (gap.mark, gap.funding_rate, gap.open_interest_usd) == (110, D("-0.0000020"), None)
    late = prices.state("v", "ABC-PERP", hour + 99 * HOUR_MS)
    assert late is not None and (late.mark, late.funding_rate, late.funding_known) == (120, None, False)


def test_rates_per_another_interval_than_the_venues_are_refused(tape: Callable[..., Path]) -> None:
    prices = TapePrices(tape(ROW, "2026-01-02T20:00:00Z,v,LATER,100,101,0.1,4,5,7"))
    with pytest.raises(TapeError, match=r"line 3: v LATER has a rate per 4 h; .* per 1 h only"):
        prices.require_interval("v", HOUR_MS)
    prices.require_interval("w", HOUR_MS)


def test_rows_of_dead_markets_count_as_missing(tape: Callable[..., Path]) -> None:
    prices = TapePrices(tape(ROW, "2026-01-02T20:00:00Z,v,DEAD,0,0,0,1,0,1"))
    assert [name for name, _ in prices.assets("v")] == ["ABC-PERP"]


@pytest.mark.parametrize("name", ["perp_dex_hourly_2026-01-02.csv", "perp_dex_hourly_2026-01-04.csv"])
def test_the_recorded_tapes_are_served_digit_by_digit(shared_dir: Path, name: str) -> None:
    path = shared_dir / "tapes" / name
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    venues = registry.names()
    prices = TapePrices(path, venues)
    wanted = [row for row in rows if row["venue"] in venues and D(row["mark_price"]) > 0]
    assert prices.describe() == f"tape {name}, {len(wanted)} rows"
    following = {(row["venue"], row["venue_symbol"], row["hour_utc"]): row for row in wanted}
    for row in wanted:
        hour_ms = to_ms(datetime.fromisoformat(row["hour_utc"]))
        for after_ms in (0, HOUR_MS // 2, HOUR_MS - 1):
            state = prices.state(row["venue"], row["venue_symbol"], hour_ms + after_ms)
            assert state is not None and str(state.funding_rate) == str(D(row["funding_rate"]))
            next_text = datetime.fromtimestamp(hour_ms // 1000 + 3600, tz=datetime.fromisoformat(row["hour_utc"]).tzinfo)
            after = following.get((row["venue"], row["venue_symbol"], f"{next_text:%Y-%m-%dT%H:%M:%SZ}"), row)
            share = D(after_ms) / HOUR_MS
            for column, got in (("mark_price", state.mark), ("index_price", state.index)):
                exact = D(row[column]) + (D(after[column]) - D(row[column])) * share
                assert abs(got - exact) <= exact * D("1e-20")
