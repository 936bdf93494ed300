"""Frames as the venues send them, prepared before anything is timed and the same for every contender.

The n-th data frame of a feed carries the time EPOCH_MS + n, by which a reader knows how far it is.
Sources: Hyperliquid `l2Book` (20 levels a side), Paradex `order_book.<m>.deltas` (SBE) and `order_book.<m>.snapshot@15@100ms`.
"""

from __future__ import annotations

import struct
from random import Random

EPOCH_MS = 1_780_000_000_000
SEED = 11
HYPERLIQUID_LEVELS = 20
PARADEX_SNAPSHOT_LEVELS = 15
PARADEX_DEPTH = 100
PARADEX_MARKET = "BTC-USD-PERP"


def hyperliquid_books(count: int) -> list[bytes]:
    """`count` l2Book snapshots of 20 × 2 levels whose prices walk."""
    random = Random(SEED)
    mid, frames = 68_674, []
    for n in range(count):
        mid += random.choice((-2, -1, 0, 0, 1, 2))
        bids = ",".join(_hyperliquid_level(mid - i, random) for i in range(HYPERLIQUID_LEVELS))
        asks = ",".join(_hyperliquid_level(mid + 1 + i, random) for i in range(HYPERLIQUID_LEVELS))
        data = f'{{"coin":"BTC","time":{EPOCH_MS + n},"levels":[[{bids}],[{asks}]]}}'
        frames.append(f'{{"channel":"l2Book","data":{data}}}'.encode())
    return frames


def _hyperliquid_level(price: int, random: Random) -> str:
    return f'{{"px":"{price}.0","sz":"{random.randrange(1, 900_000) / 100_000:.5f}","n":{random.randrange(1, 40)}}}'


def paradex_deltas(count: int) -> list[bytes]:
    """A full snapshot, then changes: one to three updates, now and then an insert with the delete that makes room for it.

    In SBE, as the venue serves public channels since 21 September 2026 (docs: binary-encoding-sbe; BookEvent of its schema).
    """
    random = Random(SEED)
    book = {side: {_paradex_price(side, i) for i in range(PARADEX_DEPTH)} for side in ("BUY", "SELL")}
    whole = [(side, price, _size(random)) for side in book for price in sorted(book[side])]
    frames = [_paradex_sbe(0, whole)]
    for n in range(1, count):
        rows = []
        if n % 2:
            side = random.choice(("BUY", "SELL"))
            fresh = _paradex_price(side, random.randrange(PARADEX_DEPTH * 2))
            if fresh not in book[side]:
                gone = random.choice(sorted(book[side])[1:-1])
                book[side] ^= {fresh, gone}
                rows += [(side, fresh, _size(random)), (side, gone, 0)]
        for _ in range(random.randrange(1, 4)):
            side = random.choice(("BUY", "SELL"))
            near = sorted(book[side], reverse=side == "BUY")[random.randrange(10)]
            rows.append((side, near, _size(random)))
        frames.append(_paradex_sbe(n, rows))
    return frames


def _size(random: Random) -> int:
    """In thousandths."""
    return random.randrange(1, 5000)


def _paradex_sbe(n: int, rows: list[tuple[str, int, int]]) -> bytes:
    """`rows`: side, price in tenths, size in thousandths; 0 removes. Header, block (time, number, kind, nine nulls), two groups, market."""
    block = struct.pack("<qqB9q", (EPOCH_MS + n) * 1000, 14_127_816 + n, min(n, 1), *[-(2**63)] * 9)
    groups = b""
    for wanted in ("BUY", "SELL"):
        levels = [struct.pack("<qq", price * 10**7, size * 10**5) for side, price, size in rows if side == wanted]
        groups += struct.pack("<HH", 16, len(levels)) + b"".join(levels)
    market = PARADEX_MARKET.encode()
    return struct.pack("<HHHH", len(block), 3, 1, 1) + block + groups + bytes([len(market)]) + market


def paradex_snapshots(count: int) -> list[bytes]:
    """Books of 15 × 2 levels whose prices walk: what a client sees that asks for snapshots instead of deltas."""
    random = Random(SEED)
    frames, shift = [], 0
    for n in range(count):
        shift += random.choice((-1, 0, 1))
        levels = [
            _paradex_level(side, _paradex_price(side, i) + shift, random)
            for side in ("BUY", "SELL")
            for i in range(PARADEX_SNAPSHOT_LEVELS)
        ]
        frames.append(_paradex_frame("snapshot@15@100ms", n, "s", ",".join(levels), "", ""))
    return frames


def _paradex_price(side: str, place: int) -> int:
    """Price in tenths, `place` steps from the touch."""
    return 676_300 - place if side == "BUY" else 676_301 + place


def _paradex_level(side: str, price: int, random: Random) -> str:
    return f'{{"side":"{side}","price":"{price / 10:.1f}","size":"{random.randrange(1, 5000) / 1000:.3f}"}}'


def _paradex_frame(feed: str, n: int, kind: str, inserts: str, updates: str, deletes: str) -> bytes:
    data = (
        f'{{"seq_no":{14_127_816 + n},"market":"{PARADEX_MARKET}","last_updated_at":{EPOCH_MS + n},"update_type":"{kind}",'
        f'"inserts":[{inserts}],"updates":[{updates}],"deletes":[{deletes}]}}'
    )
    channel = f"order_book.{PARADEX_MARKET}.{feed}"
    return f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}'.encode()
