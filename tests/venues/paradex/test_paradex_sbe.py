"""Public channels as binary frames: the schema's layout byte by byte, and what a reader makes of frames that are none.

Source of the layout: tradeparadex/paradex-py, sbe/paradex_1_0.xml. Others recorded the bare `deltas` channel of the public socket so on
2026-10-08: a snapshot of the whole book, then changes numbered without gaps, some of them empty.
"""

from struct import Struct, pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.engine.guarded import UNREADABLE_DATA
from exchange_clients.paradex import common, wire
from exchange_clients.paradex.dialect import ParadexBooks
from tests.venues.paradex.test_paradex_sandbox import BTC, Set, on, socket

__all__ = ["on"]  # the fixture

NULL = -(2**63)


def book(*, entry: int = 16, block: int = 89, kind: int = 1) -> bytes:
    """Seq 14127816 at 1718267837300 ms: one bid of 0.4 at 67629.8, one ask at 69378.6 gone. Written by hand, not by our encoder."""
    root = pack("<qqB", 1_718_267_837_300_000, 14_127_816, kind) + pack("<9q", *[NULL] * 9)
    root += bytes(block - len(root))
    level = Struct(f"<qq{entry - 16}x")
    bids = pack("<HH", entry, 1) + level.pack(6_762_980_000_000, 40_000_000)
    asks = pack("<HH", entry, 1) + level.pack(6_937_860_000_000, 0)
    return pack("<HHHH", block, 3, 1, 1) + root + bids + asks + bytes([12]) + b"BTC-USD-PERP"


@pytest.mark.parametrize(("entry", "block"), [(16, 89), (24, 89), (16, 97)])
def test_a_book_is_read_by_the_lengths_that_it_states(entry: int, block: int) -> None:
    frame = book(entry=entry, block=block)
    assert wire.book_market(frame) == b"BTC-USD-PERP"
    change = wire.to_book_change(frame)
    assert (change.seq_no, change.time_ms, change.is_whole) == (14_127_816, 1_718_267_837_300, False)
    assert [number / wire.SBE_UNIT for number in change.bids] == [67629.8, 0.4]
    assert (change.market, change.asks) == (b"BTC-USD-PERP", (6_937_860_000_000, 0))


def test_a_side_without_rows_is_empty_whatever_length_it_states() -> None:
    frame = book()
    group = pack("<HH", 16, 1)
    at = frame.index(group)
    for length in (0, 16, 24):
        empty = frame[:at] + pack("<HH", length, 0) + frame[at + 20 :]
        change = wire.to_book_change(empty)
        assert (change.bids, change.asks, change.market) == ((), (6_937_860_000_000, 0), b"BTC-USD-PERP")


@pytest.mark.parametrize(
    "odd", [book(block=89).replace(pack("<HH", 16, 1), pack("<HH", 8, 2)), pack("<HHHH", 16, 3, 1, 1) + bytes(40)]
)
def test_rows_or_fields_that_are_too_short_are_unreadable(odd: bytes) -> None:
    with pytest.raises(UNREADABLE_DATA):
        wire.to_book_change(odd)


def test_a_frame_is_read_once_for_its_market_and_its_change() -> None:
    dialect, frame = ParadexBooks("paradex"), book()
    decode = dialect.decoder(common.BOOK_CHANNEL)
    assert dialect.token(frame) == b"BTC-USD-PERP"
    assert decode(frame) is decode(frame)
    other = book(kind=0)
    assert decode(other).is_whole, "a frame that no market was asked of is read then"
    assert not decode(frame).is_whole
    short = frame.replace(pack("<HH", 16, 1), pack("<HH", 8, 2))
    assert dialect.token(short) == b"BTC-USD-PERP", "who reads the market hears that it can't be read"
    with pytest.raises(UNREADABLE_DATA):
        decode(short)
    assert dialect.token(b'{"jsonrpc":"2.0","result":{},"id":1}') == b""


def test_a_whole_book_says_so() -> None:
    assert wire.to_book_change(book(kind=0)).is_whole


@pytest.mark.parametrize(
    "frame", [b"", b"{}", b"\x00" * 7, pack("<HHHH", 48, 2, 1, 1) + bytes(48), pack("<HHHH", 16, 40, 1, 1) + bytes(16)]
)
def test_other_frames_belong_to_no_book(frame: bytes) -> None:
    assert wire.book_market(frame) == b""


@given(st.binary(max_size=200), st.integers(0, 130))
def test_whatever_comes_is_a_book_or_unreadable(noise: bytes, cut: int) -> None:
    whole = book()
    for frame in (noise, whole[:cut], whole[:cut] + noise, pack("<HHHH", 89, 3, 1, 1) + noise):
        wire.book_market(frame)
        try:
            change = wire.to_book_change(frame)
            assert all(len(side) % 2 == 0 and set(map(type, side)) <= {int} for side in (change.bids, change.asks))
            assert change.market == wire.book_market(frame)
        except UNREADABLE_DATA:
            pass


async def test_public_channels_are_refused_on_a_socket_without_sbe(on: Set) -> None:
    """Docs: binary-encoding-sbe, required for public channels as of 21 September 2026."""
    _, say, _ = socket(on)
    assert "SBE" in say("subscribe", channel=f"order_book.{BTC}.deltas")["error"]["data"]
    frames, say, _ = socket(on, wire.SBE_QUERY)
    assert say("subscribe", channel=f"order_book.{BTC}.deltas")["result"] == {"channel": f"order_book.{BTC}.deltas"}
    assert wire.book_market(frames[-1]) == BTC.encode() and wire.to_book_change(frames[-1]).is_whole
    frames, _, _ = socket(on, "sbeSchemaId=2&sbeSchemaVersion=1")
    assert "HTTP 400" in frames[-1]
