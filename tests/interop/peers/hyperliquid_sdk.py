"""hyperliquid-python-sdk, unmodified, trades against whatever listens at the given address."""

from __future__ import annotations

import json
import os
import queue
import sys
import time
import traceback
from types import TracebackType
from typing import Any

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

COIN, SIZE = "BTC", 0.01
WAIT_S = 10


class Feeds:
    """The SDK's WebSocket in its own thread: one queue per subscription."""

    def __init__(self, info: Info, user: str) -> None:
        self._info = info
        self._queues: dict[str, queue.Queue[Any]] = {}
        for wanted in (
            {"type": "l2Book", "coin": COIN},
            {"type": "orderUpdates", "user": user},
            {"type": "userFills", "user": user},
        ):
            inbox = self._queues[wanted["type"]] = queue.Queue()
            info.subscribe(wanted, inbox.put)

    def next(self, kind: str) -> Any:
        """What comes next there. Raises queue.Empty when nothing comes."""
        return self._queues[kind].get(timeout=WAIT_S)["data"]

    def close(self) -> None:
        self._info.disconnect_websocket()


def main() -> None:
    url, credentials = sys.argv[1], json.loads(sys.argv[2])
    user = credentials["account_address"]
    wallet = eth_account.Account.from_key(credentials["private_key"])
    info, exchange = Info(url), Exchange(wallet, url, account_address=user)
    feeds = Feeds(info, user)
    told = {"book frame": feeds.next("l2Book"), "fills snapshot": feeds.next("userFills")}
    told |= reads(info, user)
    told |= resting_orders(info, exchange, user, feeds)
    told |= taking_orders(info, exchange, user, feeds)
    told |= refusals(exchange, told["l2_snapshot"])
    feeds.close()
    print(json.dumps(told))  # noqa: T201


def reads(info: Info, user: str) -> dict[str, Any]:
    since_ms = int(time.time() * 1000) - 6 * 3_600_000
    return {
        "meta": info.meta(),
        "meta_and_asset_ctxs": info.meta_and_asset_ctxs(),
        "all_mids": info.all_mids(),
        "user_state": info.user_state(user),
        "spot_user_state": info.spot_user_state(user),
        "open_orders": info.open_orders(user),
        "l2_snapshot": info.l2_snapshot(COIN),
        "user_fills": info.user_fills(user),
        "user_fees": info.user_fees(user),
        "user_role": info.user_role(user),
        "funding_history": info.funding_history(COIN, since_ms),
        "user_funding": info.user_funding_history(user, since_ms),
        "perp_dexs": info.perp_dexs(),
    }


def resting_orders(info: Info, exchange: Exchange, user: str, feeds: Feeds) -> dict[str, Any]:
    """Far below the market: placed, looked up, changed, cancelled by either id."""
    price, lower = far_below(info), far_below(info) - 100.0
    cloid = Cloid.from_str("0x000000000000000000000000000000a1")
    placed = exchange.order(COIN, True, SIZE, price, {"limit": {"tif": "Gtc"}}, cloid=cloid)
    told = {"placed": placed, "placed update": feeds.next("orderUpdates")}
    order_id = oid(placed)
    told["status by oid"] = info.query_order_by_oid(user, order_id)
    told["status by cloid"] = info.query_order_by_cloid(user, cloid)
    told["modified"] = exchange.modify_order(order_id, COIN, True, SIZE, lower, {"limit": {"tif": "Gtc"}}, cloid=cloid)
    told["open after modify"] = info.open_orders(user)
    told["cancelled by cloid"] = exchange.cancel_by_cloid(COIN, cloid)
    maker = exchange.order(COIN, True, SIZE, price, {"limit": {"tif": "Alo"}})
    told["maker"] = maker
    told["cancelled"] = exchange.cancel(COIN, oid(maker))
    told["open after cancels"] = info.open_orders(user)
    told["frontend orders after cancels"] = info.frontend_open_orders(user)
    return told


def taking_orders(info: Info, exchange: Exchange, user: str, feeds: Feeds) -> dict[str, Any]:
    told: dict[str, Any] = {"leverage": exchange.update_leverage(5, COIN)}
    told["opened"] = exchange.market_open(COIN, True, SIZE)
    told["fill frame"] = feeds.next("userFills")
    told["state when open"] = info.user_state(user)
    told["closed"] = exchange.market_close(COIN)
    told["state when closed"] = info.user_state(user)
    told["fills at last"] = info.user_fills(user)
    told["fills by time"] = info.user_fills_by_time(user, told["fills at last"][-1]["time"])
    return told


def refusals(exchange: Exchange, book: Any) -> dict[str, Any]:
    """What the venue says no to, in words that the SDK hands on."""
    best_ask = float(book["levels"][1][0]["px"])
    return {
        "crossing maker": exchange.order(COIN, True, SIZE, round(best_ask * 1.01), {"limit": {"tif": "Alo"}}),
        "too small": exchange.order(COIN, True, 0.00001, round(best_ask * 0.9), {"limit": {"tif": "Gtc"}}),
        "nothing to cancel": exchange.cancel(COIN, 999_999_999),
        "IOC without match": exchange.order(COIN, True, SIZE, round(best_ask * 0.9), {"limit": {"tif": "Ioc"}}),
    }


def far_below(info: Info) -> float:
    return float(round(float(info.all_mids()[COIN]) * 0.9))


def oid(reply: Any) -> int:
    number: int = reply["response"]["data"]["statuses"][0]["resting"]["oid"]
    return number


def end(kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
    """Show what went wrong and go: the SDK's WebSocket thread would keep the process alive."""
    traceback.print_exception(kind, failure, trace)
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    sys.excepthook = end
    main()
