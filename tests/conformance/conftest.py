"""The suite's stage: every venue in memory on virtual time. What needs real sockets is in `test_loopback.py` alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from exchange_clients import registry
from exchange_clients.sandbox.virtual_loop import VirtualLoop
from tests.support.stage import Stage, stage
from tests.support.venues import VENUES


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"loop": asyncio.new_event_loop if item.path.name == "test_loopback.py" else VirtualLoop}


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> str:
    """Each venue that declares what the test `needs`."""
    spec = registry.spec(request.param)
    for marker in request.node.iter_markers("needs"):
        for capability in marker.args:
            if capability not in spec.capabilities:
                pytest.skip(f"{spec.name} does not declare {capability.value}")
    return spec.name


@pytest.fixture
async def on(venue: str) -> AsyncIterator[Stage]:
    async with stage(venue) as found:
        yield found
