"""B of PERFORMANCE: CPU of building and signing one order, each contender in its own process and environment.

Before anybody is timed, contenders must agree: the same signature where the scheme is deterministic, the same hash and a valid
signature where it is not.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

from benchmarks import orders
from benchmarks.environments import OURS, ROOT, Unavailable, python_of
from benchmarks.table import Row
from exchange_clients.paradex import signing as stark

ORDERS_OURS = 2_000
NAMES = {"place_order": "ours: place_order up to the HTTP library", "signature": "ours: the signature alone"}
SDKS: dict[str, tuple[str, str, str, int]] = {
    # venue: the name shown, environment, script, orders in one round
    "hyperliquid": ("hyperliquid-python-sdk as installed", "hyperliquid_sdk", "hyperliquid_sdk_sign", 100),
    "paradex": ("starknet.py typed data and signature", "starknet", "starknet_sign", 5),
    "pacifica": ("solders + base58 + json", "solders", "solders_sign", 2_000),
}
LIBRARIES = {
    "hyperliquid": "limit: libsecp256k1 signature",
    "paradex": "limit: fast-stark-crypto signature",
    "pacifica": "limit: libsodium signature",
}
NOTES = {
    "paradex": "the venue's SDK has no build for this interpreter, so the steps it takes with starknet.py are timed",
    "pacifica": "the venue's SDK is a folder of scripts, so the steps of its reference are timed",
}


def measure(venue: str, rounds: int, progress: Callable[[str], None]) -> Row:
    """One row. Raises RuntimeError when a contender does not run or contenders disagree."""
    name, environment, script, count = SDKS[venue]
    title = f"{venue.title()}: build and sign an order"
    row = Row(title, NAMES["place_order"], {}, LIBRARIES[venue], [NOTES[venue]] if venue in NOTES else [])
    for number in range(rounds):
        progress(f"{title}, round {number + 1}")
        ours = _run(python_of(OURS), "ours_sign", [venue, str(ORDERS_OURS)])
        _add(row, NAMES["place_order"], ours["us"]["place_order"])
        _add(row, NAMES["signature"], ours["us"]["signature"])
        try:
            check = ours["check"]
            window_ms = str(check.get("expiry_window") or check.get("expiresAfter", orders.TIME_MS) - orders.TIME_MS)
            sdk = _run(python_of(environment), script, [venue, str(count), window_ms])
        except Unavailable as why:
            if number == 0:
                row.notes.append(f"{name}: not measured ({why})")
        else:
            _agree(venue, ours["check"], sdk["check"])
            _add(row, name, sdk["us"]["sdk"])
        _add(row, LIBRARIES[venue], ours["us"]["library"])
    return row


def _add(row: Row, contender: str, us: float) -> None:
    row.samples_us.setdefault(contender, []).append(us)


def _agree(venue: str, ours: dict[str, Any], sdk: dict[str, Any]) -> None:
    """Raises RuntimeError unless both signed the same order, each validly."""
    if venue == "paradex":
        key = stark.Signer(orders.PARADEX_KEY).public_key
        same = ours["message"] == sdk["message"] and ours["valid"]
        if same and stark.is_signed_by(key, int(sdk["message"], 16), sdk["signature"]):
            return
    elif all(ours[name] == value for name, value in sdk.items()):
        return
    raise RuntimeError(f"{venue}: the contenders did not sign the same order: {ours} and {sdk}")


def _run(python: Any, script: str, arguments: list[str]) -> dict[str, Any]:
    command = [str(python), "-m", f"benchmarks.peers.{script}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"{script} did not run: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
