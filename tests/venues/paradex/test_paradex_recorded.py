"""Every recorded reply to a call we make decodes; what is not a reply to such a call is listed by name, with the reason."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange_clients.domain.assets import Asset
from exchange_clients.domain.orders import OrderStatus
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from exchange_clients.engine.endpoint import Endpoint
from exchange_clients.engine.json_rpc import RpcAnswer, RpcFrame
from exchange_clients.paradex import common, wire

REST = {
    "fetch_markets": wire.Page[wire.Market],
    "fetch_tickers": wire.Page[wire.Summary],
    "fetch_ticker": wire.Page[wire.Summary],
    "parse_ticker": wire.Summary,
    "parse_funding_rate": wire.Summary,
    "fetch_order_book": wire.RestBook,
    "fetch_trades": wire.Page[wire.PublicTrade],
    "fetch_open_interest": wire.Page[wire.Summary],
    "parse_open_interest": wire.Summary,
    "parse_order": wire.OrderRow,
    "create_order": wire.OrderRow,
    "edit_order": wire.OrderRow,
    "fetch_order": wire.OrderRow,
    "fetch_orders": wire.Page[wire.OrderRow],
    "fetch_open_orders": wire.Page[wire.OrderRow],
    "fetch_balance": wire.Page[wire.BalanceRow],
    "fetch_my_trades": wire.Page[wire.FillRow],
    "fetch_positions": wire.Page[wire.PositionRow],
    "parse_position": wire.PositionRow,
    "fetch_greeks": wire.Page[wire.Summary],
    "fetch_all_greeks": wire.Page[wire.Summary],
    "parse_greeks": wire.Summary,
    "fetch_funding_history": wire.Page[wire.PaymentRow],
    "parse_income": wire.PaymentRow,
    "handle_errors": wire.ApiError,
}
REST_IN_PROSE = {
    "parse_market": [wire.Market, wire.Market],
    "parse_trade": [wire.PublicTrade, wire.FillRow],
    "fetch_funding_rate_history": [wire.Page[wire.FundingPoint]],
}
REST_NOT_OURS = {
    "parse_trading_fee": "fees of a market; account/info tells the account's own",
    "fetch_trading_fee": "fees of a market",
    "fetch_trading_fees": "fees of markets",
    "fetch_ohlcv": "candles are not read",
    "parse_ohlcv": "candles are not read",
    "create_orders": "batches are not sent",
    "cancel_orders": "batches are not cancelled",
    "fetch_my_liquidations": "liquidations are read as fills",
    "parse_liquidation": "liquidations are read as fills",
    "fetch_deposits": "transfers are not read",
    "fetch_withdrawals": "transfers are not read",
    "fetch_transfers": "transfers are not read",
    "parse_transfer": "transfers are not read",
    "parse_transaction": "transfers are not read",
    "fetch_margin_mode": "margin configuration is set, not read",
    "fetch_leverage": "margin configuration is set, not read",
    "sign": "prose",
}
FRAMES = {
    "handle_authentication_message": RpcAnswer,
    "handle_order": RpcFrame[wire.OrderRow],
    "handle_my_trade": RpcFrame[wire.FillRow],
    "handle_positions": RpcFrame[wire.PositionRow],
    "handle_balance": RpcFrame[wire.AccountSummary],
    "handle_error_message": RpcAnswer,
}
FRAMES_NOT_OURS = {
    "handle_order_book": "books come in SBE today, which test_paradex_sbe.py reads",
    "handle_trade": "public trades are not streamed",
    "handle_ticker": "summaries are not streamed",
    "handle_funding_rate": "funding data is not streamed",
    "parse_funding_rate_ws": "funding data is not streamed",
    "handle_message": "prose that repeats the acknowledgement and handle_trade",
    "parse_sbe_order": "prose about the binary encoding, which is not used",
    "sbe_read_flags": "prose about the binary encoding",
    "parse_sbe_fill": "prose about the binary encoding",
    "parse_sbe_position": "prose about the binary encoding",
    "parse_sbe_account": "prose about the binary encoding",
}
SPECIFICATIONS = {"paradex_docs_asyncapi_prod.yaml", "paradex_docs_openapi_prod.json", "paradex_docs_openrpc.json"}
SAMPLES = {"rest_paradex_samples.json", "ws_paradex_samples.json"}
SCHEMAS = {  # our type → the venue's schema; None: only recordings know the field
    wire.Market: "MarketResp",
    wire.Summary: "MarketSummaryResp",
    wire.FundingPoint: "FundingDataResult",
    wire.RestBook: "AskBidArray",
    wire.PublicTrade: "TradeResult",
    wire.OrderRow: "OrderResp",
    wire.FillRow: "FillResult",
    wire.PositionRow: "PositionResp",
    wire.BalanceRow: "BalanceResp",
    wire.AccountSummary: "AccountSummaryResponse",
    wire.AccountInfo: "AccountInfoResponse",
    wire.Fees: "Fees",
    wire.PaymentRow: "FundingPayment",
    wire.SystemConfig: "SystemConfigResponse",
    wire.Token: "AuthResp",
    wire.ApiError: "ApiError",
}


@pytest.fixture(scope="module")
def recorded(shared_dir) -> Path:
    return shared_dir / "recorded" / "paradex"


@pytest.fixture(scope="module")
def rest(recorded) -> list[dict[str, Any]]:
    return json.loads((recorded / "rest_paradex_samples.json").read_text())["data"]


@pytest.fixture(scope="module")
def frames(recorded) -> list[dict[str, Any]]:
    return json.loads((recorded / "ws_paradex_samples.json").read_text())["data"]


def decoded(content: Any, kind: Any) -> Any:
    return msgspec.json.decode(json.dumps(content), type=kind, strict=False)


def objects(text: str) -> list[Any]:
    """The JSON objects in a text with prose between them."""
    found, at = [], text.find("{")
    while at >= 0:
        value, end = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at = text.find("{", end)
    return found


def one(samples: list[dict[str, Any]], near: str) -> Any:
    return next(sample["json"] for sample in samples if sample["near"] == near and "json" in sample)


def test_every_file_and_sample_is_accounted_for(recorded, rest, frames) -> None:
    assert {p.name for p in recorded.iterdir()} == SPECIFICATIONS | SAMPLES
    assert {s["near"] for s in rest} == REST.keys() | REST_IN_PROSE.keys() | REST_NOT_OURS.keys()
    assert {s["near"] for s in frames} == FRAMES.keys() | FRAMES_NOT_OURS.keys()


def test_every_reply_to_our_calls_decodes(rest) -> None:
    for sample in rest:
        if sample["near"] in REST:
            decoded(sample["json"], REST[sample["near"]])
        elif sample["near"] in REST_IN_PROSE:
            for content, kind in zip(objects(sample["text"]), REST_IN_PROSE[sample["near"]], strict=True):
                decoded(content, kind)


def test_every_frame_of_our_channels_decodes(frames) -> None:
    for sample in frames:
        if sample["near"] in FRAMES:
            decoded(sample["json"], FRAMES[sample["near"]])


def test_fields_and_paths_are_in_the_venues_specification(recorded) -> None:
    specification = json.loads((recorded / "paradex_docs_openapi_prod.json").read_text())
    schemas = specification["components"]["schemas"]
    for kind, name in SCHEMAS.items():
        known = schemas[f"responses.{name}"]["properties"]
        assert set(kind.__struct_encode_fields__) <= known.keys(), name
    for endpoint in (e for e in vars(common).values() if isinstance(e, Endpoint)):
        path = endpoint.path.removesuffix("/{public_key}")  # the form for subkeys is in the sheet, not in the specification
        assert endpoint.method.lower() in specification["paths"][path], endpoint.name


def test_the_option_in_the_list_is_not_taken_for_a_perpetual(rest) -> None:
    sample = next(s for s in rest if s["near"] == "parse_market")
    rows = [msgspec.Raw(json.dumps(content).encode()) for content in objects(sample["text"])]
    perpetual, option = (msgspec.json.decode(row, type=wire.Market, strict=False) for row in rows)
    assert wire.is_listed(perpetual) and not wire.is_listed(option)
    assert perpetual.funding_period_hours is None and option.funding_period_hours == "24"
    instrument, other = map(wire.to_instrument, rows)
    assert instrument is not None and other is None
    assert (instrument.symbol, instrument.venue_symbol, instrument.max_leverage) == ("BODEN", "BODEN-USD-PERP", 5)
    assert (instrument.lot_size, instrument.min_notional) == (1, 200)
    assert instrument.price_rule.tick == Decimal("0.00001")


def test_names_of_markets_agree_with_their_base_currency(shared_dir) -> None:
    lines = (shared_dir / "tapes" / "perp_dex_hourly_2026-01-02.csv").read_text().splitlines()
    names = {line.split(",")[2] for line in lines if ",paradex," in line}
    assert len(names) > 80 and all(wire.is_perp(name) for name in names)
    assert wire.asset_of("kPEPE-USD-PERP") == Asset("PEPE", Decimal(1000))
    assert wire.asset_of("0G-USD-PERP") == Asset("0G")


def test_statistics(rest) -> None:
    stats = wire.to_stats(decoded(one(rest, "parse_ticker"), wire.Summary), Provenance.LIVE, 0)
    assert (stats.symbol, stats.best_bid, stats.best_ask) == ("BTC", 68477.6, 69578.2)
    assert stats.open_interest_usd == pytest.approx(162.272 * 68465.17449906)
    assert stats.volume_24h_usd == pytest.approx(5815541.397939004)


def test_book_and_trade(rest) -> None:
    book = wire.to_book(decoded(one(rest, "fetch_order_book"), wire.RestBook), "BTC", 20, Provenance.LIVE)
    assert (book.best_bid, book.best_ask, book.sequence) == (68477.6, 69578.2, 14115975)
    (row,) = decoded(one(rest, "fetch_trades"), wire.Page[wire.PublicTrade]).results
    trade = wire.to_trade(row, Provenance.LIVE)
    assert (trade.side, trade.price, trade.size, trade.time_ms) == (Side.BUY, 69578.2, 0.026, 1718154353750)


def test_orders(rest) -> None:
    cancelled = wire.to_order(decoded(one(rest, "fetch_order"), wire.OrderRow))
    assert cancelled.status is OrderStatus.CANCELLED and cancelled.reason == "USER_CANCELED"
    assert (cancelled.filled, cancelled.average_price, cancelled.client_order_id) == (0, None, None)
    queued = wire.to_order(decoded(one(rest, "create_order"), wire.OrderRow))
    assert queued.status is OrderStatus.PENDING and queued.reduce_only and queued.price is None
    assert (queued.filled, queued.average_price, queued.client_order_id) == (Decimal("0.05"), 26000, "x1234")


@pytest.mark.parametrize(
    ("remaining", "reason", "expected"),
    [
        ("0", "", OrderStatus.FILLED),
        ("10.153", "NOT_ENOUGH_MARGIN", OrderStatus.REJECTED),
        ("10.153", "POST_ONLY_WOULD_CROSS", OrderStatus.REJECTED),
        ("10.153", "SOMETHING_NEW", OrderStatus.CANCELLED),
        ("4", "NOT_ENOUGH_MARGIN", OrderStatus.CANCELLED),
    ],
)
def test_closed_says_only_that_it_is_over(rest, remaining, reason, expected) -> None:
    row = one(rest, "fetch_order") | {"remaining_size": remaining, "cancel_reason": reason}
    assert wire.to_order(decoded(row, wire.OrderRow)).status is expected


@pytest.mark.parametrize(("field", "word"), [("status", "HALF_OPEN"), ("side", "LONG")])
def test_an_unknown_word_about_an_order_is_never_guessed(rest, field, word) -> None:
    with pytest.raises(msgspec.ValidationError, match=word):
        decoded(one(rest, "fetch_order") | {field: word}, wire.OrderRow)


def test_fills_positions_balance_and_payments(rest, frames) -> None:
    (fill,) = [wire.to_fill(row) for row in decoded(one(rest, "fetch_my_trades"), wire.Page[wire.FillRow]).results]
    assert (fill.fee, fill.fee_asset, fill.liquidity.value) == (Decimal("0.1945587"), "USDC", "taker")
    row = one(rest, "parse_position")
    long, short = (wire.to_position(decoded(row | {"side": side}, wire.PositionRow)) for side in ("LONG", "SHORT"))
    assert (long.size, short.size) == (Decimal("0.01"), Decimal("-0.01"))
    assert long.unrealised_pnl == Decimal("-2.39677214") and long.liquidation_price is None and long.leverage == 5
    account = decoded(one(frames, "handle_balance"), RpcFrame[wire.AccountSummary]).params.data
    balance = wire.to_balance(account, Decimal(1000))
    assert (balance.wallet, balance.equity, balance.available) == (1000, Decimal("1000.5"), Decimal("900.5"))
    (paid,) = [wire.to_payment(row) for row in decoded(one(rest, "fetch_funding_history"), wire.Page[wire.PaymentRow]).results]
    assert (paid.amount, paid.rate, paid.position_size) == (Decimal("34.4490622"), None, None)
