"""When the venues are asked: each on its own interval, at once in the beginning, never twice at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from funding_rate_service.collection.collector import Collector

log = logging.getLogger(__name__)


class Schedule:
    """Runs the collectors every `interval_loop_s` seconds of the event loop while started."""

    def __init__(self, collectors: Sequence[Collector], interval_loop_s: float) -> None:
        self._collectors = collectors
        self._interval_loop_s = interval_loop_s
        self._scheduler: AsyncIOScheduler | None = None
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin; the first collection starts now."""
        options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        scheduler = self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=options)
        for collector in self._collectors:
            scheduler.add_job(self._launch, args=[collector])
            scheduler.add_job(self._launch, IntervalTrigger(seconds=self._interval_loop_s, timezone=UTC), args=[collector])
        scheduler.start()

    def stop(self) -> None:
        """End; collections under way are cancelled. Idempotent."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None
        for task in self._running:
            task.cancel()

    async def _launch(self, collector: Collector) -> None:
        """Start one collection and return: the scheduler would report a cancelled one as a crash."""
        task = asyncio.create_task(collector.run_once())
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a collection ended unexpectedly", exc_info=failure)
