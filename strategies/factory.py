"""Strategies by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from strategies.base_strategy import BaseStrategy
from strategies.funding_arbitrage_strategy import FundingArbitrageConfig, FundingArbitrageStrategy


class UnknownStrategy(Exception):
    """There is no strategy of that name; the message lists those there are."""


@dataclass(frozen=True)
class StrategyKind:
    """`config`: the dataclass that its settings fill. `build(config, run_id, orders_used, pairs_used)`: a fresh instance."""

    config: type[Any]
    build: Callable[[Any, str, int, int], BaseStrategy]


_KINDS: dict[str, StrategyKind] = {
    FundingArbitrageStrategy.name: StrategyKind(FundingArbitrageConfig, FundingArbitrageStrategy)
}


def names() -> tuple[str, ...]:
    """The names of all strategies."""
    return tuple(_KINDS)


def kind(name: str) -> StrategyKind:
    """The strategy called `name`. Raises UnknownStrategy."""
    found = _KINDS.get(name)
    if found is None:
        raise UnknownStrategy(f"there is no strategy {name!r}; known are {', '.join(_KINDS)}")
    return found
