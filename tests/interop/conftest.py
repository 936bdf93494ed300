"""Peers install packages and take a while, so they run only where they were asked for."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def asked_for() -> None:
    if os.environ.get("PERP_INTEROP") != "1":
        pytest.skip("clients that we did not write run in `make interop` (PERP_INTEROP=1)")
