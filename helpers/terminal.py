"""What a person sees of a bot: one line per thing that happens, tables for rankings and ledgers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from exchange_clients.domain.funding import HOURS_PER_YEAR
from exchange_clients.trading.ledger import LegStatement
from exchange_clients.trading.progress import (
    FundingReceived,
    LedgerFinal,
    LegFilled,
    Notice,
    PairClosing,
    PairOpening,
    Progress,
    Ranking,
    VenueUp,
)

RANKED_SHOWN_MAX = 8
COLUMNS_WITHOUT_TERMINAL = 132


def console() -> Console:
    """Standard output; wide enough for a ledger when nobody says how wide it is."""
    found = Console()
    return found if found.is_terminal else Console(width=COLUMNS_WITHOUT_TERMINAL)


class Terminal:
    """Writes progress. `stamp()` gives the text that opens each line, such as the market's time."""

    def __init__(self, console: Console, stamp: Callable[[], str]) -> None:
        self._console = console
        self._stamp = stamp
        self._ranking_shown = False

    def say(self, text: str, style: str = "") -> None:
        """One line."""
        self._console.print(f"[dim]{self._stamp()}[/dim] {text}", style=style or None, highlight=False, soft_wrap=True)

    def show(self, progress: Progress) -> None:
        """One thing that a bot reports."""
        match progress:
            case VenueUp(venue=venue, instruments=count, wallet=wallet):
                self.say(f"{venue}: {count} instruments, wallet {wallet.normalize():f}")
            case Ranking() if progress.candidates and not self._ranking_shown:
                self._ranking_shown = True
                self._show_ranking(progress)
            case PairOpening(plan=plan, shrunk_because=why):
                shrunk = f" (smaller than asked: {why})" if why else ""
                self.say(
                    f"opening {plan.symbol}: long {plan.long.venue}, short {plan.short.venue}, "
                    f"{plan.notional_usd:.2f} USD a leg at leverage {plan.leverage}{shrunk}",
                    "bold",
                )
            case LegFilled(purpose=purpose, fill=fill):
                why = purpose.value if purpose is not None else "unexplained"
                self.say(
                    f"{why}: {fill.side.value} {fill.size.normalize():f} {fill.symbol} on {fill.venue} at "
                    f"{fill.price.normalize():f}, fee {fill.fee.normalize():f}"
                )
            case FundingReceived(payment=payment, total=total):
                word = "received" if payment.amount >= 0 else "paid"
                self.say(
                    f"funding {word} on {payment.venue} {payment.symbol}: {payment.amount.normalize():+f} "
                    f"(pair so far {total.normalize():+f})",
                    "green" if payment.amount >= 0 else "",
                )
            case PairClosing(reason=reason):
                self.say(f"both legs are flat ({reason}); settling the ledger", "bold")
            case LedgerFinal():
                self._show_ledger(progress)
            case Notice(level=level, text=text):
                self.say(text, "yellow" if level == "warning" else "dim")

    def _show_ranking(self, ranking: Ranking) -> None:
        table = Table(title="opportunities, best first", title_justify="left")
        for heading in ("asset", "long", "short"):
            table.add_column(heading)
        for heading in ("carry, % a year", "net of costs, % a year", "breakeven, h"):
            table.add_column(heading, justify="right")
        for candidate in ranking.candidates[:RANKED_SHOWN_MAX]:
            carry = f"{candidate.carry_hourly * HOURS_PER_YEAR * 100:.2f}"
            figures = (carry, _figure(candidate.net_apr_percent, 2), _figure(candidate.breakeven_hours, 1))
            table.add_row(candidate.symbol, candidate.long_venue, candidate.short_venue, *figures)
        self._console.print(table)

    def _show_ledger(self, ledger: LedgerFinal) -> None:
        statement = ledger.statement
        table = Table(title=f"ledger of {ledger.plan.symbol}, closed because: {ledger.reason}", title_justify="left")
        for heading in ("leg", "venue"):
            table.add_column(heading)
        for heading in ("price", "funding", "fees", "net", "of which slippage", "wallet − ledger"):
            table.add_column(heading, justify="right", overflow="fold")
        for name, leg in (("long", statement.long), ("short", statement.short)):
            difference = ledger.differences.get(leg.venue)
            table.add_row(name, leg.venue, *_money(leg), _exact(difference))
        total = (statement.price, statement.funding, -statement.fees, statement.net)
        slippage = None if statement.slippage is None else -statement.slippage
        table.add_section()
        table.add_row("pair", "", *map(_exact, total), _exact(slippage), "0" if ledger.adds_up else "unexplained")
        self._console.print(table)


def _money(leg: LegStatement) -> list[str]:
    slippage = None if leg.slippage is None else -leg.slippage
    return [_exact(amount) for amount in (leg.price, leg.funding, -leg.fees, leg.net, slippage)]


def _exact(amount: Decimal | None) -> str:
    return "unknown" if amount is None else "0" if amount == 0 else f"{amount.normalize():+f}"


def _figure(number: float | None, digits: int) -> str:
    return "unknown" if number is None else f"{number:.{digits}f}"
