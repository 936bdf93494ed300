"""What a probe found: a table for people, and a file that makes a good issue. Neither holds a value of the venue or of an account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import msgspec

from exchange_clients import registry
from exchange_clients.engine.endpoint import Channel, Endpoint, Meter, Retry, SequenceRule
from exchange_clients.probe.drift import Drift, DriftKind, compare
from exchange_clients.probe.fields import Kinds
from exchange_clients.probe.walk import Step, Walk, Watched
from exchange_clients.probe.watcher import Row, Watcher, row_of

REPORT_VERSION = 1
CLOCKS_APART_MS = 500
"""Clocks that are certainly further apart than this are worth a line of their own: venues refuse orders for it."""


class CallReport(msgspec.Struct, frozen=True):
    """One endpoint. `asked`: "", or why it was not. Round trips in milliseconds."""

    name: str
    asked: int
    why_not: str
    statuses: dict[str, int]
    round_trip_ms: float | None
    round_trip_ms_max: float | None
    fields: int
    unreadable: dict[str, int]


class ChannelReport(msgspec.Struct, frozen=True):
    """One channel. `gap_ms`: median time between two frames."""

    name: str
    frames: int
    why_not: str
    rule: str
    gap_ms: float | None
    gap_ms_max: float | None
    bytes_per_frame: float | None
    unreadable: dict[str, int]


class BudgetReport(msgspec.Struct, frozen=True):
    """One meter: what this probe spent of it within its window, by our own count."""

    name: str
    capacity: float
    window_s: float
    spent: float
    left: float


class Report(msgspec.Struct, frozen=True):
    """Everything, as it is written to the file. `behind_ms`: by how much this clock is behind the venue's, at least and at most."""

    venue: str
    environment: str
    market: str
    began: str
    seconds: float
    version: int
    behind_ms: tuple[float, float] | None
    age_ms: float | None
    calls: list[CallReport]
    channels: list[ChannelReport]
    steps: list[Step]
    streams: list[Watched]
    budgets: list[BudgetReport]
    headers: dict[str, str]
    drift: list[Drift]

    @property
    def findings(self) -> list[str]:
        """What a maintainer should hear of, in words; empty when the venue is as it is known."""
        found = [f"{drift.row}: {drift.kind.value} {drift.path or '(the whole)'}: {drift.detail}" for drift in self.drift]
        for call in self.calls:
            found += [f"call {call.name}: {count} × could not be read: {why}" for why, count in call.unreadable.items()]
        for channel in self.channels:
            found += [f"stream {channel.name}: {count} × could not be read: {why}" for why, count in channel.unreadable.items()]
        found += [f"{step.verb}: {step.error}" for step in self.steps if step.error]
        for stream in self.streams:
            found += [f"{stream.verb}: {stream.error}"] if stream.error else []
            found += [f"{stream.verb}: lost: {reason}" for reason in stream.lost]
            found += [f"{stream.verb}: {stream.jumps} × an older state came after a newer one"] if stream.jumps else []
            found += [] if stream.confirmed_s is not None or stream.error else [f"{stream.verb}: was never confirmed"]
        if self.behind_ms is not None and (self.behind_ms[0] > CLOCKS_APART_MS or self.behind_ms[1] < -CLOCKS_APART_MS):
            found.append(f"clocks: {_clock_words(self.behind_ms)}; set this machine's clock")
        return found


def report(
    venue: str,
    environment: str,
    began: str,
    seconds: float,
    walk: Walk,
    watcher: Watcher,
    documented: dict[str, Kinds],
    with_account: bool,
) -> Report:
    """Put together what `walk` did and `watcher` saw."""
    endpoints, channels = registry.rows(venue)
    drift: list[Drift] = []
    shapes = {row_of(endpoint): endpoint.shape for endpoint in endpoints} | {
        row_of(channel): channel.shape for channel in channels
    }
    for name, shape in shapes.items():
        seen = watcher.rows.get(name)
        if seen is not None and seen.fields.kinds:
            drift += compare(name, shape, seen.fields.kinds, documented.get(name, {}))
    ages = [age for stream in walk.streams for age in stream.ages_ms]
    return Report(
        venue=venue,
        environment=environment,
        market="" if walk.market is None else walk.market.venue_symbol,
        began=began,
        seconds=seconds,
        version=REPORT_VERSION,
        behind_ms=watcher.behind_ms if watcher.dates else None,
        age_ms=median(ages) if ages else None,
        calls=[_call(endpoint, watcher.rows.get(row_of(endpoint)), with_account) for endpoint in endpoints],
        channels=[_channel(channel, watcher.rows.get(row_of(channel)), with_account) for channel in channels],
        steps=walk.steps,
        streams=[msgspec.structs.replace(stream, ages_ms=[]) for stream in walk.streams],
        budgets=_budgets(endpoints, watcher),
        headers=watcher.headers,
        drift=drift,
    )


def _call(endpoint: Endpoint, row: Row | None, with_account: bool) -> CallReport:
    if row is None:
        act = endpoint.retry is Retry.ACT
        why = "it acts" if act else "it needs an account" if endpoint.private and not with_account else "no verb needed it"
        return CallReport(endpoint.name, 0, why, {}, None, None, 0, {})
    times = row.round_trips_s
    return CallReport(
        endpoint.name,
        len(times),
        "",
        {str(status): count for status, count in sorted(row.statuses.items())},
        round(median(times) * 1000, 1),
        round(max(times) * 1000, 1),
        len(row.fields.kinds),
        dict(row.unreadable),
    )


def _channel(channel: Channel, row: Row | None, with_account: bool) -> ChannelReport:
    if row is None:
        why = "no frame came" if with_account or not channel.private else "it needs an account"
        return ChannelReport(channel.name, 0, why, channel.sequence.value, None, None, None, {})
    gaps = [later - earlier for earlier, later in zip(row.at, row.at[1:], strict=False)]
    return ChannelReport(
        channel.name,
        len(row.at),
        "",
        channel.sequence.value,
        round(median(gaps) * 1000, 1) if gaps else None,
        round(max(gaps) * 1000, 1) if gaps else None,
        round(row.bytes / len(row.at), 1),
        dict(row.unreadable),
    )


def _budgets(endpoints: Sequence[Endpoint], watcher: Watcher) -> list[BudgetReport]:
    meters: dict[str, Meter] = {}
    for endpoint in endpoints:
        for meter in (endpoint.meter, *(meter for meter, _ in endpoint.also)):
            meters[meter.name] = meter
    found = []
    for name, meter in meters.items():
        uses = watcher.spent.get(name, [])
        most = max((sum(w for at, w in uses if end - meter.window_s < at <= end) for end, _ in uses), default=0.0)
        found.append(BudgetReport(name, meter.capacity, meter.window_s, most, meter.capacity - most))
    return found


# For people


def table(found: Report) -> str:
    """The report as text, 100 columns wide at most where names allow it."""
    lines = [f"{found.venue} {found.environment}, {found.market or 'no market'}, {found.began}, {found.seconds:g} s"]
    if found.behind_ms is not None:
        lines.append(f"clocks: {_clock_words(found.behind_ms)}")
    if found.age_ms is not None:
        lines.append(f"states are {found.age_ms:.0f} ms old when they arrive, by this clock (median)")
    lines += ["", *_columns(("call", "asked", "status", "ms", "ms max", "fields"), _call_cells(found.calls))]
    lines += ["", *_columns(("channel", "frames", "ms apart", "most", "bytes", "rule"), _channel_cells(found))]
    lines += ["", *_columns(("budget", "of", "spent at most", "left"), [
        (budget.name, f"{budget.capacity:g} per {budget.window_s:g} s", f"{budget.spent:g}", f"{budget.left:g}")
        for budget in found.budgets
    ])]  # fmt: skip
    lines += [f"the venue says: {name}: {value}" for name, value in found.headers.items()]
    findings = found.findings
    lines += ["", *([f"! {finding}" for finding in findings] or ["nothing has changed: every field is as it is known"])]
    return "\n".join(lines) + "\n"


def _call_cells(calls: Iterable[CallReport]) -> list[tuple[str, ...]]:
    return [
        (call.name, (call.why_not and f"– {call.why_not}") or str(call.asked), " ".join(f"{c}×{s}" for s, c in call.statuses.items()),
         _number(call.round_trip_ms), _number(call.round_trip_ms_max), str(call.fields or ""))
        for call in calls
    ]  # fmt: skip


def _channel_cells(found: Report) -> list[tuple[str, ...]]:
    lost = sum(len(stream.lost) for stream in found.streams)
    cells: list[tuple[str, ...]] = []
    for channel in found.channels:
        rule = channel.rule
        if channel.frames and channel.rule not in (SequenceRule.NONE.value, SequenceRule.SNAPSHOT.value):
            rule += ": kept" if not lost else f": streams were lost {lost} ×"
        cells.append((
            channel.name, (channel.why_not and f"– {channel.why_not}") or str(channel.frames), _number(channel.gap_ms),
            _number(channel.gap_ms_max), _number(channel.bytes_per_frame), rule,
        ))  # fmt: skip
    return cells


def _columns(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    widths = [max(len(str(row[n])) for row in (heads, *rows)) for n in range(len(heads))]
    return [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)
    ]


def _clock_words(behind_ms: tuple[float, float]) -> str:
    low, high = behind_ms
    if low > 0:
        return f"this machine's is between {low:.0f} and {high:.0f} ms behind the venue's (Date headers)"
    if high < 0:
        return f"this machine's is between {-high:.0f} and {-low:.0f} ms ahead of the venue's (Date headers)"
    return f"no difference can be told: this machine's is at most {high:.0f} ms behind and {-low:.0f} ms ahead (Date headers)"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


__all__ = ["DriftKind", "Report", "report", "table"]
