"""The venue's own SDK: `Info.subscribe`, whose callback gets texts; its numbers are made floats here, so that it is a book."""

from __future__ import annotations

import threading
from typing import Any

from hyperliquid.info import Info

from benchmarks.peers.meter import Meter, arguments


def main() -> None:
    asked = arguments()
    meter, done = Meter(asked.warm, asked.frames), threading.Event()

    def on_book(message: dict[str, Any]) -> None:
        data = message["data"]
        bids, asks = ([(float(level["px"]), float(level["sz"])) for level in side] for side in data["levels"])
        if bids[0][0] < asks[0][0] and meter.see(data["time"]):
            done.set()

    nothing: Any = {"universe": [], "tokens": []}
    universe: Any = {"universe": [{"name": "BTC", "szDecimals": 5}]}
    info = Info(f"http://127.0.0.1:{asked.port}", meta=universe, spot_meta=nothing)
    info.subscribe({"type": "l2Book", "coin": "BTC"}, on_book)
    done.wait()
    info.disconnect_websocket()


if __name__ == "__main__":
    main()
