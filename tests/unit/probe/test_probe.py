"""The probe finds what a venue has changed, measures what it should, tells nothing private, and never acts unasked."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange_clients import Sandbox, registry
from exchange_clients.domain.account import Balance
from exchange_clients.engine.clock import LoopClock
from exchange_clients.engine.endpoint import Retry
from exchange_clients.probe.command import look, main
from exchange_clients.probe.documented import documented_fields
from exchange_clients.probe.drift import DriftKind
from exchange_clients.probe.report import Report, table
from exchange_clients.probe.watcher import Watcher
from exchange_clients.sandbox.facade import Facade
from exchange_clients.sandbox.virtual_loop import run_virtual
from tests.support.drifting import Change, Drifting, add, as_number, as_object, remove

START_MS = 1_767_400_000_000
VENUES = registry.names()


def probed(
    venue: str, seconds: float = 5, acts: bool = False, tamper: Callable[[Facade], Facade] | None = None, **also: Any
) -> Report:
    known = documented_fields(venue)

    async def story() -> Report:
        clock = LoopClock(START_MS)
        watcher = Watcher(clock.now_ms, asyncio.get_running_loop().time)
        sandbox = Sandbox([venue], clock=clock, latency_s=0.02, observer=watcher, tamper=tamper)
        async with sandbox as world:
            secrets = world.enrol(venue, "prober", Decimal("7654.321"))
            found = await look(world.network, venue, secrets, watcher, known, seconds, place_and_cancel=acts)
            if "seen" in also:
                client = world.network.client(venue, secrets)
                also["seen"] += [await client.fetch_balance(), await client.fetch_open_orders(), secrets]
            return found

    return run_virtual(story)


@pytest.mark.parametrize("acts", [False, True])
@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_that_is_as_it_is_known_gives_nothing_to_report(venue: str, acts: bool) -> None:
    seen: list[Any] = []
    found = probed(venue, acts=acts, seen=seen)
    assert found.findings == []
    assert {call.name for call in found.calls} == {row.name for row in registry.rows(venue)[0]}
    asked = {call.name: call for call in found.calls if call.asked}
    assert len(asked) >= 9 and all(call.round_trip_ms is not None and call.round_trip_ms >= 40 for call in asked.values())
    books = [channel for channel in found.channels if channel.frames > 5]
    assert books and all(channel.gap_ms and channel.bytes_per_frame for channel in books)
    assert {stream.verb for stream in found.streams} == {"stream_book", "stream_orders", "stream_fills", "stream_account"}
    assert found.age_ms is not None and 0 <= found.age_ms < 1000
    assert any(0 < budget.spent < budget.capacity for budget in found.budgets)
    assert "nothing has changed" in table(found)
    assert not seen[1], "no order rests afterwards"


@pytest.mark.parametrize("venue", VENUES)
def test_it_reads_only_unless_it_was_asked_to_place_and_cancel(venue: str) -> None:
    looked_at: list[Drifting] = []

    def tamper(facade: Facade) -> Facade:
        looked_at.append(Drifting(facade))
        return looked_at[0]

    acting = {row.name for row in registry.rows(venue)[0] if row.retry is Retry.ACT}
    found = probed(venue, tamper=tamper)
    assert looked_at[0].orders == 0
    assert all(not call.asked and call.why_not == "it acts" for call in found.calls if call.name in acting)
    looked_at.clear()
    found = probed(venue, acts=True, tamper=tamper)
    assert looked_at[0].orders == 1
    verbs = [step.verb for step in found.steps]
    assert verbs.count("place_order") == verbs.count("cancel_order") == 1 and "amend_order" in verbs


PLANTED: list[tuple[str, str, Change, str, DriftKind]] = [
    ("hyperliquid", "[1][].brandNew", add, "call metaAndAssetCtxs", DriftKind.NEW),
    ("hyperliquid", "[1][].markPx", remove, "call metaAndAssetCtxs", DriftKind.MISSING),
    ("hyperliquid", ".universe[].szDecimals", remove, "call meta", DriftKind.MISSING),  # a market less, and no more
    ("hyperliquid", ".withdrawable", remove, "call clearinghouseState", DriftKind.BROKEN),
    ("hyperliquid", "[1][].openInterest", as_number, "call metaAndAssetCtxs", DriftKind.RETYPED),
    ("hyperliquid", ".data.brandNew", add, "stream l2Book", DriftKind.NEW),
    ("paradex", ".results[].brandNew", add, "call markets", DriftKind.NEW),
    ("paradex", ".results[].open_interest", remove, "call markets summary", DriftKind.MISSING),
    ("paradex", ".brandNew", add, "call orderbook", DriftKind.NEW),  # its streams of books are binary and name no fields
    ("paradex", ".seq_no", as_object, "call orderbook", DriftKind.BROKEN),
    ("paradex", ".account_value", as_number, "call account", DriftKind.RETYPED),
    ("pacifica", ".data[].brandNew", add, "call info", DriftKind.NEW),
    ("pacifica", ".data[].tick_size", as_object, "call info", DriftKind.BROKEN),
    ("pacifica", ".data[].mark", as_number, "call info/prices", DriftKind.RETYPED),
    ("pacifica", ".data.account_equity", remove, "call account", DriftKind.BROKEN),
    ("pacifica", ".data.brandNew", add, "stream book", DriftKind.NEW),
]


@pytest.mark.parametrize(
    ("venue", "path", "change", "row", "kind"), PLANTED, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_planted_change_is_found_where_it_is(venue: str, path: str, change: Change, row: str, kind: DriftKind) -> None:
    found = probed(venue, tamper=lambda facade: Drifting(facade, path, change))
    told = {(drift.row, drift.path): drift.kind for drift in found.drift}
    assert told.get((row, path)) is kind, f"{path} is not among {told}"
    assert not [key for key in told if not key[1].startswith(path)], "nothing else has changed"
    assert f"! {row}: {kind.value} {path}" in table(found)


@pytest.mark.parametrize(
    "venue", [venue for venue in VENUES if any("numbered" in c.sequence.value for c in registry.rows(venue)[1])]
)
def test_a_sequence_with_holes_is_told(venue: str) -> None:
    found = probed(venue, seconds=20, tamper=lambda facade: Drifting(facade, lose_every=7))
    (book,) = (stream for stream in found.streams if stream.verb == "stream_book")
    assert book.lost and book.resumed and all("missing" in reason for reason in book.lost)
    assert "streams were lost" in table(found) and any("stream_book: lost" in finding for finding in found.findings)


def test_clocks_that_are_apart_are_told() -> None:
    found = probed(VENUES[0], tamper=lambda facade: Drifting(facade, date="Sat, 03 Jan 2026 00:26:50 GMT"))
    assert found.behind_ms is not None
    assert any("clocks: this machine's is between" in finding and "behind" in finding for finding in found.findings)


@pytest.mark.parametrize("venue", VENUES)
def test_the_file_holds_no_value_of_the_account(venue: str) -> None:
    seen: list[Any] = []
    found = probed(venue, acts=True, seen=seen)
    text = msgspec.json.encode(found).decode() + table(found)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Report) == found
    balance, _, secrets = seen
    assert isinstance(balance, Balance)
    for private in (*secrets.values.values(), "7654", str(balance.equity)):
        assert private not in text and private.removeprefix("0x") not in text


# The command


def test_the_command_probes_a_sandbox_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [VENUES[0], "--environment", "sandbox", "--seconds", "1", "--output", str(tmp_path), "--place-and-cancel"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    (file,) = tmp_path.iterdir()
    assert "nothing has changed" in said and str(file) in said
    told = json.loads(file.read_text())
    assert told["venue"] == VENUES[0] and told["environment"] == "sandbox" and not told["drift"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--place-and-cancel"], "no order is ever placed on live"),
        (["--host", "http://127.0.0.1:1"], "an address is of one venue"),
        ([VENUES[0], "--host", "https://venue.example"], "live means the venue's own address"),
        ([VENUES[0], "--environment", "testnet", "--place-and-cancel"], "give --credentials"),
        (["nowhere"], "unknown venue"),
        ([VENUES[0], "--seconds", "0"], "--seconds"),
        ([VENUES[0], "--credentials", "env"], "env does not give"),
        ([VENUES[0], "--credentials", "/nonexistent"], "No such file"),
        ([VENUES[0], "--environment", "sandbox", "--host", "http://127.0.0.1:1", "--seconds", "0.1"], "nothing answered"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_credentials_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from exchange_clients.probe.command import _credentials

    spec = registry.spec(VENUES[0])
    names = {name: f"{spec.name}_{name}".upper() for name in spec.credential_fields}
    file = tmp_path / "keys"
    file.write_text("# mine\n\n" + "".join(f"export {name}='{field}-value'\n" for field, name in names.items()))
    for field, name in names.items():
        monkeypatch.setenv(name, f"{field}-value")
    wanted = {field: f"{field}-value" for field in names}
    for source in (str(file), "env"):
        found = _credentials(source, spec)
        assert found is not None and found.values == wanted
    assert _credentials(None, spec) is None
