"""Signatures of Pacifica against the published vectors, byte for byte."""

import json

import pytest

from exchange_clients.pacifica.signing import Signer, is_signed_by, signed_text

SEED = bytes(range(1, 33))
SECRET = "2Ana1pUpv2ZbMVkwF5FXapYeBEjdxDatLn7nvJkhgTSdZd8hbDHTd21as7EAsg7ypityqfsw2pMQKJcVDVcAEsd"
ADDRESS = "9C6hybhQ6Aycep9jaUnP6uL9ZYvDjUp1aSkFWPUFJtpj"
ORDER = {
    "symbol": "BTC",
    "price": "100000",
    "amount": "0.1",
    "side": "bid",
    "tif": "ALO",
    "reduce_only": False,
    "client_order_id": "f47ac10b-58cc-4372-a567-0e02b2c3d479",
}
TEXT = (
    b'{"data":{"amount":"0.1","client_order_id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","price":"100000","reduce_only":false,'
    b'"side":"bid","symbol":"BTC","tif":"ALO"},"expiry_window":5000,"timestamp":1750000000000,"type":"create_order"}'
)
SIGNATURE = "3wZqDRJXawqAC2t3o3Nd21FntgNmYSdP9awUzBn5KzQnJhrRHsepUdtSjE7MWCLtuDVR2DjMQvFTBVdMskwzqaHq"


def test_the_key_grown_from_a_seed() -> None:
    signer = Signer.from_seed(SEED)
    assert (signer.address, signer.private_key) == (ADDRESS, SECRET)
    assert Signer(SECRET).address == ADDRESS


def test_an_order_is_signed_as_published() -> None:
    assert signed_text("create_order", 1_750_000_000_000, 5_000, ORDER) == TEXT
    assert Signer(SECRET).sign(TEXT) == SIGNATURE


def test_an_empty_payload() -> None:
    text = signed_text("list_api_keys", 1_750_000_000_000, 5_000, {})
    assert text == b'{"data":{},"expiry_window":5000,"timestamp":1750000000000,"type":"list_api_keys"}'
    expected = "33qKwoUWqLXkyYFhPjv3M7cNBeqg986ir6S7Nnm21sx4k2hewXr5scRmWYpvMsdHTWVLYzMJerP3mCEEBgJqzFyP"
    assert Signer(SECRET).sign(text) == expected


def test_keys_are_sorted_at_every_depth_and_lists_keep_their_order() -> None:
    text = signed_text("set_position_tpsl", 1, 2, {"z": {"b": "1", "a": "2"}, "l": ["b", "a"]})
    assert text == b'{"data":{"l":["b","a"],"z":{"a":"2","b":"1"}},"expiry_window":2,"timestamp":1,"type":"set_position_tpsl"}'


def test_every_recorded_vector(shared_dir) -> None:
    recorded = json.loads((shared_dir / "recorded" / "pacifica" / "signature_vectors.json").read_text())
    signer = Signer(recorded["secret_b58"])
    assert signer.address == recorded["account"] and len(recorded["vectors"]) == 5
    for vector in recorded["vectors"]:
        text = signed_text(vector["type"], vector["timestamp"], 5_000, vector["data"])
        assert signer.sign(text) == vector["signature"], vector["type"]
        assert is_signed_by(signer.address, text, vector["signature"])


@pytest.mark.parametrize(
    ("address", "text", "signature"),
    [
        (ADDRESS, TEXT.replace(b"100000", b"100001"), SIGNATURE),
        ("bNMBfVAEjgxhNruYTR2vSZ92UdVKP2pdZewEG7978Vt", TEXT, SIGNATURE),
        (ADDRESS, TEXT, SIGNATURE[:-1] + "r"),
        (ADDRESS, TEXT, "0OIl"),
        ("", TEXT, SIGNATURE),
    ],
    ids=["other text", "other key", "other signature", "not base58", "no key"],
)
def test_what_does_not_verify(address, text, signature) -> None:
    assert is_signed_by(ADDRESS, TEXT, SIGNATURE)
    assert not is_signed_by(address, text, signature)


@pytest.mark.parametrize("key", ["", "abc", "0OIl", ADDRESS, SECRET[:-1] + "e"])
def test_what_is_not_a_key(key) -> None:
    with pytest.raises(ValueError):
        Signer(key)
