"""An odd row never takes the others along: it is left out of figures, and named where it is our money."""

import msgspec
import pytest

from exchange_clients.engine.rows import every, member, readable, row_of
from exchange_clients.errors import ProtocolViolation


class Row(msgspec.Struct):
    name: str
    size: int = 0


ROWS = [msgspec.Raw(b'{"name":"a","size":1}'), msgspec.Raw(b'{"name":null}'), msgspec.Raw(b'{"name":"other"}')]


def read(raw: msgspec.Raw) -> Row | None:
    row = row_of(raw, Row)
    return row if row.name != "other" else None


def test_figures_are_told_without_the_odd_one() -> None:
    assert [row.name for row in readable(ROWS, read)] == ["a"]
    assert readable(None, read) == []


@pytest.mark.parametrize("odd", [b"null", b"[]", b'"x"', b'{"name":"a","size":"NaN"}'])
def test_our_own_money_is_whole_or_an_error_that_names_the_row(odd: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="a row can't be read") as error:
        every([ROWS[0], msgspec.Raw(odd)], read, "venue", "fills")
    assert error.value.raw == odd
    assert [row.name for row in every([ROWS[0], ROWS[2]], read, "venue", "fills")] == ["a"]


def test_one_member_is_read_whatever_else_is_odd() -> None:
    row = msgspec.Raw(b'{"symbol":"BTC","size":{"no":"number"},"time":"7"}')
    assert (member(row, "symbol", str), member(row, "time", int)) == ("BTC", 7)
    for name, kind in (("market", str), ("size", int)):
        with pytest.raises(msgspec.MsgspecError):
            member(row, name, kind)
