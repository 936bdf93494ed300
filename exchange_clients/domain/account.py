"""What we own on a venue. Money is Decimal."""

from decimal import Decimal

import msgspec

from exchange_clients.domain.numbers import require_finite


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """An open position. `size` is signed (negative = short), in venue units; money in settlement currency.

    Fields are None where the venue leaves them out; a flat market has no Position at all. `unrealised_funding`: funding that has
    accrued and is not booked yet, positive = to be received; it is part of `unrealised_pnl` already.
    """

    venue: str
    symbol: str
    size: Decimal
    entry_price: Decimal | None
    unrealised_pnl: Decimal | None
    liquidation_price: Decimal | None
    leverage: Decimal | None
    updated_ms: int
    unrealised_funding: Decimal | None = None

    def __post_init__(self) -> None:
        require_finite(self, self.size, self.entry_price, self.unrealised_pnl, self.liquidation_price, self.leverage)
        require_finite(self, self.unrealised_funding)


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Settlement currency of one account.

    `wallet`: cash after everything realised (deposits, realised PnL, fees, funding). `equity`: wallet plus unrealised PnL.
    `available`: free for new positions.
    """

    venue: str
    asset: str
    wallet: Decimal
    equity: Decimal
    available: Decimal
    updated_ms: int

    def __post_init__(self) -> None:
        require_finite(self, self.wallet, self.equity, self.available)


class FeeRates(msgspec.Struct, frozen=True, kw_only=True):
    """Fees of an account as fractions of notional; negative = rebate."""

    maker: Decimal
    taker: Decimal

    def __post_init__(self) -> None:
        require_finite(self, self.maker, self.taker)
