"""What we own on a venue. Money is Decimal."""

from decimal import Decimal

import msgspec


class Position(msgspec.Struct, frozen=True):
    """An open position. `size` is signed (negative = short), in venue units; money in settlement currency.

    Fields are None where the venue leaves them out; a flat market has no Position at all.
    """

    venue: str
    symbol: str
    size: Decimal
    entry_price: Decimal | None
    unrealised_pnl: Decimal | None
    liquidation_price: Decimal | None
    leverage: Decimal | None
    updated_ms: int


class Balance(msgspec.Struct, frozen=True):
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


class FeeRates(msgspec.Struct, frozen=True):
    """Fees of an account as fractions of notional; negative = rebate."""

    maker: Decimal
    taker: Decimal
