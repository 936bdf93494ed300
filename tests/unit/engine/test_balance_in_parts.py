"""A balance whose wallet and worth come by two channels is told when both are known to belong together."""

from decimal import Decimal

from exchange_clients.domain import Balance
from exchange_clients.engine.account_stream import BalanceInParts


def balance(wallet: Decimal, equity: int, time_ms: int) -> Balance:
    worth = Decimal(equity)
    return Balance(venue="v", asset="USDC", wallet=wallet, equity=worth, available=worth, updated_ms=time_ms)


def test_nothing_is_told_before_it_was_read_whole() -> None:
    parts = BalanceInParts()
    assert parts.worth(lambda wallet: balance(wallet, 9, 1)) == ()
    assert parts.wallet(Decimal(8), 1) == ()


def test_a_new_worth_keeps_the_wallet_and_a_new_wallet_waits_for_its_worth() -> None:
    parts = BalanceInParts()
    parts.read(balance(Decimal(10), 10, 100))
    assert parts.worth(lambda wallet: balance(wallet, 12, 200)) == (balance(Decimal(10), 12, 200),)
    assert parts.wallet(Decimal(11), 250) == ()  # its account is still to come
    assert parts.worth(lambda wallet: balance(wallet, 13, 260)) == (balance(Decimal(11), 13, 260),)
    assert parts.wallet(Decimal(9), 255) == (balance(Decimal(9), 13, 260),)  # its account came before it
