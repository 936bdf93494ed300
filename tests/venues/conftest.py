"""Venues on virtual time: a budget that is spent for a minute costs nobody a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from exchange_clients.sandbox.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"loop": VirtualLoop}
