"""What somebody asks of the ranking."""

from __future__ import annotations

import msgspec

from funding_rate_service.models.opportunities import FeeRole, SortField


class OpportunityQuery(msgspec.Struct, frozen=True):
    """Filters, horizon and order. Venues and symbol under their own names; None or empty means no such filter.

    `dex`, `required_dex`: on one side. `dex_pair`: exactly these two. `dexes`: at least one side. `whitelist_dexes`: both sides.
    `exclude_dexes`: neither side. `min_divergence`: 8-hour fraction. `min_profit`: fraction over the horizon. Volumes and open
    interest in USD, of the smaller leg (`max_oi` of the required venue's leg where one is given). `max_spread_bps`: of both
    legs on average. A filter on a figure that is unknown is not passed. `max_age_ms` replaces the service's own limit.
    """

    symbol: str | None = None
    dex: str | None = None
    dex_pair: tuple[str, ...] = ()
    dexes: tuple[str, ...] = ()
    whitelist_dexes: tuple[str, ...] = ()
    exclude_dexes: tuple[str, ...] = ()
    required_dex: str | None = None
    min_divergence: float = 0.0001
    min_profit: float | None = 0.0
    min_volume: float | None = None
    max_volume: float | None = None
    min_oi: float | None = None
    max_oi: float | None = None
    oi_ratio_min: float | None = None
    oi_ratio_max: float | None = None
    max_spread_bps: float | None = None
    min_net_apr: float | None = None
    max_breakeven_hours: float | None = None
    max_age_ms: int | None = None
    horizon_hours: float = 168.0
    size_usd: float = 1000.0
    fee_role: FeeRole = FeeRole.TAKER
    limit: int = 10
    offset: int = 0
    sort_by: SortField = SortField.NET_PROFIT_PERCENT
    sort_desc: bool = True

    def passes_dexes(self, first: str, second: str) -> bool:
        """Whether a pair of these venues, in any order, is asked for."""
        pair = {first, second}
        return (
            (self.dex is None or self.dex in pair)
            and (self.required_dex is None or self.required_dex in pair)
            and (not self.dex_pair or pair == set(self.dex_pair))
            and (not self.dexes or bool(pair & set(self.dexes)))
            and (not self.whitelist_dexes or pair <= set(self.whitelist_dexes))
            and not pair & set(self.exclude_dexes)
        )
