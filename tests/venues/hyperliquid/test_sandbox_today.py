"""The façade behaves as the venue does today. Each test names the public record that says so."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from exchange_clients.hyperliquid.signing import Signer
from tests.venues.hyperliquid.support import HOUR_MS, START_MS, Line, Site, enrol_agent, open_sub_account


@pytest.fixture
def site() -> Site:
    return Site()


def oid_of(reply: dict[str, Any]) -> int:
    (status,) = reply["response"]["data"]["statuses"]
    number: int = status["resting"]["oid"]
    return number


def bid(site: Site, below: str = "0.99") -> str:
    bids, _, _ = site.facade.exchange.book("BTC", 1)
    return str(int(bids[0][0] * Decimal(below)))


# What is told


def test_web_data_2_is_withdrawn_from_the_socket(site: Site) -> None:
    """galleonlabs/hypergrok-trading-desk#19, pmxt-dev/pmxt#2180: the socket can't parse it, POST /info still answers."""
    line = site.socket()
    (refused,) = line.subscribe("webData2", user=site.user)
    assert refused["channel"] == "error"
    assert refused["data"].startswith('Error parsing JSON into valid websocket request: {"method": "subscribe"')
    told = site.info("webData2", user=site.user)
    assert told.keys() >= {
        "clearinghouseState",
        "spotState",
        "openOrders",
        "meta",
        "assetCtxs",
        "agentAddress",
        "serverTime",
        "user",
    }


SUCCESSORS: dict[str, tuple[dict[str, str], set[str]]] = {
    "clearinghouseState": ({"user": ""}, {"dex", "user", "clearinghouseState"}),
    "spotState": ({"user": ""}, {"user", "spotState"}),
    "openOrders": ({"user": ""}, {"dex", "user", "orders"}),
    "userFundings": ({"user": ""}, {"user", "isSnapshot", "fundings"}),
    "userFills": ({"user": ""}, {"user", "isSnapshot", "fills"}),
    "webData3": ({"user": ""}, {"userState", "perpDexStates"}),
    "allMids": ({}, {"mids"}),
    "bbo": ({"coin": "BTC"}, {"coin", "time", "bbo"}),
    "l2Book": ({"coin": "BTC"}, {"coin", "time", "levels"}),
    "activeAssetCtx": ({"coin": "BTC"}, {"coin", "ctx"}),
    "activeAssetData": ({"coin": "BTC", "user": ""}, {"user", "coin", "leverage", "maxTradeSzs", "availableToTrade", "markPx"}),
    "candle": ({"coin": "BTC", "interval": "1m"}, {"t", "T", "s", "i", "o", "c", "h", "l", "v", "n"}),
}


@pytest.mark.parametrize("kind", SUCCESSORS)
def test_channels_acknowledge_and_tell_how_things_stand(site: Site, kind: str) -> None:
    """Shapes: @nktkas/hyperliquid 0.32.2, nautilus' messages, gitbook "Subscriptions"."""
    which, members = SUCCESSORS[kind]
    which = {name: value or site.user for name, value in which.items()}
    acknowledged, first = site.socket().subscribe(kind, **which)
    assert acknowledged["data"] == {"method": "subscribe", "subscription": {"type": kind, **which}}
    assert first["channel"] == kind and first["data"].keys() == members


def test_user_events_come_on_the_channel_user(site: Site) -> None:
    line = site.socket()
    line.subscribe("userEvents", user=site.user)
    line.subscribe("userFundings", user=site.user)
    site.act(site.order("95000", tif="Ioc", size="0.1"))
    site.later(HOUR_MS)
    fills, funding = line.told("user")[0]["fills"], line.told("user")[-1]["funding"]
    assert fills[0]["dir"] == "Open Long" and funding["coin"] == "BTC"
    assert line.told("userFundings")[-1]["fundings"] == [{"time": site.clock.now_ms() // HOUR_MS * HOUR_MS, **funding}]


def test_books_come_at_the_venues_pace(site: Site) -> None:
    """nktkas/hyperliquid#142 (announcements 326, 327), pmxt-dev/pmxt#1879: 20 levels every 5 s, with `fast` 5 every half second."""
    slow, fast = site.socket(), site.socket()
    slow.subscribe("l2Book", coin="BTC")
    fast.subscribe("l2Book", coin="BTC", fast=True)
    for _ in range(40):
        site.later(500)
    whole, quick = slow.told("l2Book"), fast.told("l2Book")
    assert 4 <= len(whole) <= 6 and 38 <= len(quick) <= 43
    assert {len(side) for book in whole for side in book["levels"]} == {20}
    assert {len(side) for book in quick for side in book["levels"]} == {5}
    assert all(book["fast"] for book in quick) and "fast" not in whole[0]


def test_levels_are_put_together_on_request(site: Site) -> None:
    fine, coarse = site.info("l2Book", coin="BTC"), site.info("l2Book", coin="BTC", nSigFigs=3)
    bids, asks = ([Decimal(level["px"]) for level in side] for side in coarse["levels"])
    assert all(price % 100 == 0 for price in bids + asks) and bids[0] < asks[0]
    assert bids[0] <= Decimal(fine["levels"][0][0]["px"]) and asks[0] >= Decimal(fine["levels"][1][0]["px"])
    assert Decimal(coarse["levels"][0][0]["sz"]) > Decimal(fine["levels"][0][0]["sz"])


def test_the_mid_is_that_of_the_book(site: Site) -> None:
    bids, asks = site.info("l2Book", coin="BTC")["levels"]
    middle = (Decimal(bids[0]["px"]) + Decimal(asks[0]["px"])) / 2
    meta, contexts = site.info("metaAndAssetCtxs")
    assert abs(Decimal(site.info("allMids")["BTC"]) - middle) < 30 and abs(Decimal(contexts[0]["midPx"]) - middle) < 30
    impact = [float(price) for price in contexts[0]["impactPxs"]]
    assert impact[0] < float(contexts[0]["midPx"]) < impact[1]
    assert contexts[0].keys() >= {"prevDayPx", "dayBaseVlm"}
    assert meta["collateralToken"] == 0 and meta["marginTables"][0][1]["marginTiers"]
    trades = site.info("recentTrades", coin="BTC")
    assert all(len(t["users"]) == 2 and float(t["px"]) * float(t["sz"]) >= 10 for t in trades)


def recorded(shared_dir: Any, cassette: str, kind: str) -> Any:
    for exchange in json.loads((shared_dir / "recorded" / "hyperliquid" / "cassettes" / f"{cassette}.json").read_text()):
        if exchange["request"]["body"]["type"] == kind:
            return exchange["response"]["body"]
    raise AssertionError(f"{cassette} holds no {kind}")


def test_more_replies_are_shaped_like_recorded_ones(site: Site, shared_dir: Any) -> None:
    site.act(site.order("95000", tif="Ioc"))
    limits = site.info("userRateLimit", user=site.user)
    assert limits.keys() >= recorded(shared_dir, "test_user_rate_limit", "userRateLimit").keys()
    assert limits["nRequestsUsed"] == 1 and limits["nRequestsCap"] == 10_000 + int(float(limits["cumVlm"]))
    portfolio = site.info("portfolio", user=site.user)
    theirs = recorded(shared_dir, "test_portfolio", "portfolio")
    assert [period for period, _ in portfolio] == [period for period, _ in theirs] and portfolio[0][1].keys() == theirs[0][
        1
    ].keys()
    req = {"coin": "BTC", "interval": "15m", "startTime": START_MS - HOUR_MS, "endTime": START_MS}
    candles = site.info("candleSnapshot", req=req)
    assert candles[0].keys() == recorded(shared_dir, "test_get_candles_snapshot", "candleSnapshot")[0].keys()
    assert all(float(c["l"]) <= min(float(c["o"]), float(c["c"])) <= float(c["h"]) for c in candles) and 4 <= len(candles) <= 5
    enrol_agent(site.facade, site.user, START_MS + HOUR_MS)
    agents = site.info("extraAgents", user=site.user)
    assert agents[0].keys() == recorded(shared_dir, "test_extra_agents", "extraAgents")[0].keys()
    history = site.info("historicalOrders", user=site.user)
    assert history[0].keys() == recorded(shared_dir, "test_historical_orders", "historicalOrders")[0].keys()
    predicted = dict(dict(site.info("predictedFundings"))["BTC"])
    file = shared_dir / "recorded" / "hyperliquid" / "http_predicted_fundings.json"
    assert predicted["HlPerp"].keys() == dict(dict(json.loads(file.read_text()))["BTC"])["HlPerp"].keys()
    assert abs(float(predicted["HlPerp"]["fundingRate"]) - float(site.info("metaAndAssetCtxs")[1][0]["funding"])) < 1e-6
    assert site.info("userFees", user=site.user).keys() >= {
        "dailyUserVlm", "feeSchedule", "userCrossRate", "userAddRate", "userSpotCrossRate", "userSpotAddRate", "trial",
        "activeReferralDiscount", "feeTrialEscrow", "nextTrialAvailableTimestamp", "stakingLink", "activeStakingDiscount",
    }  # fmt: skip
    assert site.info("marginTable", id=20)["marginTiers"][0]["maxLeverage"] == 20
    assert (
        site.info("exchangeStatus")["specialStatuses"] is None
        and site.info("maxBuilderFee", user=site.user, builder=site.user) == 0
    )


def test_requests_go_over_the_socket_too(site: Site) -> None:
    """Venue sheet section 9: `post`."""
    line = site.socket()
    (told,) = line.say({"method": "post", "id": 7, "request": {"type": "info", "payload": {"type": "l2Book", "coin": "BTC"}}})
    assert told["data"]["id"] == 7 and told["data"]["response"]["payload"]["data"]["coin"] == "BTC"
    action, nonce = site.order(bid(site)), site.nonce + 1
    signed = {"action": action, "nonce": nonce, "signature": site.signer.sign_action(action, nonce, mainnet=False)}
    (placed,) = line.say({"method": "post", "id": 8, "request": {"type": "action", "payload": signed}})
    assert placed["data"]["response"]["type"] == "action" and oid_of(placed["data"]["response"]["payload"])
    (odd,) = line.say({"method": "post", "id": 9, "request": {"type": "info", "payload": {"type": "nothing"}}})
    assert odd["data"]["response"]["type"] == "error"


# Accounts


@pytest.mark.parametrize("mode", ["unifiedAccount", "portfolioMargin"])
def test_pooled_accounts_keep_their_money_in_the_spot_state(site: Site, mode: str) -> None:
    """nautechsystems/nautilus_trader#4206, gemwalletcom/core#1103, WayfinderFoundation/wayfinder-paths-sdk#611."""
    site.facade.conditions.modes[site.user] = mode
    assert site.info("userAbstraction", user=site.user) == mode
    assert site.info("clearinghouseState", user=site.user)["marginSummary"]["accountValue"] == "0.0"
    site.act(site.order("95000", tif="Ioc", size="0.1"))
    perps, (usdc,) = (
        site.info("clearinghouseState", user=site.user),
        site.info("spotClearinghouseState", user=site.user)["balances"],
    )
    assert perps["assetPositions"] and perps["withdrawable"] == "0.0" and float(perps["marginSummary"]["accountValue"]) < 1000
    assert Decimal(usdc["total"]) == site.facade.exchange.wallet(site.user)
    assert abs(Decimal(usdc["hold"]) - site.facade.exchange.initial_margin(site.user)) < 5 and Decimal(usdc["hold"]) > 400


def test_spot_usdc_of_a_standard_account_backs_nothing(site: Site) -> None:
    """MetaMask/metamask-mobile#29110."""
    poor = Site()
    poor.facade.conditions.spot[poor.user] = Decimal(50_000)
    (usdc,) = poor.info("spotClearinghouseState", user=poor.user)["balances"]
    assert (usdc["total"], usdc["hold"]) == ("50000.0", "0.0")
    reply = poor.act(poor.order("95000", size="20", tif="Ioc"))
    assert reply["response"]["data"]["statuses"][0]["error"].startswith("Insufficient margin")


def test_isolated_only_coins_refuse_cross_margin(site: Site) -> None:
    """nktkas `meta` (onlyIsolated, marginMode); the words as several public bots quote them."""
    site.facade.conditions.isolated_only.add("BTC")
    row = site.info("meta")["universe"][0]
    assert row["onlyIsolated"] is True and row["marginMode"] == "strictIsolated"
    cross, isolated = ({"type": "updateLeverage", "asset": 0, "isCross": c, "leverage": 3} for c in (True, False))
    assert site.act(cross) == {"status": "err", "response": "Cross margin is not allowed for this asset."}
    assert site.act(isolated)["status"] == "ok"


def test_a_sub_account_is_named_by_whoever_acts_for_it(site: Site) -> None:
    """hyperliquid-dex/hyperliquid-python-sdk#172 (the words), hummingbot/hummingbot#7312 (unnamed, the order is the master's)."""
    sub = open_sub_account(site.facade, site.user)
    site.nonce += 1
    order = site.order(bid(site))

    def acting_for(vault: str, signer: Signer) -> Any:
        site.nonce += 1
        signature = signer.sign_action(order, site.nonce, False, vault)
        return site.act(order, nonce=site.nonce, signature=signature, vaultAddress=vault)

    assert acting_for(sub, site.signer)["status"] == "ok"
    assert len(site.info("openOrders", user=sub)) == 1 and not site.info("openOrders", user=site.user)
    assert acting_for("0x" + "99" * 20, site.signer) == {"status": "err", "response": "Vault not registered: 0x" + "99" * 20}
    assert site.info("userRole", user=sub) == {"role": "subAccount", "data": {"master": site.user}}
    assert site.info("subAccounts", user=site.user)[0]["subAccountUser"] == sub and site.info("subAccounts", user=sub) is None


def test_an_agent_acts_until_its_time_is_up(site: Site) -> None:
    agent = Signer(enrol_agent(site.facade, site.user, START_MS + HOUR_MS))
    assert site.info("userRole", user=agent.address) == {"role": "agent", "data": {"user": site.user}}
    assert site.act(site.order(bid(site)), signer=agent)["status"] == "ok"
    assert len(site.info("openOrders", user=site.user)) == 1
    site.later(2 * HOUR_MS)
    reply = site.act(site.order(bid(site)), signer=agent)
    assert reply == {"status": "err", "response": f"User or API Wallet {agent.address} does not exist."}


def test_who_was_only_asked_about_can_not_act(site: Site) -> None:
    stranger = Signer("22" * 32)
    assert site.info("userRole", user=stranger.address) == {"role": "missing"}
    assert site.act(site.order(bid(site)), signer=stranger)["status"] == "err"


# Orders


def test_a_modified_order_is_a_fresh_one_of_the_size_sent(site: Site) -> None:
    """nautechsystems/nautilus_trader#3986, nktkas/hyperliquid#145: cancelled and placed anew, with the time in force that is sent."""
    old = oid_of(site.act(site.order(bid(site), size="0.02", tif="Alo", c="0x" + "0a" * 16)))
    fresh = {
        "a": 0,
        "b": True,
        "p": bid(site, "0.98"),
        "s": "0.05",
        "r": False,
        "t": {"limit": {"tif": "Gtc"}},
        "c": "0x" + "0a" * 16,
    }
    new = oid_of(site.act({"type": "batchModify", "modifies": [{"oid": old, "order": fresh}]}))
    (resting,) = site.info("frontendOpenOrders", user=site.user)
    assert new != old and (resting["oid"], resting["sz"], resting["tif"]) == (new, "0.05", "Gtc")
    assert site.info("orderStatus", user=site.user, oid=old)["order"]["status"] == "canceled"
    assert site.act({"type": "modify", "oid": new, "order": {**fresh, "s": "0.03"}}) == {
        "status": "ok",
        "response": {"type": "default"},
    }
    gone = site.act({"type": "modify", "oid": old, "order": fresh})
    assert gone["status"] == "err" and gone["response"].startswith("Cannot modify canceled or filled order")


def fill_in_part(site: Site, size: str = "50") -> int:
    """A resting bid at the touch that the market eats from; its id."""
    oid = oid_of(site.act(site.order(str(site.facade.exchange.book("BTC", 1)[0][0][0]), size="0.09", tif="Gtc")))
    for _ in range(4000):
        order = site.facade.exchange.order(site.user, order_id=oid)
        assert order is not None
        if order.filled:
            break
        site.later(500)
    return oid


def test_order_status_stands_still_while_an_order_rests(site: Site) -> None:
    """hyperliquid-dex/hyperliquid-python-sdk#141, the venue's own answer there."""
    asks = site.facade.exchange.book("BTC", 1)[1]
    oid = oid_of(site.act(site.order(str(asks[0][0]), size=str(asks[0][1] + Decimal("0.01")), tif="Gtc")))
    status, (listed,) = site.info("orderStatus", user=site.user, oid=oid)["order"], site.info("openOrders", user=site.user)
    assert status["status"] == "open" and status["order"]["sz"] == listed["sz"] == "0.01"
    found = site.facade.exchange._accounts[site.user].orders[oid]
    found.filled += Decimal("0.004")  # what a later fill does to it
    assert site.info("openOrders", user=site.user)[0]["sz"] == "0.006"
    assert site.info("orderStatus", user=site.user, oid=oid)["order"]["order"]["sz"] == "0.01"


def test_a_stop_waits_for_its_price(site: Site) -> None:
    """Venue sheet section 7: trigger orders."""
    site.act(site.order("95000", tif="Ioc", size="0.1"))
    mark = site.facade.exchange.state("BTC").mark
    terms = {"trigger": {"isMarket": True, "triggerPx": str(int(mark * 2)), "tpsl": "tp"}}
    stop = {"a": 0, "b": False, "p": "50000", "s": "0.1", "r": True, "t": terms}
    oid = oid_of(site.act({"type": "order", "orders": [stop], "grouping": "na"}))
    (waiting,) = site.info("frontendOpenOrders", user=site.user)
    assert (waiting["isTrigger"], waiting["orderType"], waiting["oid"]) == (True, "Take Profit Market", oid)
    assert site.info("orderStatus", user=site.user, oid=oid)["order"]["status"] == "open"
    nonsense = {**stop, "t": {"trigger": {**terms["trigger"], "triggerPx": "100"}}}
    reply = site.act({"type": "order", "orders": [nonsense], "grouping": "na"})
    assert reply["response"]["data"]["statuses"][0]["error"].startswith("Invalid TP/SL price.")
    found = site.facade.exchange._accounts[site.user].orders[oid]
    found.trigger = type(found.trigger)(mark / 2, above=True)  # type: ignore[misc]  # the mark comes to its price
    site.later(500)
    assert not site.info("clearinghouseState", user=site.user)["assetPositions"]
    assert site.info("orderStatus", user=site.user, oid=oid)["order"]["status"] == "filled"


def test_everything_is_cancelled_when_the_dead_man_is_silent(site: Site, shared_dir: Any) -> None:
    ask = {"type": "scheduleCancel", "time": START_MS + 60_000}
    file = shared_dir / "recorded" / "hyperliquid" / "sample_cancel_all_orders_after_2627.json"
    assert site.act(ask)["response"].split("Traded")[0] == json.loads(file.read_text())["response"].split("Traded")[0]
    site.facade.conditions.dead_man_usd = 0
    oid = oid_of(site.act(site.order(bid(site))))
    assert site.act(ask)["status"] == "ok"
    site.later(70_000)
    assert not site.info("openOrders", user=site.user)
    assert site.info("orderStatus", user=site.user, oid=oid)["order"]["status"] == "scheduledCancel"


def test_market_orders_of_the_front_end_and_what_does_nothing(site: Site) -> None:
    reply = site.act(site.order("95000", tif="FrontendMarket"))
    assert reply["response"]["data"]["statuses"][0]["filled"]
    assert site.act({"type": "noop"}) == {"status": "ok", "response": {"type": "default"}}
    twap = {"type": "twapOrder", "twap": {"a": 0, "b": True, "s": "1", "r": False, "m": 5, "t": False}}
    assert "not part of this sandbox" in site.act(twap)["response"]["data"]["status"]["error"]


# Budgets


def test_long_lists_cost_more(site: Site) -> None:
    """gitbook "Rate limits": one more for 20 rows."""
    for _ in range(8):
        for level in range(5):
            site.act(site.order("95000", tif="Ioc", size=f"0.0{level + 1}"))
    rows = len(site.info("userFillsByTime", user=site.user, startTime=0))
    assert rows >= 40
    spent, answers = 0, []
    while spent + 20 <= 1200:
        answers.append(site.post("/info", {"type": "userFillsByTime", "user": site.user, "startTime": 0}, "10.0.0.77")[0])
        spent += 20 + rows // 20
    assert set(answers) == {200}
    assert site.post("/info", {"type": "meta"}, "10.0.0.77")[0] == 429


def test_an_address_earns_its_actions(site: Site) -> None:
    """gitbook "Rate limits"; the refusal's words as public bots quote them."""
    site.facade.allowance.first = 3
    placed = [site.act(site.order(bid(site))) for _ in range(3)]
    assert all(reply["status"] == "ok" for reply in placed)
    assert site.act(site.order(bid(site)))["status"] == "ok", "one in ten seconds passes all the same"
    refused = site.act(site.order(bid(site)))
    assert refused["response"].startswith("Too many cumulative requests sent (5 > 3) for cumulative volume traded $0.00")
    assert site.act({"type": "cancel", "cancels": [{"a": 0, "o": oid_of(placed[0])}]})["status"] == "ok", "cancels have more"
    assert site.post("/info", {"type": "meta"})[0] == 200, "reads are counted elsewhere"
    assert site.act({"type": "reserveRequestWeight", "weight": 10})["status"] == "ok"
    assert site.act(site.order(bid(site)))["status"] == "ok"


def test_other_kinds_of_markets_stand_among_the_accounts_own(site: Site) -> None:
    """JKorf/HyperLiquid.Net's recorded `@107`; gitbook on HIP-3 and HIP-4 names."""
    line = Line(site)
    rows = [({"coin": coin, "oid": 1}, {"coin": coin, "time": START_MS}) for coin in ("@107", "PURR/USDC", "#250", "xyz:TSLA")]
    site.facade.conditions.elsewhere[site.user] = rows
    assert [row["coin"] for row in site.info("openOrders", user=site.user)] == ["@107", "PURR/USDC", "#250", "xyz:TSLA"]
    assert len(site.info("userFills", user=site.user)) == 4
    _, first = line.subscribe("userFills", user=site.user)
    assert len(first["data"]["fills"]) == 4
