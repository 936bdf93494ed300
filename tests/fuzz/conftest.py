"""How much to try: 500 examples a venue, the same every time; 10,000 new ones in the long run (`make fuzz`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.conftest import ROOT
from tests.fuzz.corpus import Corpus, corpus
from tests.support.venues import VENUES

IS_LONG = bool(os.environ.get("PERP_LONG"))
EFFORT = settings(
    max_examples=10_000 if IS_LONG else 500,
    derandomize=not IS_LONG,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def recorded_folder() -> Path | None:
    found = Path(os.environ.get("PERP_SHARED", ROOT.parent / "shared")) / "recorded"
    return found if found.is_dir() else None


@pytest.fixture(params=VENUES)
def words(request: pytest.FixtureRequest) -> Corpus:
    """What the venue says in good days."""
    return corpus(request.param, recorded_folder())


def pytest_report_header() -> list[str]:
    if recorded_folder() is None:
        return [
            "fuzz: recorded payloads are absent (set PERP_SHARED to where they lie); only the façades' own replies are mutated"
        ]
    return []
