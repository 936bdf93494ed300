"""Every recorded reply to a call we make decodes; what is not a reply to such a call is listed by name, with the reason."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from exchange_clients.domain.assets import identify
from exchange_clients.domain.provenance import Provenance
from exchange_clients.hyperliquid import common, wire

ENDPOINTS = {e.operation: e for e in vars(common).values() if isinstance(e, common.Endpoint)}
META_REPLY = common.META_AND_CONTEXTS.reply

SAMPLES = {
    "sample_cancel_all_orders_after_2627": wire.ExchangeReply,
    "sample_cancel_orders_2386": wire.ExchangeReply,
    "sample_cancel_orders_for_symbols_2579": wire.ExchangeReply,
    "sample_create_orders_2134": wire.ExchangeReply,
    "sample_edit_orders_2793": wire.ExchangeReply,
    "sample_fetch_balance_1109": wire.ClearinghouseState,
    "sample_fetch_funding_history_4679": list[wire.UserFunding],
    "sample_fetch_funding_rate_history_2904": list[wire.FundingPoint],
    "sample_fetch_funding_rates_1311": META_REPLY,
    "sample_fetch_hip3_markets_655": META_REPLY,
    "sample_fetch_my_liquidations_3518": list[wire.UserFill],
    "sample_fetch_my_trades_3400": list[wire.UserFill],
    "sample_fetch_open_orders_2971": list[wire.BasicOrder],
    "sample_fetch_order_3145": wire.OrderStatusReply,
    "sample_fetch_order_book_1195": wire.L2Book,
    "sample_fetch_orders_3071": list[wire.StatusOfOrder],
    "sample_fetch_positions_3639": wire.ClearinghouseState,
    "sample_fetch_swap_markets_701": META_REPLY,
    "sample_fetch_trades_1560": list[wire.UserFill],
    "sample_fetch_trading_fee_4288": wire.UserFees,
    "sample_handle_errors_4825": wire.ExchangeReply,
    "sample_parse_funding_rate_1355": wire.AssetCtx,
    "sample_parse_income_4698": wire.UserFunding,
    "sample_parse_position_3691": wire.AssetPosition,
    "sample_parse_trade_3427": wire.UserFill,
    "sample_parse_trading_fee_4330": wire.UserFees,
    "sample_prohandle_my_trades_653": wire.UserFillsFrame,
    "sample_prohandle_order_book_280": wire.L2BookFrame,
    "sample_proparse_ws_trade_847": wire.UserFill,
}
NOT_OURS = {
    "http_predicted_fundings": "predictedFundings: metaAndAssetCtxs gives the same rate",
    "sample_cancel_twap_order_2454": "TWAP orders are not used",
    "sample_create_twap_order_2099": "TWAP orders are not used",
    "sample_create_vault_2861": "vaults are not made",
    "sample_fetch_currencies_456": "the first half of metaAndAssetCtxs without its second",
    "sample_fetch_deposits_4495": "ledger updates are not read",
    "sample_fetch_hip3_markets_559": "builder dexes are not read",
    "sample_fetch_ledger_4402": "ledger updates are not read",
    "sample_fetch_ohlcv_1479": "candles are not read",
    "sample_fetch_withdrawals_4555": "ledger updates are not read",
    "sample_parse_ledger_entry_4418": "ledger updates are not read",
    "sample_parse_ohlcv_1501": "candles are not read",
    "sample_prohandle_active_asset_ctx_615": "activeAssetCtx is not streamed",
    "sample_prohandle_balance_1106": "spotState is not streamed",
    "sample_prohandle_error_message_1479": "orders go over HTTP",
    "sample_prohandle_message_1736": "an acknowledgement, read by HyperliquidStreams.control",
    "sample_prohandle_my_liquidations_708": "a part of a fill that is not used",
    "sample_prohandle_order_book_unsubscription_1571": "a part of an acknowledgement",
    "sample_prohandle_subscription_response_1687": "an acknowledgement, read by HyperliquidStreams.control",
    "sample_prohandle_trades_809": "public trades are not streamed",
    "sample_proparse_ws_balance_1191": "spotState is not streamed",
}
CASSETTE_NOT_OURS = {
    "allMids", "candleSnapshot", "delegatorHistory", "extraAgents", "portfolio", "spotMeta", "userFills",
    "userNonFundingLedgerUpdates", "userRateLimit", "userTwapSliceFills", "userVaultEquities", "openOrders",
    "historicalOrders",
}  # fmt: skip


@pytest.fixture(scope="module")
def recorded(shared_dir) -> Path:
    return shared_dir / "recorded" / "hyperliquid"


def test_every_sample_is_accounted_for(recorded) -> None:
    found = {p.stem for p in recorded.glob("*.json")}
    assert found == SAMPLES.keys() | NOT_OURS.keys()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_sample_decodes(recorded, name) -> None:
    raw = (recorded / f"{name}.json").read_bytes()
    msgspec.json.decode(raw, type=SAMPLES[name], strict=False)


def test_every_cassette_reply_to_our_calls_decodes(recorded) -> None:
    seen, skipped = set(), set()
    for file in sorted((recorded / "cassettes").glob("*.json")):
        for exchange in json.loads(file.read_text()):
            operation = exchange["request"]["body"]["type"]
            if operation not in ENDPOINTS:
                skipped.add(operation)
                continue
            seen.add(operation)
            raw = json.dumps(exchange["response"]["body"]).encode()
            msgspec.json.decode(raw, type=ENDPOINTS[operation].reply, strict=False)
    assert skipped <= CASSETTE_NOT_OURS, skipped - CASSETTE_NOT_OURS
    assert {"clearinghouseState", "l2Book", "fundingHistory", "userFunding", "userFillsByTime", "meta"} <= seen


def test_related_lists_decode_as_the_rows_we_read(recorded) -> None:
    rows = {
        "openOrders": list[wire.BasicOrder | None],
        "userFills": list[wire.UserFill],
        "historicalOrders": list[wire.StatusOfOrder],
    }
    for name, kind in (("test_get_user_fills", "userFills"), ("test_historical_orders", "historicalOrders")):
        for exchange in json.loads((recorded / "cassettes" / f"{name}.json").read_text()):
            if exchange["request"]["body"]["type"] == kind:
                raw = json.dumps(exchange["response"]["body"]).encode()
                for row in msgspec.json.decode(raw, type=rows[kind], strict=False):
                    if isinstance(row, wire.StatusOfOrder):
                        wire.to_order(row.order, row.status, row.status_timestamp)
                    elif isinstance(row, wire.UserFill):
                        assert wire.to_fill(row).fill_id


def test_positions_and_balance_of_a_recorded_account(recorded) -> None:
    exchange = json.loads((recorded / "cassettes" / "test_get_user_state.json").read_text())[0]
    state = msgspec.json.decode(json.dumps(exchange["response"]["body"]), type=wire.ClearinghouseState, strict=False)
    positions, balance = wire.to_positions(state), wire.to_balance(state)
    assert (positions[0].symbol, positions[0].size, positions[0].entry_price) == (
        "BTC",
        Decimal("-0.00785"),
        Decimal("26951.0"),
    )
    assert balance.equity == state.margin_summary.account_value
    assert balance.wallet == balance.equity - sum(p.unrealised_pnl for p in positions)


def test_a_recorded_book_is_the_domains_book(recorded) -> None:
    frame = msgspec.json.decode(
        (recorded / "sample_prohandle_order_book_280.json").read_bytes(), type=wire.L2BookFrame, strict=False
    )
    book = wire.to_book(frame.data, "BTC", Provenance.REPLAY)
    assert (book.best_bid, book.best_ask, book.bids[0].size, book.time_ms) == (68674.0, 68675.0, 0.97139, 1710131872708)


def test_received_funding_is_positive(recorded) -> None:
    """Short, positive rate: the recorded balance change is positive."""
    rows = msgspec.json.decode(
        (recorded / "sample_fetch_funding_history_4679.json").read_bytes(), type=list[wire.UserFunding], strict=False
    )
    payment = wire.to_payments(rows, "SOL")[0]
    assert payment.position_size < 0 < payment.rate and payment.amount == Decimal("75.635093")


def test_multiplier_names() -> None:
    assert identify("kPEPE").base == "PEPE" and identify("kPEPE").multiplier == 1000
    assert [identify(n).base for n in ("2Z", "0G", "PERP", "KAITO")] == ["2Z", "0G", "PERP", "KAITO"]


@pytest.mark.parametrize(
    ("price", "side", "expected"),
    [
        (90123.456, wire.Side.BUY, "90123"),
        (90123.456, wire.Side.SELL, "90124"),
        (123456.7, wire.Side.BUY, "123456"),
        (0.01234567, wire.Side.SELL, "0.012346"),
    ],
)
def test_price_rule_of_five_figures(price, side, expected) -> None:
    meta = wire.Meta([wire.AssetMeta("BTC", sz_decimals=0)])
    assert str(wire.to_instruments(meta)[0].round_price(price, side)) == expected


def test_unknown_status_words_are_never_guessed() -> None:
    with pytest.raises(KeyError):
        wire.to_status("perhaps")
