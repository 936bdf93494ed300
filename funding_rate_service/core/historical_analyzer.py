"""What the past of a series says about its future: statistics, persistence, and a band for what a position will earn."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

STEPS_MIN = 48
"""Pairs of consecutive hours below which nothing is estimated: two days."""

_Z_80 = 1.2815515655446004
"""Standard normal quantile of 0.9: 80 % lie within this many deviations of the mean."""


class Statistics(msgspec.Struct, frozen=True):
    """Of the known samples of a series; `volatility` is their standard deviation (n − 1), None for a single one."""

    count: int
    average: float
    median: float
    minimum: float
    maximum: float
    percentile_25: float
    percentile_75: float
    volatility: float | None


class Outlook(msgspec.Struct, frozen=True):
    """What history says of a carry. `sum_low`, `sum_high`: 80 % band of its sum over the horizon, in the unit of the samples.

    `samples`: known hours it rests on. What is None is explained by `note`.
    """

    half_life_hours: float | None
    sum_low: float | None
    sum_high: float | None
    samples: int
    note: str


def describe(samples: NDArray[np.float64]) -> Statistics | None:
    """Statistics of the samples that are not NaN; None when there are none."""
    known = samples[~np.isnan(samples)]
    if known.size == 0:
        return None
    low, middle, high = np.percentile(known, (25, 50, 75))
    return Statistics(
        count=int(known.size),
        average=float(known.mean()),
        median=float(middle),
        minimum=float(known.min()),
        maximum=float(known.max()),
        percentile_25=float(low),
        percentile_75=float(high),
        volatility=float(known.std(ddof=1)) if known.size > 1 else None,
    )


def outlook(samples: NDArray[np.float64], current: float, horizon_hours: float) -> Outlook:
    """Fit x(t+1) = m + φ (x(t) − m) + e to hourly samples (NaN = unknown) and look `horizon_hours` ahead from `current`.

    Half life is ln ½ / ln φ. The band is mean ± 1.28 deviations of the sum of the next hours under the fitted process; the
    uncertainty of the fit itself is left out, so short histories look surer than they are.
    """
    known = int(np.count_nonzero(~np.isnan(samples)))
    before, after = samples[:-1], samples[1:]
    both = ~(np.isnan(before) | np.isnan(after))
    before, after = before[both], after[both]
    if before.size < STEPS_MIN:
        return Outlook(None, None, None, known, f"{before.size} consecutive hours are known, {STEPS_MIN} are needed")
    spread = float(((before - before.mean()) ** 2).sum())
    if math.sqrt(spread / before.size) <= 1e-12:
        steady = float(before.mean()) * horizon_hours
        return Outlook(None, steady, steady, known, "the carry did not vary, so it has no half life")
    persistence = float(((before - before.mean()) * (after - after.mean())).sum()) / spread
    if persistence >= 1.0:
        return Outlook(None, None, None, known, "the carry wandered without returning to a mean")
    constant = float(after.mean()) - persistence * float(before.mean())
    noise = after - constant - persistence * before
    deviation = math.sqrt(float((noise**2).sum()) / max(1, before.size - 2))
    low, high = _band(constant / (1 - persistence), persistence, deviation, current, horizon_hours)
    if persistence <= 0.0:
        return Outlook(None, low, high, known, "deviations do not outlast an hour, so they have no half life")
    return Outlook(math.log(0.5) / math.log(persistence), low, high, known, "")


def _band(mean: float, persistence: float, deviation: float, current: float, horizon_hours: float) -> tuple[float, float]:
    """80 % band of the sum of an AR(1) process over the next `horizon_hours`, starting from `current`."""
    steps = np.arange(1, max(1, round(horizon_hours)) + 1)
    scale = horizon_hours / steps.size
    expected = mean * horizon_hours + scale * (current - mean) * float((persistence**steps).sum())
    weights = (1 - persistence**steps) / (1 - persistence)  # how much a shock `k` hours before the end adds to the sum
    width = _Z_80 * scale * deviation * math.sqrt(float((weights**2).sum()))
    return expected - width, expected + width
