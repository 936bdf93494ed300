"""The venue as its documents and public reports describe it: hours, other kinds of markets, reduce-only, fees, keys, budgets."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from exchange_clients.domain.account import FeeRates
from exchange_clients.domain.orders import OrderStatus, TimeInForce
from exchange_clients.domain.side import Side
from exchange_clients.engine.transport import HttpRequest
from exchange_clients.paradex import common
from exchange_clients.paradex.sandbox import DIME_PRICE, OTHERS, USDC_PRICE
from exchange_clients.sandbox.market_model import ModelPrices
from tests.support.stage import SteppedClock
from tests.venues.paradex.test_paradex_sandbox import BTC, Set, on, scene, socket, token

__all__ = ["on"]  # the fixture

MONDAY_0429 = int(datetime(2026, 1, 5, 4, 29, 30, tzinfo=UTC).timestamp() * 1000)
SATURDAY_0431 = int(datetime(2026, 1, 3, 4, 31, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000


async def sent(on: Set, **changes: Any) -> tuple[int, Any]:
    """An order as the wire takes it; bodies are signed by the client's own dialect."""
    bearer, request = await token(on), await on.order(**changes)
    flags = ["REDUCE_ONLY"] if request.reduce_only else []
    tif = {TimeInForce.IOC: "IOC", TimeInForce.GTC: "GTC", TimeInForce.POST_ONLY: "POST_ONLY"}[request.time_in_force]
    order = {"market": BTC, "side": "BUY" if request.side is Side.BUY else "SELL", "type": "LIMIT", "size": f"{request.size:f}"}
    order |= {"price": f"{request.price:f}", "instruction": tif, "flags": flags, "client_id": request.client_order_id}
    return on.send("POST", "/v1/orders", bearer, on.client._dialect._signed(order))


def ended(on: Set, order_id: str) -> tuple[OrderStatus, str]:
    order = on.facade.exchange.order(on.account, order_id=int(order_id[-15:]))
    assert order is not None
    return order.status, on.facade.order(order)["cancel_reason"]


def near(on: Set) -> Decimal:
    """A bid one basis point below the fair price."""
    return (on.facade.exchange.state(BTC).mark * Decimal("0.9999")).quantize(Decimal("0.1"))


# Hours


async def test_a_release_takes_cancellations_first_then_orders_that_only_rest_then_everything() -> None:
    """Docs: trading/maintenance-mode. A public incident log saw SYSTEM_STATUS_CANCEL_ONLY at 04:45 UTC on a Friday."""
    clock = SteppedClock(MONDAY_0429)
    async with scene(clock, ModelPrices(7, MONDAY_0429)) as on:
        assert on.get("/v1/system/state")[1] == {"status": "ok"}
        mark = on.facade.exchange.state(BTC).mark
        _, far = await sent(
            on, price=(mark * Decimal("1.02")).quantize(Decimal("0.1")), side=Side.SELL, time_in_force=TimeInForce.GTC
        )
        _, kept = await sent(on, price=(mark * Decimal("0.97")).quantize(Decimal("0.1")), time_in_force=TimeInForce.GTC)
        assert ended(on, far["id"])[0] is OrderStatus.OPEN
        clock.jump(MINUTE_MS)
        on.world.advance()
        assert on.get("/v1/system/state")[1] == {"status": "cancel_only"}
        for tif in TimeInForce:
            status, reply = await sent(on, price=near(on), time_in_force=tif)
            assert (status, reply["error"]) == (400, "SYSTEM_STATUS_CANCEL_ONLY")
        assert on.send("DELETE", f"/v1/orders/{kept['id']}", await token(on))[0] == 204
        clock.jump(2 * MINUTE_MS)
        on.world.advance()
        assert on.get("/v1/system/state")[1] == {"status": "post_only"}
        for tif in (TimeInForce.IOC, TimeInForce.GTC):
            status, reply = await sent(on, price=near(on), time_in_force=tif)
            assert (status, reply["error"]) == (400, "SYSTEM_STATUS_POST_ONLY")
        _, rests = await sent(on, price=near(on), time_in_force=TimeInForce.POST_ONLY)
        assert ended(on, rests["id"])[0] is OrderStatus.OPEN
        clock.jump(2 * MINUTE_MS)
        on.world.advance()
        assert on.get("/v1/system/state")[1] == {"status": "ok"}
        assert (await sent(on))[0] == 201


async def test_while_it_pauses_what_is_dearer_than_the_fair_price_is_cancelled() -> None:
    """Docs: buys up to 5 bps above and sells down to 5 bps below the fair price stand; the others are cancelled."""
    clock = SteppedClock(MONDAY_0429)
    async with scene(clock, ModelPrices(7, MONDAY_0429)) as on:
        state = on.facade.exchange.prices.state
        _, bid = await sent(
            on,
            price=(on.facade.exchange.state(BTC).mark * Decimal("0.999")).quantize(Decimal("0.1")),
            time_in_force=TimeInForce.GTC,
        )

        def fallen(venue: str, name: str, now_ms: int) -> Any:
            from dataclasses import replace

            found = state(venue, name, now_ms)
            return found and replace(found, mark=found.mark * Decimal("0.99"))

        clock.jump(MINUTE_MS)
        on.facade.exchange.prices.state = fallen  # type: ignore[method-assign]
        on.world.advance()
        assert ended(on, bid["id"])[0] is OrderStatus.CANCELLED and not on.facade.exchange.fills(on.account)


async def test_there_is_no_release_on_a_saturday() -> None:
    async with scene(SteppedClock(SATURDAY_0431), ModelPrices(7, SATURDAY_0431)) as on:
        assert on.get("/v1/system/state")[1] == {"status": "ok"} and (await sent(on))[0] == 201


# Markets


async def test_markets_that_are_not_ours_share_the_lists_and_take_no_order(on: Set) -> None:
    """OpenAPI: MarketResp.market_kind, trading_mode; codes of ErrorCode."""
    rows = {row["symbol"]: row for row in on.get("/v1/markets")[1]["results"]}
    assert rows["ISOLATED-USD-PERP"]["market_kind"] == "isolated" and rows["RFQ-USD-PERP"]["trading_mode"] == "RFQ_ONLY"
    assert {row["symbol"] for row in on.get("/v1/markets/summary?market=ALL")[1]["results"]} == rows.keys()
    order = {"market": "RFQ-USD-PERP", "side": "BUY", "type": "LIMIT", "size": "1", "price": "1", "instruction": "GTC"}
    await token(on)
    for market, (_, code) in OTHERS.items():
        body = on.client._dialect._signed({**order, "market": market})
        status, reply = on.send("POST", "/v1/orders", await token(on), body)
        assert (status, reply["error"]) == (400, code)


async def test_only_markets_on_cross_margin_with_a_book_are_offered(on: Set) -> None:
    listed = {instrument.venue_symbol for instrument in await on.client.fetch_instruments()}
    assert listed == set(on.facade.exchange.listings) and not listed & OTHERS.keys()
    assert {stat.venue_symbol for stat in await on.client.fetch_stats()} == listed


async def test_more_public_figures_than_we_read_are_there_for_clients_that_do(on: Set) -> None:
    """OpenAPI: /bbo, /orderbook/{market}/interactive, /markets/klines; the SDK's SystemConfig."""
    assert on.get(f"/v1/bbo/{BTC}")[1].keys() == {"market", "bid", "bid_size", "ask", "ask_size", "seq_no", "last_updated_at"}
    book = on.get(f"/v1/orderbook/{BTC}/interactive?depth=3")[1]
    assert len(book["bids"]) == 3 and book["best_bid_interactive"] == book["bids"][0]
    now_ms = on.clock.now_ms()
    path = f"/v1/markets/klines?symbol={BTC}&resolution=5&start_at={now_ms - 1}&end_at={now_ms + 1_200_000}"
    on.clock.jump(1_200_000)  # type: ignore[attr-defined]
    rows = on.get(path)[1]["results"]
    assert len(rows) == 5 and all(low <= first <= high and low <= last <= high for _, first, high, low, last, _ in rows)
    config = on.get("/v1/system/config")[1]
    needed = "starknet_fullnode_rpc_url starknet_fullnode_rpc_base_url block_explorer_url paraclear_address oracle_address"
    needed += " l1_core_contract_address l1_operator_address liquidation_fee starknet_gateway_url paraclear_evm_account_hash"
    assert all(config[name] for name in needed.split())
    assert on.get("/v1/bbo/NO-USD-PERP")[1]["error"] == "MARKET_NOT_FOUND"


# Reduce-only


async def test_a_reduce_only_order_above_the_position_is_refused_not_cut(on: Set) -> None:
    """A public incident log of 2026-06-12: both closing orders were larger than the position and were refused."""
    await sent(on)
    low = (on.facade.exchange.state(BTC).mark * Decimal("0.98")).quantize(Decimal("0.1"))
    _, over = await sent(on, side=Side.SELL, reduce_only=True, size=Decimal("0.02"), price=low)
    assert ended(on, over["id"]) == (OrderStatus.REJECTED, "REDUCE_ONLY_WILL_INCREASE")
    _, exact = await sent(on, side=Side.SELL, reduce_only=True, size=Decimal("0.01"), price=low)
    assert ended(on, exact["id"])[0] is OrderStatus.FILLED


async def test_reduce_only_orders_share_the_position_by_price(on: Set) -> None:
    """Docs: order-instructions, scenarios 1 to 3 and a position that shrinks."""
    await sent(on, size=Decimal("0.1"))
    mark = on.facade.exchange.state(BTC).mark

    async def offer(factor: str, size: str, reduce_only: bool = True) -> str:
        price = (mark * Decimal(factor)).quantize(Decimal("0.1"))
        terms = {"price": price, "size": Decimal(size), "reduce_only": reduce_only, "time_in_force": TimeInForce.GTC}
        return str((await sent(on, side=Side.SELL, **terms))[1]["id"])

    near, far = await offer("1.02", "0.05"), await offer("1.03", "0.05")
    beyond = await offer("1.04", "0.01")
    assert ended(on, beyond) == (OrderStatus.REJECTED, "REDUCE_ONLY_WILL_INCREASE")
    await offer("1.04", "0.01", reduce_only=False)
    assert ended(on, near)[0] is ended(on, far)[0] is OrderStatus.OPEN
    await offer("1.01", "0.01", reduce_only=False)
    assert ended(on, near)[0] is OrderStatus.OPEN
    assert ended(on, far) == (OrderStatus.CANCELLED, "REDUCE_ONLY_WILL_INCREASE")
    low = (mark * Decimal("0.98")).quantize(Decimal("0.1"))
    await sent(on, side=Side.SELL, size=Decimal("0.06"), price=low)
    assert ended(on, near) == (OrderStatus.CANCELLED, "REDUCE_ONLY_WILL_INCREASE")


async def test_dust_may_be_closed_whole_and_not_in_part(on: Set) -> None:
    """Docs: order-instructions, minimum order value."""
    await sent(on, size=Decimal("0.001"))
    low = (on.facade.exchange.state(BTC).mark * Decimal("0.98")).quantize(Decimal("0.1"))
    least = on.facade.exchange.listings[BTC].instrument.lot_size
    assert (await sent(on, side=Side.SELL, reduce_only=True, size=least, price=low))[1]["error"] == "INVALID_ORDER_SIZE"
    assert (await sent(on, side=Side.SELL, reduce_only=True, size=Decimal("0.001"), price=low))[0] == 201


async def test_an_order_that_meets_our_own_ends_it_as_a_self_trade(on: Set) -> None:
    _, resting = await sent(
        on, price=(on.facade.exchange.book(BTC, 1)[1][0][0] - Decimal("0.1")), time_in_force=TimeInForce.GTC
    )
    await sent(on, side=Side.SELL, price=(on.facade.exchange.state(BTC).mark * Decimal("0.98")).quantize(Decimal("0.1")))
    assert ended(on, resting["id"]) == (OrderStatus.CANCELLED, "SELF_TRADE")


# Money


async def test_fees_may_be_paid_in_dime_while_it_lasts(on: Set) -> None:
    """Docs: trading-fees, pay fees in DIME: 40 % less, out of the spot balance, at its mark price; else USDC."""
    on.facade.pay_fees_in_dime(on.account, Decimal(1000))
    await sent(on)
    (fill,) = on.facade.exchange.fills(on.account)
    row = on.facade.fill(fill)
    usual = fill.size * fill.price * common.SPEC.fees.taker
    assert row["fee_currency"] == "DIME"
    assert Decimal(row["fee"]) == (usual * Decimal("0.6") / DIME_PRICE).quantize(Decimal("1e-8"))
    assert on.facade.exchange.wallet(on.account) == 10_000
    balances = {row["token"]: Decimal(row["size"]) for row in on.get("/v1/balance", await token(on))[1]["results"]}
    assert balances == {"USDC": 10_000, "DIME": 1000 - Decimal(row["fee"])}
    await sent(on, size=Decimal(1))
    assert {on.facade.fill(fill)["fee_currency"] for fill in on.facade.exchange.fills(on.account)} == {"DIME", "USDC"}


async def test_other_tokens_are_worth_something_and_back_nothing(on: Set) -> None:
    """Docs: spot-trading/non-usdc-balances-collateral."""
    on.facade.exchange.give(on.account, "DIME", Decimal(50_000))
    summary = on.get("/v1/account", await token(on))[1]
    assert Decimal(summary["account_value"]) == 11_000 and Decimal(summary["free_collateral"]) == 10_000
    assert Decimal(summary["total_collateral"]) == 10_000 * USDC_PRICE


async def test_a_wallet_is_the_settlement_token_alone_wherever_it_is_told(on: Set) -> None:
    from tests.support.stage import collect

    on.facade.exchange.give(on.account, "DIME", Decimal(50_000))
    balance = await on.client.fetch_balance()
    assert (balance.wallet, balance.equity, balance.available) == (10_000, 10_000, 10_000)
    stream = on.client.stream_account()
    await collect(stream, lambda e: getattr(e[-1], "balance", None) is not None)
    await sent(on)
    events = await collect(stream, lambda e: getattr(e[-1], "balance", None) is not None and e[-1].balance.wallet != 10_000)
    told = events[-1].balance
    asked = await on.client.fetch_balance()
    assert told.wallet == asked.wallet and abs(told.equity - asked.equity) < 1
    assert told.wallet == on.facade.exchange.wallet(on.account) and abs(told.equity - on.facade.exchange.equity(on.account)) < 1


async def test_a_market_may_have_its_own_fee(on: Set) -> None:
    """OpenAPI: MarketResp.fee_config.api_fee."""
    from dataclasses import replace

    own = FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.001"))
    on.facade.exchange.listings[BTC] = replace(on.facade.exchange.listings[BTC], fees=own)
    terms = on.get(f"/v1/markets?market={BTC}")[1]["results"][0]["fee_config"]["api_fee"]
    assert (terms["maker_fee"]["fee"], terms["taker_fee"]["fee"]) == ("0.0001", "0.001")
    await sent(on)
    (fill,) = on.facade.exchange.fills(on.account)
    assert fill.fee == (fill.size * fill.price * own.taker).quantize(Decimal("1e-8"))


async def test_a_fill_tells_the_funding_that_it_settled_and_a_position_what_waits(on: Set) -> None:
    await sent(on, size=Decimal(1))
    on.clock.jump(3_600_000)  # type: ignore[attr-defined]
    (row,) = on.get("/v1/positions", await token(on))[1]["results"]
    assert Decimal(row["unrealized_funding_pnl"]) != 0
    await sent(on, side=Side.SELL, reduce_only=True, size=Decimal(1), price=on.facade.exchange.book(BTC, 50)[0][-1][0])
    fills = [on.facade.fill(fill) for fill in on.facade.exchange.fills(on.account)]
    paid = on.get(f"/v1/funding/payments?market={BTC}", await token(on))[1]["results"]
    settled = {fill["id"]: Decimal(fill["realized_funding"]) for fill in fills}
    assert paid and all(settled[payment["fill_id"]] == Decimal(payment["payment"]) for payment in paid)


# Keys, budgets, sockets


async def test_a_subkey_trades_and_may_not_change_settings(on: Set) -> None:
    """Docs: api-authentication, subkeys."""
    from exchange_clients.paradex.client import ParadexClient
    from tests.venues.paradex.test_paradex_sandbox import with_credentials

    async with ParadexClient(with_credentials(on, private_key=on.facade.subkey(on.account))) as client:
        assert (await client.place_order(await on.order())).status is OrderStatus.PENDING
        bearer = await client._dialect.token.valid()
        margin = {"leverage": 5, "margin_type": "CROSS"}
        status, reply = on.send("POST", f"/v1/account/margin/{BTC}", bearer, margin)
        assert (status, reply["error"]) == (403, "REQUEST_NOT_ALLOWED")
        (config,) = on.get(f"/v1/account/margin?market={BTC}", bearer)[1]["configs"]
        assert (config["leverage"], config["margin_type"]) == (50, "CROSS")


async def test_private_calls_count_for_the_address_too(on: Set) -> None:
    """Docs: rate-limits/api: 1,500 a minute per IP across all accounts."""
    accounts = [on.world.enrol("paradex", name, Decimal(5))["account_address"] for name in ("one", "two", "three")]
    statuses = []
    for _ in range(5):  # 110 in 12 s is within what an account may read
        on.clock.jump(12_000)  # type: ignore[attr-defined]
        for bearer in [on.facade.tokens.issue(account) for account in accounts]:
            headers = {"Authorization": f"Bearer {bearer}"}
            for _ in range(110):
                statuses.append(on.facade.handle(HttpRequest("GET", "/v1/balance", headers), "an office").status)
    assert statuses.count(200) == statuses.index(429) == 1500
    assert on.facade.handle(HttpRequest("GET", "/v1/system/time"), "an office").status == 429
    assert on.facade.handle(HttpRequest("GET", "/v1/system/time"), "another").status == 200


@pytest.mark.parametrize(("bearer", "code"), [("junk", 40110), ("e30.e30.forged", 40111)])
async def test_a_socket_says_what_is_wrong_with_a_token(on: Set, bearer: str, code: int) -> None:
    """Docs: websockets/error-handling."""
    _, say, _ = socket(on)
    assert say("auth", bearer=bearer)["error"]["code"] == code


async def test_a_fill_tells_what_it_left_of_the_balance(on: Set) -> None:
    """AsyncAPI: balance_events, BalanceEventResponse."""
    frames, say, _ = socket(on)
    say("auth", bearer=await token(on))
    say("subscribe", channel="balance_events")
    await sent(on)
    (event,) = [f["params"]["data"] for f in frames if f.get("params", {}).get("channel") == "balance_events"]
    names = ("settlement_asset_balance_after", "settlement_asset_balance_before", "fees")
    after, before, fee = (Decimal(event[name]) for name in names)
    assert (before, after) == (10_000, on.facade.exchange.wallet(on.account)) and before - fee == after
