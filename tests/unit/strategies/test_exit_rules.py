"""When to leave: a table."""

from __future__ import annotations

import pytest

from strategies.exit_rules import ExitRules, HeldPair, exit_reason

RULES = ExitRules(
    apr_percent_min=10, hold_ms_min=3_600_000, hold_ms_max=36_000_000, divergence_bps_max=50, liquidation_distance_min=0.1
)
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("held_ms", "carry", "against", "distance", "said"),
    [
        (2 * HOUR, 1e-4, 0.0, 0.5, ""),
        (2 * HOUR, None, None, None, ""),
        (10 * HOUR, None, None, None, "held for 10.0 h"),
        (1, -1e-9, 0.0, 0.5, "funding flipped"),
        (1, 1e-6, 0.0, 0.5, ""),
        (2 * HOUR, 1e-6, 0.0, 0.5, "carry fell to 0.88 % a year"),
        (1, 1e-4, 51.0, 0.5, "prices moved 51 bps against the pair"),
        (1, 1e-4, -500.0, 0.5, ""),
        (1, 1e-4, 0.0, 0.09, "liquidation is only 9.0% away"),
    ],
)
def test_reasons(held_ms: int, carry: float | None, against: float | None, distance: float | None, said: str) -> None:
    assert exit_reason(RULES, HeldPair(held_ms, carry, against, distance)) == said
