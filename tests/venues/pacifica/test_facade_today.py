"""The façade as the venue is documented today: credits, edits, trigger orders, spot, batches, orders by socket."""

import json
from decimal import Decimal

import pytest

from exchange_clients.engine.transport import HttpRequest
from exchange_clients.sandbox.tape import TapePrices
from tests.venues.pacifica.support import CLIENT_ID, HOUR_MS, START_MS, SetClock, Site


@pytest.fixture
def site() -> Site:
    return Site()


def left(site: Site, path: str, headers: dict[str, str] | None = None) -> tuple[float, float]:
    """Credits that remain after a GET, and the whole."""
    reply = site.facade.handle(HttpRequest("GET", f"/api/v1{path}", headers or {}), "10.0.0.1")
    fields = dict(part.split("=") for h in ("ratelimit", "ratelimit-policy") for part in reply.headers[h].split(";")[1:])
    return float(fields["r"]) / 10, float(fields["q"]) / 10


# Credits: docs.pacifica.fi, Rate limits and API config keys; which GETs are heavy: hummingbot and ccxt disagree


def test_a_heavy_list_costs_12_credits_and_a_plain_call_1(site) -> None:
    account = f"account={site.account}"
    paths = (f"/trades/history?{account}", f"/orders?{account}", "/info/prices", "/kline?symbol=BTC&interval=1m&start_time=0")
    whole, costs = 100.0, []
    for path in paths:
        remains, quota = left(site, path)
        costs.append(whole - remains)
        whole = remains
    assert costs == [12, 1, 3, 12] and quota == 100


def test_an_api_config_key_makes_heavy_lists_cheaper_and_the_budget_its_own(site) -> None:
    _, made = site.post("/account/api_keys/create", "create_api_key", {})
    key = {"PF-API-KEY": made["data"]["api_key"]}
    assert left(site, f"/trades/history?account={site.account}", key) == (297, 300)
    assert left(site, f"/orders?account={site.account}", {"PF-API-KEY": "unknown"})[1] == 100
    _, listed = site.post("/account/api_keys", "list_api_keys", {})
    assert listed["data"] == {"active_api_keys": [site.config_key, key["PF-API-KEY"]], "api_key_limit": 5}
    assert site.post("/account/api_keys/revoke", "revoke_api_key", {"api_key": key["PF-API-KEY"]})[0] == 200
    assert left(site, f"/orders?account={site.account}", key)[1] == 100


def test_spent_credits_refuse_before_anything_happens(site) -> None:
    site.facade.heavy["/info"] = (100, 3)
    assert site.get("/info")[0] == 200
    status, reply = site.create()
    assert (status, reply["code"]) == (429, 429) and not site.exchange.orders(site.account)
    site.rested()
    assert site.create()[0] == 200


# Edits: docs.pacifica.fi, Edit order


def test_an_edit_is_a_new_order_of_the_amount_sent_and_post_only(site) -> None:
    _, asks, _ = site.exchange.book("BTC", 1)
    amount = asks[0][1] + Decimal("0.02")
    _, created = site.create(price=str(asks[0][0]), amount=str(amount), client_order_id=CLIENT_ID)
    old = created["data"]["order_id"]
    edit = {"symbol": "BTC", "price": site.order()["price"], "amount": "0.02", "order_id": old}
    _, edited = site.post("/orders/edit", "edit_order", edit)
    (row,) = site.get("/orders", account=site.account)[1]["data"]
    assert row["order_id"] == edited["data"]["order_id"] != old and row["client_order_id"] == CLIENT_ID
    assert (row["initial_amount"], row["filled_amount"], row["price"]) == ("0.02", "0", edit["price"])
    (first, *_) = site.get("/orders/history_by_id", order_id=old)[1]["data"]
    assert (first["order_status"], Decimal(first["filled_amount"])) == ("cancelled", asks[0][1])


def test_an_edit_across_the_book_loses_the_order(site) -> None:
    _, created = site.create()
    _, asks, _ = site.exchange.book("BTC", 1)
    edit = {"symbol": "BTC", "price": str(asks[0][0]), "amount": "0.01", "order_id": created["data"]["order_id"]}
    status, edited = site.post("/orders/edit", "edit_order", edit)
    assert status == 200 and site.get("/orders", account=site.account)[1]["data"] == []
    (event,) = site.get("/orders/history_by_id", order_id=edited["data"]["order_id"])[1]["data"]
    assert (event["order_status"], event["event_type"]) == ("rejected", "post_only_rejected")


def test_an_edit_off_the_grid_leaves_the_order_alone(site) -> None:
    _, created = site.create()
    edit = {"symbol": "BTC", "price": "80000.5", "amount": "0.01", "order_id": created["data"]["order_id"]}
    assert site.post("/orders/edit", "edit_order", edit)[1]["code"] == 52
    assert [o.order_id for o in site.exchange.orders(site.account)] == [created["data"]["order_id"]]


# Rows that are no plain orders of perpetuals


def test_trigger_orders_stand_among_the_open_orders_and_in_the_stream(site) -> None:
    line = site.socket()
    line.subscribe("account_order_updates", account=site.account)
    stop = {"symbol": "BTC", "side": "ask", "reduce_only": True, "stop_order": {"stop_price": "80000"}}
    assert site.post("/positions/tpsl", "set_position_tpsl", {"symbol": "BTC", "side": "ask"})[1]["code"] == 13
    site.trade()
    line.heard.clear()
    _, made = site.post("/orders/stop/create", "create_stop_order", stop)
    terms = {"symbol": "BTC", "side": "ask", "take_profit": {"stop_price": "99000"}, "stop_loss": {"stop_price": "80000"}}
    assert site.post("/positions/tpsl", "set_position_tpsl", terms)[0] == 200
    rows = site.get("/orders", account=site.account)[1]["data"]
    kinds = [(row["order_type"], row["initial_amount"], row["price"], row["reduce_only"]) for row in rows]
    assert kinds == [(f"{kind}_market", amount, None, True) for kind, amount in
                     (("stop", None), ("take_profit", "0"), ("stop_loss", "0"))]  # fmt: skip
    assert [f["data"][0]["ot"] for f in line.heard] == [row["order_type"] for row in rows]
    assert [f["data"][0]["a"] for f in line.heard] == [None, "0", "0"]
    gone = {"symbol": "BTC", "order_id": made["data"]["order_id"]}
    assert site.post("/orders/stop/cancel", "cancel_stop_order", gone)[0] == 200
    assert site.post("/orders/stop/cancel", "cancel_stop_order", gone)[1]["code"] == 6
    assert len(site.get("/orders", account=site.account)[1]["data"]) == 2


def test_spot_shares_lists_and_channels(site) -> None:
    listed = site.get("/info")[1]["data"]
    assert [row["symbol"] for row in listed if row["instrument_type"] == "spot"] == ["BTC-USDC"]
    assert "BTC-USDC" in {row["symbol"] for row in site.get("/info/prices")[1]["data"]}
    line = site.socket()
    line.subscribe("account_trades", account=site.account)
    site.facade.tell_fill(site.account, spot_trade(site))
    assert line.heard[-1]["data"][0]["ts"] == "buy"
    rows = site.get("/trades/history", account=site.account)[1]["data"]
    assert [row["symbol"] for row in rows] == ["BTC-USDC"]


def spot_trade(site: Site) -> dict:
    return {
        "history_id": 2_000_000_001, "order_id": 2_000_000_000, "client_order_id": None, "symbol": "BTC-USDC", "amount": "1",
        "price": "90000", "entry_price": "90000", "fee": "9", "pnl": "0", "event_type": "fulfill_taker", "side": "buy",
        "created_at": site.clock.now_ms(), "cause": "normal",
    }  # fmt: skip


def test_under_unified_margin_equity_holds_the_spot(site) -> None:
    plain = site.get("/account", account=site.account)[1]["data"]
    assert "spot_collateral" not in plain
    site.facade.spot_usd[site.account] = Decimal(2_500)
    held = site.get("/account", account=site.account)[1]["data"]
    assert (held["balance"], held["account_equity"]) == (plain["balance"], "12500")
    assert (held["cross_account_equity"], held["spot_collateral"]) == ("10000", "2500")


def test_markets_that_take_isolated_margin_only_say_so(site) -> None:
    site.facade.isolated_only.add("2Z")
    rows = {row["symbol"]: row["isolated_only"] for row in site.get("/info")[1]["data"]}
    assert rows["2Z"] is True and rows["BTC"] is False


def test_a_position_that_no_price_liquidates_has_no_word_about_it(site) -> None:
    site.trade("bid", "0.01")
    (row,) = site.get("/positions", account=site.account)[1]["data"]
    assert "liquidation_price" not in row
    site.trade("bid", "5")
    (row,) = site.get("/positions", account=site.account)[1]["data"]
    assert Decimal(row["liquidation_price"]) > 0


# Market data


def test_a_book_is_put_together_by_agg_level(site) -> None:
    fine, coarse = (site.get("/book", symbol="BTC", agg_level=level)[1]["data"]["l"] for level in (1, 100))
    step = 100 * site.exchange.listings["BTC"].instrument.price_rule.tick
    assert all(Decimal(level["p"]) % step == 0 for side in coarse for level in side)
    assert Decimal(coarse[0][0]["p"]) <= Decimal(fine[0][0]["p"]) and Decimal(coarse[1][0]["p"]) >= Decimal(fine[1][0]["p"])
    assert site.get("/book", symbol="BTC", agg_level=3)[0] == 422
    line = site.socket()
    asked, snapshot = line.subscribe("book", symbol="BTC", agg_level=100)
    assert asked["data"]["agg_level"] == 100 and snapshot["channel"] == "book" and snapshot["data"]["l"] == coarse
    assert line.subscribe("book", symbol="BTC", agg_level=3)[0]["code"] == 400
    line.end.on_close()
    assert not site.facade.sockets


def test_candles_follow_the_mark_and_know_their_limits(site) -> None:
    site.clock.set_ms += 3 * HOUR_MS
    rows = site.get("/kline", symbol="BTC", interval="1h", start_time=START_MS)[1]["data"]
    assert [row["t"] % HOUR_MS for row in rows] == [0] * 4 and rows[0].keys() == set("tTsiochlvn")
    assert rows[-1]["c"] == site.get("/info/prices")[1]["data"][0]["mark"]
    assert all(Decimal(r["l"]) <= Decimal(r["o"]) <= Decimal(r["h"]) for r in rows)
    site.rested()
    assert site.get("/kline", symbol="BTC", interval="1m", start_time=0)[0] == 200
    assert site.get("/kline", symbol="BTC", interval="2m", start_time=START_MS)[0] == 400
    site.clock.set_ms += 100 * HOUR_MS
    assert site.get("/kline", symbol="BTC", interval="1m", start_time=START_MS)[0] == 400


def test_a_volume_that_no_tape_has_is_null(shared_dir) -> None:
    tape = TapePrices(shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv", ["pacifica"])
    site = Site(tape, SetClock(tape.start_ms + 60_000))
    assert {row["volume_24h"] for row in site.get("/info/prices")[1]["data"]} == {None}


def test_what_is_forced_says_so(site) -> None:
    site.trade("bid", "5")
    while site.exchange.positions(site.account):
        site.clock.set_ms += HOUR_MS
        site.exchange.advance()
        assert site.clock.set_ms < START_MS + 5_000 * HOUR_MS
    causes = [row["cause"] for row in site.get("/trades/history", account=site.account)[1]["data"]]
    assert causes[0] == "market_liquidation" and causes[-1] == "normal"


# Batches and orders by socket: docs.pacifica.fi, Batch order and WebSocket trading operations


def test_a_batch_says_yes_and_each_of_its_actions_for_itself(site, shared_dir) -> None:
    recorded = json.loads((shared_dir / "recorded" / "pacifica" / "orders_batch.json").read_text())
    failed = json.loads((shared_dir / "recorded" / "pacifica" / "orders_batch_cancel_failed.json").read_text())
    create = {"type": "Create", "data": site.signed("create_order", site.order())}
    cancel = {"type": "Cancel", "data": site.signed("cancel_order", {"symbol": "BTC", "order_id": 1})}
    body = json.dumps({"actions": [create, cancel, {"type": "Create", "data": {}}]}).encode()
    status, reply = site.send(HttpRequest("POST", "/api/v1/orders/batch", {}, body))
    first, second, third = reply["data"]["results"]
    assert status == 200 and reply["success"] and reply.keys() == recorded.keys()
    assert (
        first.keys() == recorded["data"]["results"][0].keys()
        and first["success"]
        and len(site.exchange.orders(site.account)) == 1
    )
    assert second == failed["data"]["results"][0] and third["success"] is False
    too_many = json.dumps({"actions": [cancel] * 11}).encode()
    *_, last = site.send(HttpRequest("POST", "/api/v1/orders/batch", {}, too_many))[1]["data"]["results"]
    assert last["error"] == "At most 10 actions"


def test_orders_by_socket(site, shared_dir) -> None:
    *_, recorded = json.loads((shared_dir / "recorded" / "pacifica" / "errors.json").read_text())
    line = site.socket()
    body = site.signed("create_order", site.order(client_order_id=CLIENT_ID))
    (made,) = line.say({"id": "one", "params": {"create_order": body}})
    assert (made["code"], made["id"], made["type"], made["data"]["I"]) == (200, "one", "create_order", CLIENT_ID)
    gone = {"symbol": "BTC", "order_id": made["data"]["i"]}
    assert line.say({"id": "two", "params": {"cancel_order": site.signed("cancel_order", gone)}})[0]["code"] == 200
    (refused,) = line.say({"id": "three", "params": {"cancel_order": site.signed("cancel_order", gone)}})
    assert refused.keys() == recorded.keys() and (refused["code"], refused["err"]) == (420, recorded["err"])
    assert refused["rl"] == {"r": 985, "q": 1000, "t": refused["rl"]["t"]}
    assert line.say({"id": "four", "params": {"create_order": {**body, "price": "1"}}})[0]["err"].startswith(
        "Verification failed"
    )


def test_a_chosen_leverage_is_streamed(site) -> None:
    line = site.socket()
    line.subscribe("account_leverage", account=site.account)
    site.post("/account/leverage", "update_leverage", {"symbol": "BTC", "leverage": 7})
    (frame,) = line.heard[1:]
    assert frame == {"channel": "account_leverage", "data": {"u": site.account, "s": "BTC", "l": 7, "t": site.clock.now_ms()}}
