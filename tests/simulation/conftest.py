"""Journals of simulated bots lie in memory where the machine has such a folder: the same code and the same calls, but nobody waits
for a disk to confirm what only a simulation wrote. What survives a power cut is not tested here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

_IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    if not _IN_MEMORY.is_dir():
        yield tmp_path
        return
    folder = Path(mkdtemp(prefix="perp-tests-", dir=_IN_MEMORY))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
