"""What façades share: finding the endpoint of a request, and turning pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_clients.engine.endpoint import Endpoint, Meter
from exchange_clients.engine.transport import HttpRequest
from exchange_clients.sandbox.pages import page_below
from exchange_clients.sandbox.routes import Routes

METER = Meter("calls", 100, 60)
LIST = Endpoint("list", "GET", "/orders", None, METER)
ONE = Endpoint("one", "GET", "/orders/{order_id}", None, METER)
DROP = Endpoint("drop", "DELETE", "/orders/{order_id}", None, METER)
ROUTES = Routes("/v1", {LIST: lambda ask: None, ONE: lambda ask: None, DROP: lambda ask: None})


@pytest.mark.parametrize(
    ("method", "url", "endpoint", "path", "query"),
    [
        ("GET", "/v1/orders", LIST, {}, {}),
        ("GET", "/v1/orders?market=A%2FB&n=1", LIST, {}, {"market": "A/B", "n": "1"}),
        ("GET", "/v1/orders/7%2F8", ONE, {"order_id": "7/8"}, {}),
        ("DELETE", "/v1/orders/7", DROP, {"order_id": "7"}, {}),
    ],
)
def test_a_request_is_taken_apart(method: str, url: str, endpoint: Endpoint, path: dict, query: dict) -> None:
    ask = ROUTES.find(HttpRequest(method, url, {}, b"{}"))
    assert ask is not None
    assert (ask.endpoint, ask.path, ask.query, ask.body) == (endpoint, path, query, b"{}")


@pytest.mark.parametrize(
    ("method", "url"), [("POST", "/v1/orders"), ("GET", "/orders"), ("GET", "/v1/orders/7/8"), ("GET", "/")]
)
def test_what_is_not_there_is_not_found(method: str, url: str) -> None:
    assert ROUTES.find(HttpRequest(method, url)) is None


@given(st.lists(st.integers(0, 1000), unique=True, max_size=50), st.integers(1, 12))
def test_pages_put_together_are_the_list(numbers: list[int], limit: int) -> None:
    rows, seen, before = sorted(numbers, reverse=True), [], None
    while True:
        page, before = page_below(rows, lambda row: row, before, limit)
        assert len(page) <= limit
        seen += page
        if before is None:
            break
    assert seen == rows


def test_a_page_has_rows() -> None:
    with pytest.raises(ValueError):
        page_below([1], lambda row: row, None, 0)
