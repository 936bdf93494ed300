"""What all tests share."""

import decimal
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Money and measurements must never mix unnoticed; the library itself changes nobody's process, so the tests do it here.
decimal.getcontext().traps[decimal.FloatOperation] = True


@pytest.fixture(scope="session", autouse=True)
def _nothing_lands_in_the_users_own_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Recorded payloads and tapes: real data that is not part of this repository."""
    found = Path(os.environ.get("PERP_SHARED", ROOT.parent / "shared"))
    if not (found / "recorded").is_dir():
        pytest.skip(f"recorded data is absent: no {found}/recorded (set PERP_SHARED to where it lies)")
    return found


@pytest.fixture(scope="session")
def long_run() -> bool:
    """Whether the slow proofs were asked for (`make simulate`)."""
    return bool(os.environ.get("PERP_LONG"))
