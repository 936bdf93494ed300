"""The signature vectors of the venue sheet (section 6d), byte for byte. The key is a throw-away made of 0x11 bytes."""

import msgspec
import pytest

from exchange_clients.hyperliquid.signing import Signer, action_hash, agent_digest, approve_agent_digest, recover_address

THROW_AWAY_KEY = "11" * 32
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
NONCE = 1_700_000_000_000
ORDER = {
    "type": "order",
    "orders": [
        {
            "a": 4,
            "b": True,
            "p": "1670.1",
            "s": "0.0147",
            "r": False,
            "t": {"limit": {"tif": "Alo"}},
            "c": "0x00000000000000000000000000000001",
        }
    ],
    "grouping": "na",
}
CANCEL = {"type": "cancel", "cancels": [{"a": 4, "o": 123456789}]}
LEVERAGE = {"type": "updateLeverage", "asset": 4, "isCross": True, "leverage": 5}

CASES = [
    # action, mainnet, vault, expires after, action hash, r, s, v
    (
        ORDER, True, None, None,
        "4d8915953b28db0893d298b49f3d5d124387879127cdc63fc9d8686120629ff0",
        "0x5dfffcc7dc82b01cdc867e8004e1153d4a116e21b81292e2fb294977c5033dc6",
        "0x447b82dc65c60b586afd9b132e0949f7bd47cb05476aa7472e705929599d866d", 27,
    ),
    (
        ORDER, False, None, None,
        "4d8915953b28db0893d298b49f3d5d124387879127cdc63fc9d8686120629ff0",
        "0x1d682ed1abf9996393cf3121536f461af06049315930603dae459998e7a11e8c",
        "0x7d04c7f53177ab258385d718fd0f7cc726abbf0b8a66862ff43cfc1b408e729c", 27,
    ),
    (
        ORDER, False, VAULT, None,
        "0dc8a44a0ffac7466062c6bd07352bc5591f1463a691e3e1d2aeac6c5483312e",
        "0x2d7854b1b6a99dcce697ed60fddc7db2c0f1347d41853b68ebf6316b495d8f7",
        "0x73647046a0d605637db4c9b1b4a37b122ba2e26f0977a0ead19cabf93eb070b2", 27,
    ),
    (
        ORDER, True, None, 1_700_000_060_000,
        "a5f0ff9934d55f623f98e3ef1f7ea819e8844f3bfc77af9c0322d1912d7ee899",
        "0xf4091e20ee316d88e005944e2ffb17e1667938f6870ef10cc3731a3cab9a479d",
        "0x85f6425f68f2f9c298ddc78c38423a118d1a4f1bf3a998fdd9e869563242374", 28,
    ),
    (
        CANCEL, True, None, None,
        "28850c8105e7d927147b1aeac52b9d3a899034f7bb96797878bcf893e971b410",
        "0xd8911fc308782737c045e42f96364667230f33af1cb5a76d45a61f51f78fcdc6",
        "0x1da9558022482ac58e4607393e11b8dcb9d90d8c19d5dc77eeb1a7fae8223eef", 28,
    ),
    (
        LEVERAGE, True, None, None, None,
        "0xd71ccc7feb3e02e0a389f585aa6581ccc30a33863182b448fee033aa8fca4cd9",
        "0x41b770d701c2f87827a88c05a41abd14870c5f711677631bbfca5e35e24fc728", 28,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("action", "mainnet", "vault", "expires", "digest", "r", "s", "v"), CASES)
def test_l1_action(action, mainnet, vault, expires, digest, r, s, v) -> None:
    signer = Signer(THROW_AWAY_KEY)
    connection_id = action_hash(action, NONCE, vault, expires)
    if digest is not None:
        assert connection_id.hex() == digest
    assert signer.sign_action(action, NONCE, mainnet, vault, expires) == {"r": r, "s": s, "v": v}
    assert recover_address(agent_digest(connection_id, mainnet), r, s, v) == signer.address


def test_the_key_has_the_sheets_address() -> None:
    assert Signer("0x" + THROW_AWAY_KEY).address == "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"


def test_msgpack_of_the_order() -> None:
    assert msgspec.msgpack.encode(ORDER).hex() == (
        "83a474797065a56f72646572a66f72646572739187a16104a162c3a170a6313637302e31a173a6302e30313437a172c2a17481a56c696d697481"
        "a3746966a3416c6fa163d92230783030303030303030303030303030303030303030303030303030303030303031a867726f7570696e67a26e61"
    )


def test_user_signed_approve_agent() -> None:
    signature = Signer(THROW_AWAY_KEY).sign(approve_agent_digest(VAULT, "bot", NONCE, mainnet=True))
    assert signature == {
        "r": "0xcdfeef68681508fc3cb9940ab1c1b1fdd0cf4e6e7cd5f052af78ac2a706c5fb",
        "s": "0x43eed989c94ac75b9d2922634677b0eedc319523a6550e0001cecd7c8006a9f3",
        "v": 28,
    }


@pytest.mark.parametrize(("r", "s", "v"), [("0x0", "0x0", 27), ("0x1", "0x1", 99), ("zz", "0x1", 27)])
def test_nonsense_is_not_a_signature(r, s, v) -> None:
    with pytest.raises(ValueError):
        recover_address(bytes(32), r, s, v)


def test_a_changed_byte_recovers_a_stranger() -> None:
    signer = Signer(THROW_AWAY_KEY)
    signature = signer.sign(agent_digest(action_hash(ORDER, NONCE), True))
    assert recover_address(agent_digest(action_hash(ORDER, NONCE + 1), True), **signature) != signer.address


@pytest.mark.parametrize("key", ["", "11" * 31, "xyz"])
def test_a_malformed_key_is_refused(key) -> None:
    with pytest.raises(ValueError):
        Signer(key)
