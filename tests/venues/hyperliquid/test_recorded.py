"""Every recorded reply to a call we make decodes; what is not a reply to such a call is listed by name, with the reason."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from exchange_clients import errors
from exchange_clients.domain.assets import identify
from exchange_clients.domain.orders import OrderStatus
from exchange_clients.domain.provenance import Provenance
from exchange_clients.engine.rows import every, row_of
from exchange_clients.errors import ProtocolViolation
from exchange_clients.hyperliquid import common, wire
from exchange_clients.hyperliquid.dialect import stated

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
    "sample_prohandle_my_trades_653": wire.UserFrame,
    "sample_prohandle_balance_1106": wire.UserFrame,
    "sample_prohandle_order_book_280": wire.L2BookFrame,
    "sample_proparse_ws_balance_1191": wire.SpotBalance,
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
    "sample_prohandle_error_message_1479": "orders go over HTTP",
    "sample_prohandle_message_1736": "an acknowledgement, read by HyperliquidStreams.control",
    "sample_prohandle_my_liquidations_708": "a part of a fill that is not used",
    "sample_prohandle_order_book_unsubscription_1571": "a part of an acknowledgement",
    "sample_prohandle_subscription_response_1687": "an acknowledgement, read by HyperliquidStreams.control",
    "sample_prohandle_trades_809": "public trades are not streamed",
}
CASSETTE_NOT_OURS = {
    "allMids", "candleSnapshot", "delegatorHistory", "extraAgents", "portfolio", "spotMeta",
    "userNonFundingLedgerUpdates", "userRateLimit", "userTwapSliceFills", "userVaultEquities", "openOrders",
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


READS = {
    "meta": lambda meta: wire.to_instruments(meta),
    "metaAndAssetCtxs": lambda pair: wire.markets_of(*pair),
    "frontendOpenOrders": lambda rows: every(rows, wire.order_of, "hyperliquid", "test"),
    "userFillsByTime": lambda rows: every(rows, wire.fill_of, "hyperliquid", "test"),
    "userFills": lambda rows: every(rows, wire.fill_of, "hyperliquid", "test"),
    "historicalOrders": lambda rows: every(rows, wire.update_of, "hyperliquid", "test"),
    "userFunding": lambda rows: every(rows, lambda row: row_of(row, wire.UserFunding), "hyperliquid", "test"),
    "clearinghouseState": lambda state: wire.to_positions(state),
}


def test_every_cassette_reply_to_our_calls_is_read_to_the_last_row(recorded) -> None:
    seen, skipped = set(), set()
    for file in sorted((recorded / "cassettes").glob("*.json")):
        for exchange in json.loads(file.read_text()):
            operation, said = exchange["request"]["body"]["type"], exchange["response"]["body"]
            if operation not in ENDPOINTS and operation not in READS:
                skipped.add(operation)
                continue
            reply = ENDPOINTS[operation].reply if operation in ENDPOINTS else list[msgspec.Raw]
            decoded = msgspec.json.decode(json.dumps(said).encode(), type=reply, strict=False)
            made = READS.get(operation, lambda reply: reply)(decoded)
            assert made is not None and (not isinstance(said, list) or bool(made) == bool(said)), operation
            seen.add(operation)
    assert skipped <= CASSETTE_NOT_OURS, skipped - CASSETTE_NOT_OURS
    assert seen >= {
        "clearinghouseState",
        "l2Book",
        "fundingHistory",
        "userFunding",
        "userFillsByTime",
        "meta",
        "historicalOrders",
    }


def test_positions_and_balance_of_a_recorded_account(recorded) -> None:
    exchange = json.loads((recorded / "cassettes" / "test_get_user_state.json").read_text())[0]
    state = msgspec.json.decode(json.dumps(exchange["response"]["body"]), type=wire.ClearinghouseState, strict=False)
    positions, balance = wire.to_positions(state), wire.to_balance(state, None)
    assert (positions[0].symbol, positions[0].size, positions[0].entry_price) == (
        "BTC",
        Decimal("-0.00785"),
        Decimal("26951.0"),
    )
    assert balance.equity == state.margin_summary["accountValue"]
    assert balance.wallet == balance.equity - sum(p.unrealised_pnl for p in positions)


def test_a_recorded_book_is_the_domains_book(recorded) -> None:
    frame = msgspec.json.decode(
        (recorded / "sample_prohandle_order_book_280.json").read_bytes(), type=wire.L2BookFrame, strict=False
    )
    book = wire.to_book(frame.data, "BTC", Provenance.REPLAY)
    assert (book.best_bid, book.best_ask, book.bids[0].size, book.time_ms) == (68674.0, 68675.0, 0.97139, 1710131872708)


def test_received_funding_is_positive(recorded) -> None:
    """Short, positive rate: the recorded balance change is positive."""
    rows = msgspec.json.decode((recorded / "sample_fetch_funding_history_4679.json").read_bytes(), type=list[msgspec.Raw])
    coin = msgspec.json.decode(rows[0], type=wire.UserFunding, strict=False).delta.coin
    payment = wire.payment_of(rows[0], coin, "SOL")
    assert payment is not None and payment.rate is not None and payment.position_size is not None
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
    assert str(wire.to_instrument(wire.AssetMeta("BTC", sz_decimals=0), 0).round_price(price, side)) == expected


DOCUMENTED = {
    OrderStatus.OPEN: ("open", "triggered", "accepted"),
    OrderStatus.FILLED: ("filled",),
    OrderStatus.CANCELLED: (
        "canceled", "marginCanceled", "vaultWithdrawalCanceled", "openInterestCapCanceled", "selfTradeCanceled",
        "reduceOnlyCanceled", "siblingFilledCanceled", "delistedCanceled", "liquidatedCanceled", "scheduledCancel",
        "internalCancel", "iocCancelRejected",
    ),
    OrderStatus.REJECTED: (
        "rejected", "tickRejected", "minTradeNtlRejected", "minTradeSpotNtlRejected", "perpMarginRejected", "reduceOnlyRejected",
        "badAloPxRejected", "badTriggerPxRejected", "marketOrderNoLiquidityRejected", "positionIncreaseAtOpenInterestCapRejected",
        "positionFlipAtOpenInterestCapRejected", "tooAggressiveAtOpenInterestCapRejected", "openInterestIncreaseRejected",
        "insufficientSpotBalanceRejected", "oracleRejected", "perpMaxPositionRejected",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "word"), [(status, word) for status, words in DOCUMENTED.items() for word in words])
def test_status_words(status, word) -> None:
    assert wire.to_status(word) is status


def test_unknown_status_words_are_never_guessed() -> None:
    with pytest.raises(ProtocolViolation, match="perhaps"):
        wire.to_status("perhaps")


@pytest.mark.parametrize("left", ["0.27", "1.0", "0.0"])
def test_what_a_filled_order_says_of_its_rest_means_nothing(left) -> None:
    """JKorf/HyperLiquid.Net#46, ccxt/ccxt#27864: `sz` is not counted down."""
    order = {"coin": "HYPE", "side": "B", "limitPx": "33.6", "sz": left, "oid": 1, "timestamp": 1, "origSz": "1.0"}
    row = msgspec.convert(order, wire.BasicOrder, strict=False)
    filled = wire.to_order(row, "filled", 2)
    assert (filled.filled, filled.remaining) == (1, 0)


@pytest.mark.parametrize(
    ("coin", "is_ours"),
    [
        ("BTC", True),
        ("kPEPE", True),
        ("@107", False),
        ("PURR/USDC", False),
        ("#250", False),
        ("xyz:TSLA", False),
        ("+12", False),
    ],
)
def test_only_the_venues_own_perpetuals_are_ours(coin, is_ours) -> None:
    assert wire.is_perp(coin) is is_ours


REFUSED = {
    "Order price too far from oracle": errors.PriceOutOfBand,
    "Order price cannot be more than 80% away from the reference price": errors.PriceOutOfBand,
    "Must deposit before performing actions. User: 0x00": errors.InsufficientMargin,
    "User or API Wallet 0x00 does not exist.": errors.AuthenticationFailed,
    "Vault not registered: 0x00": errors.AuthenticationFailed,
    "Invalid nonce: duplicate": errors.AuthenticationFailed,
    "Only post-only orders allowed immediately after a network upgrade": errors.VenueClosed,
    "Trading is halted.": errors.VenueClosed,
    "Cannot modify canceled or filled order. asset=1": errors.OrderNotFound,
    "Order would increase open interest while open interest is capped": errors.OrderRejected,
    "Price must be divisible by tick size. asset=1": errors.OrderRejected,
    "Coin PURR does not exist": errors.OrderRejected,
}


@pytest.mark.parametrize("words", REFUSED)
def test_refusals_by_their_words(words) -> None:
    """Words from the venue's page of error responses; "does not exist" alone says nothing of keys."""
    assert type(stated("place_order", words)) is REFUSED[words]
