"""What every strategy is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from exchange_clients.trading.events import Event
from exchange_clients.trading.intents import Intent


class BaseStrategy(ABC):
    """Hears events, answers with intents, and touches nothing else: the same events give the same intents, always."""

    name: ClassVar[str]

    @abstractmethod
    def on_event(self, event: Event, now_ms: int) -> tuple[Intent, ...]:
        """What to do about `event` at `now_ms` (market time, ms since 1970). Never raises for anything a venue can do."""
