"""Every recorded reply to a call we make decodes; what is not a reply to such a call is listed by name, with the reason."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from exchange_clients.domain.orders import Liquidity, OrderStatus
from exchange_clients.domain.provenance import Provenance
from exchange_clients.domain.side import Side
from exchange_clients.engine.endpoint import Call
from exchange_clients.engine.rows import every
from exchange_clients.engine.transport import HttpResponse
from exchange_clients.errors import AuthenticationFailed, BelowMinimum, OrderNotFound, ProtocolViolation
from exchange_clients.pacifica import common, wire
from exchange_clients.pacifica.dialect import PacificaDialect
from tests.venues.pacifica.support import wiring_without_network

REPLIES = {
    "account": common.ACCOUNT,
    "book": common.BOOK,
    "funding_history_account": common.FUNDING_HISTORY,
    "funding_rate_history": common.FUNDING_RATE_HISTORY,
    "info": common.INFO,
    "info_prices": common.PRICES,
    "orders_cancel_all": common.CANCEL_ALL_ORDERS,
    "orders_edit": common.EDIT_ORDER,
    "orders_history_by_id": common.ORDER_EVENTS,
    "orders_open": common.ORDERS,
    "positions": common.POSITIONS,
    "trades_history": common.TRADES_HISTORY,
}
ROWS = {
    "funding_history_account": wire.PaymentRow,
    "funding_rate_history": wire.FundingPoint,
    "info": wire.Market,
    "info_prices": wire.PriceRow,
    "orders_history_by_id": wire.OrderRow,
    "orders_open": wire.OrderRow,
    "positions": wire.PositionRow,
    "trades_history": wire.FillRow,
}
NOT_OURS = {
    "errors": "refusals, see test_recorded_refusals_are_understood",
    "orders_batch": "orders are sent one by one",
    "orders_batch_cancel_failed": "orders are cancelled one by one",
    "signature_vectors": "requests, see test_signing",
}
REFUSALS = [
    (403, AuthenticationFailed),
    (400, AuthenticationFailed),
    (400, AuthenticationFailed),
    (422, BelowMinimum),
    (422, OrderNotFound),
    (404, OrderNotFound),
    (None, "an order by WebSocket; ours go over HTTP"),
]


@pytest.fixture(scope="module")
def recorded(shared_dir) -> Path:
    return shared_dir / "recorded" / "pacifica"


def read(recorded: Path, name: str):
    raw = (recorded / f"{name}.json").read_bytes()
    return msgspec.json.decode(raw, type=REPLIES[name].reply, strict=False)


def rows(recorded: Path, name: str, changes: tuple[bytes, bytes] = (b"", b"")) -> list:
    """A list's rows, read strictly; `changes`: bytes to exchange before."""
    raw = (recorded / f"{name}.json").read_bytes().replace(*changes) if changes[0] else (recorded / f"{name}.json").read_bytes()
    reply = msgspec.json.decode(raw, type=REPLIES[name].reply, strict=False)
    return every(reply.data, wire.reader(ROWS[name]), "pacifica", name)


def test_every_recording_is_accounted_for(recorded) -> None:
    assert {p.stem for p in recorded.glob("*.json")} == REPLIES.keys() | NOT_OURS.keys()


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_reply_decodes(recorded, name) -> None:
    assert read(recorded, name).data and (name not in ROWS or rows(recorded, name))


def test_recorded_refusals_are_understood(recorded) -> None:
    dialect, errors = PacificaDialect(wiring_without_network()), json.loads((recorded / "errors.json").read_text())
    for body, (status, expected) in zip(errors, REFUSALS, strict=True):
        if status is None:
            continue
        error = dialect.refusal(Call(common.CREATE_ORDER), HttpResponse(status, json.dumps(body).encode()))
        assert type(error) is expected and body["error"] in error.detail and error.code == str(body["code"])


def test_spot_markets_are_left_out(recorded) -> None:
    (bitcoin,) = [wire.to_instrument(row) for row in rows(recorded, "info") if wire.is_perpetual(row)]
    assert (bitcoin.venue_symbol, bitcoin.lot_size, bitcoin.min_notional) == ("BTC", Decimal("0.00001"), 10)
    assert str(bitcoin.round_price(89114.7, Side.BUY)) == "89114" and bitcoin.max_leverage == 50


def test_a_recorded_book_is_the_domains_book(recorded) -> None:
    book = wire.to_book(read(recorded, "book").data, "BTC", Provenance.REPLAY)
    assert (book.best_bid, book.best_ask, book.bids[0].size, book.time_ms) == (89204.0, 89383.0, 0.0103, 1769553881390)
    assert len(book.bids) == len(book.asks) == 10 and not book.is_crossed()


def test_open_interest_is_in_base_units(recorded) -> None:
    stats = wire.to_stats(rows(recorded, "info_prices")[0], 0, Provenance.REPLAY)
    assert stats.open_interest_usd == pytest.approx(3634796 * 1.084819)
    assert stats.volume_24h_usd == 20896698.0672 and stats.best_bid is None


def test_a_short_position(recorded) -> None:
    position = wire.to_position(rows(recorded, "positions")[0], mark=Decimal("89000"), leverage=Decimal(50))
    assert position.size == Decimal("-0.007") and position.unrealised_pnl == Decimal("0.798")
    assert position.liquidation_price == Decimal("102443.420678")


def test_orders_and_fills(recorded) -> None:
    (row,) = rows(recorded, "orders_open")
    order = wire.to_order(row)
    assert (order.status, order.price, order.size, order.filled) == (OrderStatus.OPEN, 87768, Decimal("0.002"), 0)
    assert wire.to_order_of(rows(recorded, "orders_history_by_id")).status is OrderStatus.OPEN
    fill = wire.to_fill(rows(recorded, "trades_history")[0])
    assert (fill.side, fill.liquidity, fill.size) == (Side.BUY, Liquidity.MAKER, Decimal("0.1"))


def test_received_funding_is_positive(recorded) -> None:
    """Short, positive rate: the recorded payout is positive."""
    payment = wire.to_payment(rows(recorded, "funding_history_account")[0])
    assert payment.position_size < 0 < payment.rate and payment.amount == Decimal("2.617479")


def test_documented_frames_decode() -> None:
    update = (
        b'{"channel":"account_order_updates","data":[{"i":1559665358,"I":null,"u":"BrZp5","s":"BTC","d":"bid","p":"89501",'
        b'"ip":"89501","lp":"89501","a":"0.00012","f":"0.00012","oe":"fulfill_limit","os":"filled","ot":"limit","sp":null,'
        b'"si":null,"r":false,"ct":1765017049008,"ut":1765017219639,"li":1559696133}]}'
    )
    frame = msgspec.json.decode(update, type=common.ORDERS_CHANNEL.frame, strict=False)
    order = wire.to_order(*every(frame.data, wire.reader(wire.OrderUpdate), "pacifica", "orders"))
    assert (order.status, order.average_price, order.reason) == (OrderStatus.FILLED, 89501, "")
    positions = (
        b'{"channel":"account_positions","data":[{"s":"BTC","d":"bid","a":"0.00044","p":"87285.5","m":"0","f":"-0.00023989",'
        b'"i":false,"l":"-95166.79231","t":1764133656974}],"li":1559412952}'
    )
    frame = msgspec.json.decode(positions, type=common.POSITIONS_CHANNEL.frame, strict=False)
    position = wire.to_position(*every(frame.data, wire.reader(wire.PositionUpdate), "pacifica", "positions"))
    assert position.size == Decimal("0.00044") and position.liquidation_price is None, "no price liquidates it"


@pytest.mark.parametrize(("word", "replacement"), [(b'"open"', b'"perhaps"'), (b'"bid"', b'"both"')])
def test_unknown_words_of_an_order_are_never_guessed(recorded, word, replacement) -> None:
    with pytest.raises(ProtocolViolation):
        rows(recorded, "orders_history_by_id", (word, replacement))


def test_an_order_without_an_amount_is_not_an_order(recorded) -> None:
    with pytest.raises(ProtocolViolation, match="no amount"):
        rows(recorded, "orders_open", (b'"initial_amount"', b'"other"'))


def test_the_documented_history_row_of_a_rejected_order() -> None:
    row = wire.OrderRow(
        order_id=7,
        symbol="kPEPE",
        side="ask",
        filled_amount=Decimal(0),
        order_type="limit",
        reduce_only=False,
        created_at=1,
        order_status="rejected",
        amount=Decimal(100),
        initial_price=Decimal("0.0061"),
        event_type="post_only_rejected",
    )
    order = wire.to_order(row)
    assert (order.symbol, order.status, order.reason) == ("PEPE", OrderStatus.REJECTED, "post_only_rejected")
    assert order.average_price is None and datetime.fromtimestamp(order.updated_ms / 1000, UTC).year == 1970
