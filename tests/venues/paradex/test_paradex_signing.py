"""Vectors of the venue sheet, section 6. Hashes are equal to the vendor's; r and s are this library's own, and either verifies."""

from decimal import Decimal

import pytest

from exchange_clients.domain.side import Side
from exchange_clients.keys.stark import CURVE_ORDER, Signer, account_address, is_public_key, is_signed_by, short_string
from exchange_clients.paradex.signing import Messages, domain_hash

KEY = "0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcde"
PUBLIC = "0x2a8249e10df5670294c078c3a04f32ed60087e5ee8a3457fa29ed0c0e366bfc"
ACCOUNT = "0x7a3f2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3"
TESTNET, MAINNET = "PRIVATE_SN_POTC_SEPOLIA", "PRIVATE_SN_PARACLEAR_MAINNET"
MESSAGES = Messages(TESTNET, ACCOUNT)
LIMIT = (1700000000000, "BTC-USD-PERP", Side.BUY, "LIMIT", Decimal("0.1"), Decimal(30000))
MARKET = (1700000000000, "BTC-USD-PERP", Side.SELL, "MARKET", Decimal("0.1"), Decimal(0))
VECTORS = {
    "onboarding": (
        MESSAGES.onboarding(),
        0x46AF76EA8AAE60A24862B93AFA9173BBB9BBDE3915B879FBE2E9F53EC15FE21,
        "2171497244846405920779727524661679749944601621646413049449244525278507037386",
        "2220271981327706851354710088006759065491779775389778960167761176760752509667",
    ),
    "auth": (
        MESSAGES.auth(1700000000, 1700086400),
        0x593319B3BC6ADFF030A518BAD4F27C495ACB629095A63437B69BA15ED6F1049,
        "929369203834589434322599548400635220281221729217304614510672098117675474620",
        "2562848593884915047032156473686156029125234775921312173593214459083266746795",
    ),
    "limit": (
        MESSAGES.order(*LIMIT),
        0x7E2F1D4C44A20792C5B4B1E9DE02B11B2EDC0E1C068AF7BC0F67E1ADAD64337,
        "745820371408811626580115361801024259928926742873871966648093819610728700898",
        "174980380721819754224717693458727483243949796465897766718929600736630903061",
    ),
    "market": (
        MESSAGES.order(*MARKET),
        0x7936234C5F72972AA81415210B78D036041293B36790D822417FE91D462E748,
        "661084584717492929000709288723226891700755158586883394878696496466165857520",
        "2451372487514799864948615582561106965084002107402644371673487022341142283853",
    ),
    "modify": (
        MESSAGES.modify(*LIMIT, "1681462103821101699438490000"),
        0x408D35140FB071C0C4B7E8A7F99D78DCEEE88E6D70B0B1E33DA9B75FE09D23B,
        "3246341552840990795539518750473107008489649889943338507855643526130532979485",
        "73267549713033336513785333794980822197285407117898098244525697488476196537",
    ),
}


def test_domains() -> None:
    assert domain_hash(TESTNET) == 0x38B9242CB46EB19FF458C80A8F0EDA7E8E26D8D6D54A63D9B5ED89750E39EF2
    assert domain_hash(MAINNET) == 0x6F74F207280B65CF663FB8D7763FAC1E7398CD6D7DA5D7681DC300EE4278A0A
    assert short_string(MAINNET) == 0x505249564154455F534E5F50415241434C4541525F4D41494E4E4554


@pytest.mark.parametrize("name", VECTORS)
def test_hash_and_signature_match_byte_for_byte(name: str) -> None:
    message, expected, r, s = VECTORS[name]
    assert message == expected
    assert Signer(KEY).sign(message) == f'["{r}","{s}"]'
    assert is_signed_by(PUBLIC, message, f'["{r}","{s}"]')
    assert not is_signed_by(PUBLIC, message + 1, f'["{r}","{s}"]')


def test_the_chain_is_part_of_what_is_signed() -> None:
    expected = 0x74E60ADC2DC6DD99BB39A4E40AE1DBC62BD9910B688C0835B5F051BB97F63E9
    assert Messages(MAINNET, ACCOUNT).order(*LIMIT) == expected


def test_the_vendors_signature_of_the_same_order_verifies() -> None:
    r = "416914749325708862913009253009209209667462701674732440201085217085342093179"
    s = "2585519200498098657051898380430128082185469946774698128023714174485106854302"
    assert is_signed_by(PUBLIC, VECTORS["limit"][1], f'["{r}","{s}"]')


def test_public_key_and_address() -> None:
    assert Signer(KEY).public_key == PUBLIC
    key = "0x543b6cf6c91817a87174aaea4fb370ac1c694e864d7740d728f8344d53e815"
    public = "0x2c144d2f2d4fc61b6f8967f3ba0012a87d90140bcfe5a3e92e8df83258c960f"
    proxy = "0x3530cc4759d78042f1b543bf797f5f3d647cde0388c33734cf91b7f7b9314a9"
    account = "0x41cb0280ebadaa75f996d8d92c6f265f6d040bb3ba442e5f86a554f1765244e"
    assert Signer(key).public_key == public
    assert account_address(public, proxy, account) == "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"


UNINVERTIBLE = pow(2**251 + 5, -1, CURVE_ORDER)  # its inverse is too large for the native code


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "junk",
        "null",
        "[1]",
        '["0","0"]',
        '["-1","1"]',
        f'["{2**256}","1"]',
        f'["1","{2**251}"]',
        f'["7","{UNINVERTIBLE}"]',
        '["1",null]',
    ],
)
def test_what_is_no_signature_is_refused_without_panic(signature: str) -> None:
    assert not is_signed_by(PUBLIC, VECTORS["limit"][1], signature)


def test_what_is_no_public_key_is_refused_without_panic() -> None:
    valid = Signer(KEY).sign(VECTORS["limit"][1])
    assert is_public_key(int(PUBLIC, 16)) and not is_public_key(5) and not is_public_key(0)
    assert not any(is_signed_by(key, VECTORS["limit"][1], valid) for key in ("0x5", "0x0", "0x7", "key"))


@pytest.mark.parametrize("key", ["key", "0x0", hex(2**252)])
def test_what_is_no_private_key_raises(key: str) -> None:
    with pytest.raises(ValueError):
        Signer(key)


def test_a_signature_may_be_written_in_hexadecimal() -> None:
    """ccxt writes r and s so; the numbers are the same."""
    message, _, r, s = VECTORS["auth"]
    assert is_signed_by(PUBLIC, message, f'["{hex(int(r))}","{hex(int(s))}"]')
    assert not is_signed_by(PUBLIC, message + 1, f'["{hex(int(r))}","{hex(int(s))}"]')
    assert not is_signed_by(PUBLIC, message, f"[{r},{s}]"), "numbers are not texts"
