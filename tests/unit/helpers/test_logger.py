"""Logs never hold a secret."""

from __future__ import annotations

import io
import json

import structlog

from helpers.logger import HIDDEN, configure

KEY = "0x" + "ab" * 32


def test_secrets_are_hidden_by_name_and_by_shape() -> None:
    stream = io.StringIO()
    configure(stream, as_json=True)
    structlog.get_logger().info(
        f"signing with {KEY}",
        api_key="abc",
        account={"private_key": "k", "name": "main"},
        header="Bearer abc.def",
        notes=[KEY, 5],
    )
    line = json.loads(stream.getvalue())
    assert KEY not in stream.getvalue()
    assert line["event"] == f"signing with {HIDDEN}"
    assert line["api_key"] == HIDDEN
    assert line["account"] == {"private_key": HIDDEN, "name": "main"}
    assert line["header"] == HIDDEN
    assert line["notes"] == [HIDDEN, 5]


def test_levels_and_console() -> None:
    stream = io.StringIO()
    configure(stream, as_json=False, level="warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud", venue="somewhere")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()
