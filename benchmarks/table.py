"""What a benchmark found, and how it is shown: always as ratios of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass
class Row:
    """One claim: CPU µs per operation of every contender, round by round.

    `ours` is the first contender; `limit` names the one that nothing can beat, or is None. `notes`: what the reader must know.
    """

    claim: str
    ours: str
    samples_us: dict[str, list[float]]
    limit: str | None = None
    notes: list[str] = field(default_factory=list)

    def median_us(self, contender: str) -> float:
        return median(self.samples_us[contender])

    @property
    def rounds(self) -> int:
        return len(self.samples_us[self.ours])


def show(console: Console, title: str, rows: list[Row]) -> None:
    """One table, a line per contender. `against ours`: its cost over ours, so 10 × means that ours is ten times cheaper."""
    table = Table(title=title, title_justify="left")
    for name in ("claim", "contender"):
        table.add_column(name, overflow="fold")
    for name in ("CPU µs", "spread", "against ours", "against limit", "rounds"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        ours, limit = row.median_us(row.ours), row.median_us(row.limit) if row.limit else None
        for place, contender in enumerate(row.samples_us):
            samples, mine = row.samples_us[contender], row.median_us(contender)
            table.add_row(
                row.claim if place == 0 else "",
                contender,
                f"{mine:,.2f}",
                f"±{(max(samples) - min(samples)) / 2 / mine:.0%}",
                "" if contender == row.ours else f"{mine / ours:,.2f} ×",
                "" if limit is None or contender == row.limit else f"{mine / limit:,.2f} ×",
                str(len(samples)),
            )
        table.add_section()
    console.print(table)
    for row in rows:
        for note in row.notes:
            console.print(f"{row.claim}: {note}", highlight=False)
