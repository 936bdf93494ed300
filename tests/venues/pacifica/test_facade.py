"""The façade judged from outside: its shapes against recorded ones, its refusals in the venue's words, its rules of access."""

import json
from decimal import Decimal

import pytest

from exchange_clients.engine.transport import HttpRequest
from exchange_clients.pacifica.signing import Signer
from exchange_clients.sandbox.tape import TapePrices
from tests.venues.pacifica.support import CLIENT_ID, HOUR_MS, START_MS, SetClock, Site

NULLABLE = {"client_order_id", "stop_price", "trigger_price_type", "stop_parent_order_id", "yesterday_price", "next_cursor"}


@pytest.fixture
def site() -> Site:
    return Site()


def shape(value, key: str = ""):
    """Keys and JSON types all the way down; of a list, its first entry."""
    if isinstance(value, dict):
        return {k: shape(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "anything" if key in NULLABLE else type(value).__name__


def both_ways(site: Site) -> None:
    """Leave every kind of thing behind: a fill, a position over an hour, an open order."""
    site.trade("ask", "0.02")
    site.clock.set_ms += 2 * HOUR_MS
    site.exchange.advance()
    site.trade("bid", "0.01")
    site.create()


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("account", "/account", {"account": True}),
        ("book", "/book", {"symbol": "BTC", "agg_level": 1}),
        ("funding_history_account", "/funding/history", {"account": True, "limit": 1}),
        ("funding_rate_history", "/funding_rate/history", {"symbol": "BTC", "limit": 1}),
        ("info", "/info", {}),
        ("info_prices", "/info/prices", {}),
        ("orders_open", "/orders", {"account": True}),
        ("positions", "/positions", {"account": True}),
        ("trades_history", "/trades/history", {"account": True, "limit": 1}),
    ],
)
def test_replies_have_the_recorded_shape(site, shared_dir, name, path, query) -> None:
    both_ways(site)
    expected = json.loads((shared_dir / "recorded" / "pacifica" / f"{name}.json").read_text())
    status, reply = site.get(path, **{k: site.account if v is True else v for k, v in query.items()})
    assert status == 200 and shape(reply) == shape(expected)


def test_acting_replies_have_the_recorded_shape(site, shared_dir) -> None:
    recorded = shared_dir / "recorded" / "pacifica"
    _, created = site.create()
    order_id = created["data"]["order_id"]
    edit = {"symbol": "BTC", "price": site.order()["price"], "amount": "0.02", "order_id": order_id}
    _, edited = site.post("/orders/edit", "edit_order", edit)
    assert shape(created) == shape(edited) == shape(json.loads((recorded / "orders_edit.json").read_text()))
    assert edited["data"]["order_id"] != order_id
    _, events = site.get("/orders/history_by_id", order_id=edited["data"]["order_id"])
    assert shape(events) == shape(json.loads((recorded / "orders_history_by_id.json").read_text()))
    everything = {"all_symbols": True, "exclude_reduce_only": False}
    _, gone = site.post("/orders/cancel_all", "cancel_all_orders", everything)
    assert gone == json.loads((recorded / "orders_cancel_all.json").read_text())


def test_refusals_have_recorded_words(site, shared_dir) -> None:
    _, _, not_verified, too_low, not_cancelled, no_history, _ = json.loads(
        (shared_dir / "recorded" / "pacifica" / "errors.json").read_text()
    )
    assert site.post("/orders/create", "create_order", site.order(), price="1") == (400, not_verified)
    assert site.post("/orders/cancel", "cancel_order", {"symbol": "BTC", "order_id": 1}) == (422, not_cancelled)
    status, reply = site.get("/orders/history_by_id", order_id=28416222569)
    assert (status, reply) == (404, no_history)
    status, reply = site.create(amount="0.00001")
    assert status == 422 and shape(reply) == shape(too_low) and reply["error"].startswith("Order amount too low for ")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"price": "80000.5"}, 422, 52),
        ({"amount": "0.000001"}, 422, 59),
        ({"amount": "0"}, 422, 59),
        ({"amount": "900"}, 422, 5),
        ({"price": "1000"}, 422, 30),
        ({"reduce_only": True}, 422, 23),
        ({"symbol": "NOSUCH"}, 422, 3),
        ({"symbol": "btc"}, 422, 3),
        ({"tif": "TOB"}, 422, 51),
        ({"client_order_id": "short"}, 400, 400),
        ({"amount": "much"}, 400, 400),
        ({"side": "buy"}, 400, 400),
    ],
)
def test_what_the_venue_refuses(site, changes, status, code) -> None:
    found, reply = site.create(**changes)
    assert (found, reply["code"], reply["success"], reply["data"]) == (status, code, False, None)
    assert not site.exchange.orders(site.account)
    assert site.get("/orders/history", account=site.account)[1]["data"] == []


def test_a_post_only_order_that_crosses_is_accepted_and_rejected_in_an_event(site) -> None:
    _, asks, _ = site.exchange.book("BTC", 1)
    status, reply = site.create(price=str(asks[0][0]), tif="ALO")
    _, events = site.get("/orders/history_by_id", order_id=reply["data"]["order_id"])
    (event,) = events["data"]
    assert status == 200 and (event["order_status"], event["event_type"]) == ("rejected", "post_only_rejected")


def test_a_client_id_is_unique(site) -> None:
    assert site.create(client_order_id=CLIENT_ID)[0] == 200
    status, reply = site.create(client_order_id=CLIENT_ID)
    assert (status, reply["code"]) == (422, 36)


def test_leverage_only_rises_while_a_position_is_open(site) -> None:
    def choose(leverage: int) -> tuple[int, int | None]:
        status, reply = site.post("/account/leverage", "update_leverage", {"symbol": "BTC", "leverage": leverage})
        return status, reply["code"]

    assert choose(5) == (200, None)
    site.trade()
    assert choose(4) == (422, 11) and choose(10) == (200, None) and choose(51) == (422, 11)
    _, settings = site.get("/account/settings", account=site.account)
    assert settings["data"]["margin_settings"] == [{"symbol": "BTC", "isolated": False, "leverage": 10}]


# Access


def test_a_signature_ages(site) -> None:
    stamp = site.clock.now_ms()
    site.clock.set_ms += 5_001
    status, reply = site.post("/orders/create", "create_order", site.order(), timestamp=stamp)
    assert (status, reply["error"]) == (400, "Message expired")
    assert site.post("/orders/create", "create_order", site.order(), timestamp=stamp + 1)[0] == 200


def test_an_agent_acts_once_it_is_bound_by_the_wallet(site) -> None:
    agent = Signer.from_seed(bytes(range(32)))
    as_agent = {"signer": agent, "agent_wallet": agent.address}
    status, reply = site.post("/orders/create", "create_order", site.order(), **as_agent)
    assert (status, reply["error"]) == (400, "Agent not authorized for account")
    by_itself = site.post("/agent/bind", "bind_agent_wallet", {"agent_wallet": agent.address}, signer=agent)
    assert by_itself[0] == 400 and by_itself[1]["error_id"] == "signature_verification_failed"
    assert site.post("/agent/bind", "bind_agent_wallet", {"agent_wallet": agent.address})[0] == 200
    assert site.post("/orders/create", "create_order", site.order(), **as_agent)[0] == 200
    assert len(site.exchange.orders(site.account)) == 1


def test_a_stranger_needs_access(site) -> None:
    stranger = Signer.from_seed(bytes(32))
    status, reply = site.post("/orders/create", "create_order", site.order(), signer=stranger, account=stranger.address)
    assert (status, reply["code"]) == (403, 403) and "Beta access" in reply["error"]


@pytest.mark.parametrize(
    ("method", "url", "body", "status"),
    [
        ("GET", "/api/v1/nothing", None, 404),
        ("GET", "/info", None, 404),
        ("DELETE", "/api/v1/orders", None, 405),
        ("POST", "/api/v1/orders/create", b"not json", 400),
        ("POST", "/api/v1/orders/create", b"[]", 400),
        ("POST", "/api/v1/orders/create", b'{"account":1,"signature":2,"timestamp":3}', 400),
        ("GET", "/api/v1/book", None, 400),
        ("GET", "/api/v1/book?symbol=NOSUCH", None, 422),
        ("GET", "/api/v1/account?account=nobody", None, 422),
    ],
)
def test_malformed_requests(site, method, url, body, status) -> None:
    assert site.send(HttpRequest(method, url, {}, body))[0] == status


def test_credits_are_counted_per_address_and_second_of_the_wire() -> None:
    site = Site(clock=SetClock(speed=60.0))
    request = HttpRequest("GET", f"/api/v1/trades/history?account={site.account}")
    assert [site.send(request)[0] for _ in range(9)] == [200] * 8 + [429]
    assert site.send(request, address="10.0.0.2")[0] == 200
    headers = site.facade.handle(request, "10.0.0.1").headers
    assert headers["ratelimit"].startswith('"credits";r=40;t=') and headers["ratelimit-policy"] == '"credits";q=1000;w=60'
    site.clock.set_ms += 60_000 * 60  # credits come back when a minute of the wire has passed
    assert site.send(request)[0] == 200


# Funding


def test_funding_is_the_tapes_number_digit_by_digit(shared_dir) -> None:
    tape = TapePrices(shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv", ["pacifica"])
    site = Site(tape, SetClock(tape.start_ms + HOUR_MS + 60_000))
    _, reply = site.get("/info/prices")
    rows = {row["symbol"]: row for row in reply["data"] if not row["symbol"].endswith("-USDC")}
    assert rows.keys() == site.exchange.listings.keys() and len(rows) > 20
    for symbol, row in rows.items():
        now, before = tape.state("pacifica", symbol, tape.start_ms + HOUR_MS), tape.state("pacifica", symbol, tape.start_ms)
        assert row["next_funding"] == format(now.funding_rate, "f")
        assert row["funding"] == (format(before.funding_rate, "f") if before else None)
        assert Decimal(row["open_interest"]) * Decimal(row["mark"]) == pytest.approx(
            Decimal(repr(now.open_interest_usd)), rel=Decimal("1e-4")
        )


def test_pages_of_history_join_without_gap_or_repeat(site) -> None:
    site.clock.set_ms = START_MS + 30 * HOUR_MS
    _, whole = site.get("/funding_rate/history", symbol="BTC", limit=4000)
    assert len(whole["data"]) == 30 and not whole["has_more"]
    rows, cursor = [], {}
    while True:
        _, page = site.get("/funding_rate/history", symbol="BTC", limit=7, **cursor)
        rows += page["data"]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert rows == whole["data"] and [r["created_at"] for r in rows] == sorted((r["created_at"] for r in rows), reverse=True)
