"""The server as a program: one JSON line, then it serves until it is told to stop."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from exchange_clients import registry
from exchange_clients.engine.clock import LoopClock
from exchange_clients.sandbox.client import memory_wiring
from exchange_clients.sandbox.command import main
from exchange_clients.sandbox.market_model import ModelPrices
from exchange_clients.sandbox.transport import MemoryTransport
from exchange_clients.sandbox.virtual_loop import run_virtual
from exchange_clients.sandbox.world import World

VENUE = registry.names()[0]
START_MS = 1_767_400_000_000


@pytest.fixture
def server(root: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = ["--venues", VENUE, "--account", "ann:1000", "--seed", "5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "exchange_clients.sandbox.server", *arguments], cwd=root, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait(10)


def test_it_says_where_it_is_serves_and_stops(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    said = json.loads(server.stdout.readline())
    assert "seed 5" in said["world"]
    assert set(said["accounts"][VENUE]["ann"]) == set(registry.spec(VENUE).credential_fields)
    with socket.create_connection(("127.0.0.1", said["ports"][VENUE]), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 ")
    server.send_signal(signal.SIGTERM)
    assert server.wait(10) == 0


def test_what_keeps_it_from_starting_is_said_in_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tape = tmp_path / "broken.csv"
    tape.write_text("nonsense\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, message in (
            (["--tape", str(tape)], "broken.csv line 1: the columns must be"),
            (["--port", f"{VENUE}:{port}"], "address already in use"),
        ):
            assert main(["--venues", VENUE, *arguments]) == 2
            said = capsys.readouterr()
            assert message in said.err and said.err.count("\n") == 1 and said.out == ""
    assert main(["--venues", "nowhere"]) == 2
    for arguments in (["--fault", "explosion"], ["--account", "ann"], ["--clock", "soon"], ["--port", "80"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_a_client_reads_a_world_in_memory_the_same_way_twice() -> None:
    async def story() -> list[str]:
        clock = LoopClock(START_MS)
        world = World.build([VENUE], ModelPrices(7, START_MS), clock, seed=3)
        spec, transport = registry.spec(VENUE), MemoryTransport(world.hosts(), lambda: 0.02)
        credentials = world.enrol(VENUE, "ann", D(10_000))
        async with spec.client_class()(memory_wiring(spec, transport, clock, credentials)) as client:
            instrument = await client.instrument("BTC")
            book = await client.fetch_order_book(instrument)
            balance = await client.fetch_balance()
            assert balance.wallet == 10_000 and book.best_bid < book.best_ask
            return [str(book), str(balance)]

    assert run_virtual(story) == run_virtual(story)
