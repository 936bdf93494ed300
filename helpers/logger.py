"""Logs: JSON lines or a console, and never a secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

_SECRET_NAME = re.compile(r"secret|private|passw|token|api_?key|signature|authori[sz]ation|mnemonic|seed_phrase|jwt", re.I)
_SECRET_TEXT = re.compile(r"\b(?:0x)?[0-9a-fA-F]{64}\b|\beyJ[\w-]+\.[\w-]+\.[\w-]+\b|Bearer\s+\S+")
HIDDEN = "(hidden)"


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values under telling names, and texts that look like keys or sessions, are hidden."""
    return {name: HIDDEN if _SECRET_NAME.search(name) else _clean(value) for name, value in event.items()}


def configure(stream: TextIO, as_json: bool, level: str = "info") -> None:
    """Set up logging for this process. `stream`: where lines go. `level`: debug, info, warning or error."""
    last: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {k: HIDDEN if _SECRET_NAME.search(str(k)) else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
