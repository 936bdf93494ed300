"""Client order ids: the same run and the same count give the same id, so that a restart knows what it may have sent."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5


class OrderNames:
    """Names for the orders of one run, in sequence. `used`: how many names the journal has already seen."""

    def __init__(self, run_id: str, used: int = 0) -> None:
        self._run_id = run_id
        self._used = used

    def next(self) -> str:
        """A fresh id in UUID form; venue clients write its 128 bits in whatever shape their venue wants."""
        self._used += 1
        return name_of(self._run_id, self._used)


def name_of(run_id: str, count: int) -> str:
    """The id of the `count`-th order (from 1) of a run."""
    return str(uuid5(NAMESPACE_URL, f"order/{run_id}/{count}"))
