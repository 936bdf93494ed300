"""A client that nobody here wrote makes every call that an operator would make; what does not work is named, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.driver import drive_node, serving

CALLS = 71
REFUSED = {
    "subscribe webData2": ("Error parsing JSON into valid websocket request", "withdrawn by the venue in 2026-08"),
    "order crossing Alo": ("Post only order would have immediately matched", "wanted: a post-only order that crosses"),
    "scheduleCancel": (
        "Cannot set scheduled cancel time until enough volume traded",
        "the venue wants a million of volume first",
    ),
    "twapOrder": ("TWAP orders are not part of this sandbox", "slices over half an hour are not played here"),
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    with serving("hyperliquid") as stage:
        credentials = stage.credentials
        return drive_node("nktkas", stage.url, "0x" + credentials["private_key"], credentials["account_address"])


def test_all_but_a_few_calls_work_and_those_are_named(told: dict[str, Any]) -> None:
    calls = {name: outcome for name, outcome in told.items() if name != "frames"}
    refused = {name: outcome["refused"] for name, outcome in calls.items() if "refused" in outcome}
    assert len(calls) == CALLS
    assert refused.keys() == REFUSED.keys(), refused
    assert all(words in refused[name] for name, (words, _) in REFUSED.items())
    assert len(calls) - len(refused) >= 65


def test_what_it_is_told_hangs_together(told: dict[str, Any]) -> None:
    said = {name: outcome.get("said") for name, outcome in told.items()}
    bids, asks = said["l2Book"]["levels"]
    middle = (float(bids[0]["px"]) + float(asks[0]["px"])) / 2
    assert abs(float(said["allMids"]["BTC"]) / middle - 1) < 1e-3
    assert said["userRole"] == {"role": "user"} and said["userAbstraction"] == "default" and said["subAccounts"] is None
    resting = said["modify"], said["batchModify"]["response"]["data"]["statuses"][0]["resting"]
    assert resting[0] == {"status": "ok", "response": {"type": "default"}} and resting[1]["oid"]
    kinds = {row["tif"] for row in said["frontendOpenOrders"]}
    assert kinds == {"Gtc", "Alo", None}, "resting, post-only, and a stop"
    assert said["orderStatus cloid"]["order"]["order"]["cloid"] == "0x" + "0c" * 16
    assert (
        said["cancel"]["response"]["data"]["statuses"] == said["cancelByCloid"]["response"]["data"]["statuses"] == ["success"]
    )
    assert len(said["webData2"]["openOrders"]) == len(said["openOrders"])
    assert {fill["feeToken"] for fill in said["userFills"]} == {"USDC"}
    assert float(said["userRateLimit"]["cumVlm"]) > 0


def test_every_channel_tells_something(told: dict[str, Any]) -> None:
    heard = told["frames"]["said"]
    assert {name for name, frames in heard.items() if not frames} == {"webData2"}
    assert heard["orderUpdates"] >= 8 and heard["userEvents"] >= 2
