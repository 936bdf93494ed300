"""A venue's socket reduced to its bytes: answers the subscription, sends a warm-up, waits for the word, sends the rest.

A process of its own. Standard output: the port, once. Standard input: JSON lines, either `{"feed", "warm", "frames", "gap_us"}`
before a reader connects or the word `"go"` after its warm-up. `gap_us` 0 sends back to back, as fast as the reader takes it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import frames

HANDSHAKE_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK_FRAMES = 32
FEEDS: dict[str, Callable[[int], list[bytes]]] = {
    "hyperliquid_book": frames.hyperliquid_books,
    "paradex_deltas": frames.paradex_deltas,
    "paradex_snapshots": frames.paradex_snapshots,
}


def framed(payload: bytes) -> bytes:
    """One unmasked frame (RFC 6455 section 5.2): text when it is JSON, else binary."""
    size, kind = len(payload), b"\x81" if payload.startswith(b"{") else b"\x82"
    if size < 126:
        return kind + bytes([size]) + payload
    if size < 65_536:
        return kind + b"\x7e" + size.to_bytes(2, "big") + payload
    return kind + b"\x7f" + size.to_bytes(8, "big") + payload


def shake_hands(peer: socket.socket) -> None:
    """Answer the HTTP upgrade without extensions."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += peer.recv(4096)
    headers = dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if ": " in line)
    key = {name.lower(): value for name, value in headers.items()}["sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1((key + HANDSHAKE_KEY).encode()).digest()).decode()
    reply = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    peer.sendall(f"{reply}{accept}\r\n\r\n".encode())


def exactly(peer: socket.socket, size: int) -> bytes:
    """The next `size` bytes. Raises ConnectionError at the end."""
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise ConnectionError("the reader left")
        data += more
    return data


def read_frame(peer: socket.socket) -> bytes:
    """The payload of the next masked frame of at most 64 KiB."""
    _, size = exactly(peer, 2)
    size &= 127
    if size == 126:
        size = int.from_bytes(exactly(peer, 2), "big")
    mask = exactly(peer, 4)
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(exactly(peer, size)))


def confirmation(asked: dict[str, Any]) -> bytes:
    """What the venue says to a subscription."""
    if "jsonrpc" in asked:
        reply = {"jsonrpc": "2.0", "result": {"channel": asked["params"]["channel"]}, "usDiff": 1, "id": asked.get("id", 0)}
    else:
        reply = {"channel": "subscriptionResponse", "data": asked}
    return json.dumps(reply, separators=(",", ":")).encode()


def send(peer: socket.socket, prepared: list[bytes], gap_us: int) -> None:
    """Send `prepared` back to back, or one at a time with `gap_us` between."""
    if not gap_us:
        for start in range(0, len(prepared), CHUNK_FRAMES):
            peer.sendall(b"".join(prepared[start : start + CHUNK_FRAMES]))
        return
    for frame in prepared:
        peer.sendall(frame)
        time.sleep(gap_us / 1e6)


def serve(peer: socket.socket, order: dict[str, Any], prepared: list[bytes]) -> None:
    """One reader, from its handshake until it leaves."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shake_hands(peer)
    while b'"subscribe"' not in (asked := read_frame(peer)):
        pass
    peer.sendall(framed(confirmation(json.loads(asked))))
    warm, last = order["warm"], order["warm"] + order["frames"]
    send(peer, prepared[:warm], order["gap_us"])
    if json.loads(sys.stdin.readline()) == "go":
        send(peer, prepared[warm:last], order["gap_us"])
    while True:
        read_frame(peer)


def main() -> None:
    prepared: dict[str, list[bytes]] = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            order = json.loads(line)
            if order == "go":
                continue
            feed, total = order["feed"], order["warm"] + order["frames"]
            if len(prepared.get(feed, ())) < total:
                prepared[feed] = [framed(payload) for payload in FEEDS[feed](total)]
            peer, _ = listener.accept()
            with peer:
                try:
                    serve(peer, order, prepared[feed])
                except (ConnectionError, BrokenPipeError):
                    continue


if __name__ == "__main__":
    main()
