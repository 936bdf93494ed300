"""Third-party clients trade with the façades: what they can't do here is our mistake, unless a test says why it is theirs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange_clients import registry
from tests.interop.driver import drive, serving

CODES = {
    # venue: what ccxt makes of an order that is too small, and of a cancellation of nothing
    "hyperliquid": ("InvalidOrder", "OrderNotFound"),
    "paradex": ("ExchangeError", "InvalidOrder"),
    # A cancellation that fails is answered with code 5 (recorded), which ccxt takes for the insufficient balance it also means.
    "pacifica": ("InvalidOrder", "InsufficientFunds"),
}
SHOWN_LEVERAGE = {"hyperliquid": 5, "paradex": 5, "pacifica": None}  # Pacifica's positions carry none
PERIODS = {"hyperliquid": "1h", "paradex": "8h", "pacifica": "1h"}


@pytest.mark.parametrize("venue", registry.names())
def test_ccxt_trades(venue: str) -> None:
    with serving(venue) as stage:
        told = drive("ccxt", "ccxt_trade", venue, stage.url, json.dumps(stage.credentials))
    perpetuals = [
        market for market in told["markets"].values() if not market["spot"]
    ]  # spot markets share the list, as they do there
    assert perpetuals and all(market["swap"] and market["linear"] for market in perpetuals)
    best_bid, best_ask = told["book"]["bids"][0][0], told["book"]["asks"][0][0]
    assert best_bid < best_ask
    assert told["funding"]["interval"] == PERIODS[venue]
    assert isinstance(told["funding"]["fundingRate"], float)
    assert best_bid * 0.99 < told["funding"]["markPrice"] < best_ask * 1.01
    assert told["balance"]["total"] == 100_000
    [resting] = told["open orders"]
    assert resting == told["order"]
    assert (resting["id"], resting["side"], resting["amount"], resting["filled"]) == (told["placed"], "buy", 0.01, 0)
    assert resting["status"] == "open"
    assert told["open orders after cancel"] == []
    [position] = told["positions"]
    assert (position["side"], position["contracts"], position["leverage"]) == ("long", 0.01, SHOWN_LEVERAGE[venue])
    assert told["positions after close"] == []
    assert sorted({trade["side"] for trade in told["trades"]}) == ["buy", "sell"]
    assert {trade["takerOrMaker"] for trade in told["trades"]} == {"taker"}
    too_small, nothing_there = CODES[venue]
    assert told["too small"].startswith(f"{too_small}:")
    assert told["nothing to cancel"].startswith(f"{nothing_there}:")


def test_ccxt_introduces_an_account_of_its_own() -> None:
    """Its Stark key is grown from an Ethereum key; address, onboarding and login signatures are its own work throughout."""
    with serving("paradex") as stage:
        told = drive("ccxt", "ccxt_onboard", stage.url)
    assert "NOT_ONBOARDED" in told["stranger"]
    assert told["token"].count(".") == 2
    assert told["balance"]["total"] == 0


@pytest.fixture(scope="module")
def sdk() -> dict[str, Any]:
    """What hyperliquid-python-sdk told of its day."""
    with serving("hyperliquid") as stage:
        return drive("hyperliquid_sdk", "hyperliquid_sdk", stage.url, json.dumps(stage.credentials))


def test_the_sdk_reads(sdk: dict[str, Any]) -> None:
    names = [market["name"] for market in sdk["meta"]["universe"]]
    assert sdk["meta_and_asset_ctxs"][0] == sdk["meta"]
    assert len(sdk["meta_and_asset_ctxs"][1]) == len(names)
    assert sorted(sdk["all_mids"]) == sorted(names)
    assert sdk["user_state"]["marginSummary"]["accountValue"] == "100000.0"
    assert sdk["open_orders"] == sdk["user_fills"] == sdk["user_funding"] == sdk["spot_user_state"]["balances"] == []
    assert sdk["user_role"] == {"role": "user"}
    assert sdk["perp_dexs"] == [None]
    bids, asks = sdk["l2_snapshot"]["levels"]
    assert float(bids[0]["px"]) < float(asks[0]["px"])
    assert len(sdk["funding_history"]) == 6
    assert {row["coin"] for row in sdk["funding_history"]} == {"BTC"}


def test_the_sdk_hears(sdk: dict[str, Any]) -> None:
    assert sdk["book frame"]["coin"] == "BTC"
    assert sdk["fills snapshot"]["isSnapshot"] is True
    [update] = sdk["placed update"]
    assert (update["status"], update["order"]["oid"]) == ("open", oid(sdk["placed"]))
    assert [fill["dir"] for fill in sdk["fill frame"]["fills"]] == ["Open Long"]


def test_the_sdk_rests_changes_and_cancels_orders(sdk: dict[str, Any]) -> None:
    assert sdk["status by oid"] == sdk["status by cloid"]
    assert sdk["status by oid"]["order"]["order"]["oid"] == oid(sdk["placed"])
    [changed] = sdk["open after modify"]
    assert changed["oid"] == oid(sdk["modified"]) != oid(sdk["placed"])
    assert float(changed["limitPx"]) == float(sdk["placed update"][0]["order"]["limitPx"]) - 100
    assert status(sdk["cancelled by cloid"]) == status(sdk["cancelled"]) == "success"
    assert "resting" in status(sdk["maker"])
    assert sdk["open after cancels"] == sdk["frontend orders after cancels"] == []


def test_the_sdk_opens_and_closes_at_the_market(sdk: dict[str, Any]) -> None:
    assert sdk["leverage"] == {"status": "ok", "response": {"type": "default"}}
    assert float(status(sdk["opened"])["filled"]["totalSz"]) == 0.01
    [held] = sdk["state when open"]["assetPositions"]
    assert (held["position"]["szi"], held["position"]["leverage"]) == ("0.01", {"type": "cross", "value": 5})
    assert float(status(sdk["closed"])["filled"]["totalSz"]) == 0.01
    assert sdk["state when closed"]["assetPositions"] == []
    directions = [fill["dir"] for fill in sdk["fills at last"]]
    assert sorted(set(directions)) == ["Close Long", "Open Long"]
    assert directions[0] == "Close Long"  # newest first
    assert [fill["tid"] for fill in sdk["fills by time"]] == [fill["tid"] for fill in reversed(sdk["fills at last"])]


def test_the_sdk_is_refused_in_the_venues_words(sdk: dict[str, Any]) -> None:
    assert status(sdk["crossing maker"])["error"].startswith("Post only order would have immediately matched")
    assert status(sdk["too small"])["error"].startswith("Order must have minimum value of $10")
    assert status(sdk["nothing to cancel"])["error"].startswith("Order was never placed, already canceled, or filled")
    assert status(sdk["IOC without match"])["error"].startswith("Order could not immediately match")


def status(reply: dict[str, Any]) -> Any:
    """Of the only order that `reply` speaks of."""
    [only] = reply["response"]["data"]["statuses"]
    return only


def oid(reply: dict[str, Any]) -> int:
    number: int = status(reply)["resting"]["oid"]
    return number
