"""A misspelt verb, field or argument of the public library is a type error, and right programs are not."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from decimal import Decimal

from exchange_clients import Network, OrderRequest, Sandbox, Side, registry
from exchange_clients.domain.events import BookEvent


async def main(venue: str) -> Decimal:
    async with Network("testnet") as network:
        client = network.client(venue, {{"private_key": "1"}})
        balance = await client.{fetch_balance}()
        rates = await network.{adapter}(venue).current_rates()
        bitcoin = await client.instrument("BTC")
        async with client.stream_book(bitcoin) as events:
            async for event in events:
                if isinstance(event, BookEvent):
                    print(event.book.{best_bid}, rates[0].rate)
    async with Sandbox([venue], {loopback}=True) as world:
        spec = registry.spec(venue)
        built = spec.client_class()(world.network.wiring(venue, world.{enrol}(venue)))
        order = await built.{place_order}(
            OrderRequest("", bitcoin, {Side}.BUY, Decimal("0.1"), None)
        )
    return balance.{wallet} + order.filled
"""
RIGHT = {name: name for name in ("fetch_balance", "adapter", "best_bid", "loopback", "enrol", "place_order", "Side", "wallet")}


def test_mypy_refuses_each_of_eight_misspellings_and_takes_the_right_program(root: Path, tmp_path: Path) -> None:
    def misspelt(name: str) -> str:
        return name[:-2] + name[-1] + name[-2]

    programs = {"right": PROGRAM.format(**RIGHT)}
    programs |= {name: PROGRAM.format(**RIGHT | {name: misspelt(name)}) for name in RIGHT}
    for name, text in programs.items():
        (tmp_path / f"program_{name}.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file", str(root / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--cache-dir", str(tmp_path / "cache"), *sorted(str(file) for file in tmp_path.glob("program_*.py"))],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = done.stdout.splitlines()
    for name in RIGHT:
        errors = [line for line in said if f"program_{name}.py" in line and "error:" in line]
        assert any(misspelt(name) in line for line in errors), f"{misspelt(name)} passed: {errors}"
    assert not [line for line in said if "program_right.py" in line], done.stdout
