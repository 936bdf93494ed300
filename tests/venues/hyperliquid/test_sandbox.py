"""The façade from outside: replies shaped like recorded ones, refusals in the venue's words, nonces and budgets kept."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange_clients.hyperliquid.signing import Signer
from tests.venues.hyperliquid.support import CLOID, HOUR_MS, START_MS, Site


@pytest.fixture
def site() -> Site:
    return Site()


def recorded_reply(shared_dir: Path, cassette: str, kind: str) -> Any:
    folder = shared_dir / "recorded" / "hyperliquid" / "cassettes"
    for exchange in json.loads((folder / f"{cassette}.json").read_text()):
        if exchange["request"]["body"]["type"] == kind:
            return exchange["response"]["body"]
    raise AssertionError(f"{cassette} holds no {kind}")


def sample(shared_dir: Path, name: str) -> Any:
    return json.loads((shared_dir / "recorded" / "hyperliquid" / f"sample_{name}.json").read_text())


def kinds(row: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in row.items()}


def must_be_shaped(ours: dict[str, Any], theirs: dict[str, Any], without: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Every recorded member is there, with a value of the same kind (null may stand for anything)."""
    for key, kind in kinds(theirs).items():
        if key in without:
            continue
        assert key in ours, key
        assert ours[key] is None or theirs[key] is None or type(ours[key]) is kind, key


def test_replies_are_shaped_like_recorded_ones(site: Site, shared_dir: Path) -> None:
    site.act(site.order("95000", tif="Ioc", c=CLOID))
    site.act(site.order("80000"))
    state, theirs = (
        site.info("clearinghouseState", user=site.user),
        recorded_reply(shared_dir, "test_get_user_state", "clearinghouseState"),
    )
    must_be_shaped(state, theirs, without={"crossMaintenanceMarginUsed"})
    must_be_shaped(state["marginSummary"], theirs["marginSummary"])
    ours, recorded = state["assetPositions"][0], theirs["assetPositions"][0]
    must_be_shaped(ours["position"], recorded["position"], without={"maxTradeSzs", "returnOnEquity"})
    must_be_shaped(ours["position"]["leverage"], recorded["position"]["leverage"])
    fill = site.info("userFillsByTime", user=site.user, startTime=0)[0]
    must_be_shaped(fill, sample(shared_dir, "fetch_my_trades_3400")[0], without={"liquidationMarkPx"})
    (resting,) = site.info("frontendOpenOrders", user=site.user)
    must_be_shaped(resting, recorded_reply(shared_dir, "test_get_frontend_open_orders", "frontendOpenOrders")[0])
    status = site.info("orderStatus", user=site.user, oid=CLOID)
    must_be_shaped(status["order"], sample(shared_dir, "fetch_order_3145")["order"], without={"statusTimestamp"})
    book = site.info("l2Book", coin="BTC")
    must_be_shaped(book, sample(shared_dir, "prohandle_order_book_280")["data"])
    must_be_shaped(book["levels"][0][0], sample(shared_dir, "prohandle_order_book_280")["data"]["levels"][0][0])
    context = site.info("metaAndAssetCtxs")[1][0]
    must_be_shaped(context, sample(shared_dir, "fetch_funding_rates_1311")[1][0], without={"impactPxs", "prevDayPx"})
    point = site.info("fundingHistory", coin="BTC", startTime=START_MS - 5 * HOUR_MS)[0]
    must_be_shaped(point, sample(shared_dir, "fetch_funding_rate_history_2904")[0])
    assert point["time"] % HOUR_MS == 0


def test_an_order_is_answered_as_recorded(site: Site, shared_dir: Path) -> None:
    reply = site.act(site.order("80000"))
    theirs = sample(shared_dir, "create_orders_2134")
    assert reply["status"] == theirs["status"] and reply["response"]["type"] == theirs["response"]["type"]
    assert list(reply["response"]["data"]["statuses"][0]["resting"]) == ["oid"]
    oid = reply["response"]["data"]["statuses"][0]["resting"]["oid"]
    assert site.act({"type": "cancel", "cancels": [{"a": 0, "o": oid}]}) == sample(shared_dir, "cancel_orders_2386")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"price": "95000", "tif": "Alo"}, "Post only order would have immediately matched, bbo was "),
        ({"price": "80000", "tif": "Ioc"}, "Order could not immediately match against any resting orders."),
        ({"size": "0.0001"}, "Order must have minimum value of $10."),
        ({"price": "80000.5"}, "Price must be divisible by tick size."),
        ({"price": "80000", "size": "0.000001"}, "Order has invalid size."),
        ({"price": "95000", "size": "90"}, "Insufficient margin to place order."),
        ({"reduce": True}, "Reduce only order would increase position."),
        ({"price": "5000"}, "Order price cannot be more than 80% away from the reference price"),
    ],
)
def test_refusals_use_the_venues_words(site: Site, order: dict[str, Any], words: str) -> None:
    reply = site.act(site.order(**order))
    assert reply["status"] == "ok" and reply["response"]["data"]["statuses"][0]["error"].startswith(words)


def test_a_wrong_signature_recovers_a_stranger(site: Site) -> None:
    for reply in (site.act(site.order(), mainnet=True), site.act(site.order(), signer=Signer("22" * 32))):
        assert reply["status"] == "err"
        assert reply["response"].startswith("User or API Wallet 0x") and reply["response"].endswith("does not exist.")
    assert not site.info("openOrders", user=site.user)


def test_a_nonce_serves_once_and_near_the_clock(site: Site) -> None:
    day_ms = 24 * HOUR_MS
    assert site.act(site.order(), nonce=site.nonce)["status"] == "ok"
    for nonce in (site.nonce, START_MS - 3 * day_ms, START_MS + 2 * day_ms):
        reply = site.act(site.order(), nonce=nonce)
        assert reply["status"] == "err" and "nonce" in reply["response"].lower()
    assert site.act(site.order(), nonce=site.nonce - 1000)["status"] == "ok", "unused and not too old"


def test_an_expired_action_does_nothing(site: Site) -> None:
    action, nonce = site.order(), site.nonce + 1
    signature = site.signer.sign_action(action, nonce, False, expires_after=START_MS - 1)
    body = {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None, "expiresAfter": START_MS - 1}
    assert site.post("/exchange", body)[1]["status"] == "err"
    assert not site.info("openOrders", user=site.user)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type":"noSuchThing"}', b'{"type":"l2Book"}'])
def test_what_is_not_a_request_is_422(site: Site, body: bytes) -> None:
    status, text = site.post("/info", body)
    assert status == 422 and text.startswith("Failed to deserialize")


def test_budgets_are_counted_by_address(site: Site) -> None:
    answers = [site.post("/info", {"type": "meta"}, "10.0.0.9")[0] for _ in range(61)]
    assert answers == [200] * 60 + [429]
    assert site.post("/info", {"type": "meta"}, "10.0.0.8")[0] == 200


def test_what_other_clients_ask_first(site: Site) -> None:
    assert site.info("spotMeta").keys() >= {"universe", "tokens"}
    assert site.info("perpDexs") == [None]
    assert len(site.info("spotMetaAndAssetCtxs")) == 2
    assert site.info("userRole", user=site.user)["role"] == "user"
    site.act(site.order("95000", tif="Ioc"))
    newest_first = site.info("userFills", user=site.user)
    assert [f["time"] for f in newest_first] == sorted((f["time"] for f in newest_first), reverse=True) and newest_first


def test_funding_is_paid_on_the_hour_by_the_index(site: Site) -> None:
    site.act(site.order("95000", tif="Ioc", size="0.1"))
    rate = site.world.exchanges["hyperliquid"].markets.funding_rate("BTC", (START_MS // HOUR_MS + 1) * HOUR_MS - 1)
    site.clock.market_origin_ms += HOUR_MS
    site.world.advance()
    (paid,) = site.info("userFunding", user=site.user, startTime=0)
    assert rate is not None and Decimal(paid["delta"]["fundingRate"]) == rate
    assert paid["time"] % HOUR_MS == 0
    assert (Decimal(paid["delta"]["usdc"]) < 0) == (rate > 0), "a long pays when the rate is positive"
