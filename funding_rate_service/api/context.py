"""What every route starts from: the running service, one reading of the clock, and names made canonical."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from exchange_clients import registry
from funding_rate_service.api.problems import bad_value, unknown_dex, unknown_symbol
from funding_rate_service.board import Board
from funding_rate_service.core.market import DexFacts
from funding_rate_service.service import FundingService


class Context:
    """One request's view. `now` is read once, so that all ages in a reply agree."""

    def __init__(self, request: Request) -> None:
        self.service: FundingService = request.app.state.service
        self.now: datetime = self.service.clock.now()
        self.board: Board = self.service.board

    def dex(self, name: str) -> DexFacts:
        """The venue called `name`. Raises a 404 with the known names."""
        found = self.board.table.dex(name)
        if found is None:
            raise unknown_dex(name, self.board.table.dexes)
        return found

    def symbol(self, name: str) -> str:
        """The listed symbol that `name` means. Raises a 404 with close names."""
        found = self.board.table.symbol(name)
        if found is None:
            raise unknown_symbol(name, self.board.table.by_symbol)
        return found

    def dex_names(self, parameter: str, text: str | None) -> tuple[str, ...]:
        """Comma-separated venues. One that is not collected here matches nothing; one that does not exist is a 400."""
        known = sorted({*self.board.table.dexes, *registry.names()})
        names = tuple(part.strip().lower() for part in (text or "").split(",") if part.strip())
        for name in names:
            if name not in known:
                raise bad_value(parameter, name, known)
        return names

    def dex_pair(self, text: str | None) -> tuple[str, ...]:
        """Exactly two different venues, comma-separated; empty when not asked. Raises a 400 with the known names."""
        names = self.dex_names("dex_pair", text)
        if text is not None and len(set(names)) != 2:
            raise bad_value("dex_pair", text, (f"two different names of: {', '.join(self.board.table.dexes)}",))
        return names


Asked = Annotated[Context, Depends(Context)]
