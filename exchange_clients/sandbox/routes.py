"""From a request to the function that answers it, by a table of endpoints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from exchange_clients.engine.endpoint import Endpoint
from exchange_clients.engine.transport import HttpRequest


@dataclass(frozen=True)
class Ask:
    """One request taken apart. `path`: what stands for the {names} in the endpoint's path. `account`: who asks, "" for anybody.

    `url`: path and query as they came, for signatures over them.
    """

    endpoint: Endpoint
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    account: str = ""
    url: str = ""


Handler = Callable[[Ask], Any]


class Routes:
    """`handlers` by endpoint; they may be exchanged. `prefix` stands before every path."""

    def __init__(self, prefix: str, handlers: Mapping[Endpoint, Handler]) -> None:
        self.handlers = dict(handlers)
        self._paths = [(endpoint, _pattern(prefix + endpoint.path)) for endpoint in handlers]

    def find(self, request: HttpRequest) -> Ask | None:
        """The request taken apart; None when no endpoint has its method and path."""
        path, _, query = request.url.partition("?")
        for endpoint, pattern in self._paths:
            found = pattern.fullmatch(path) if endpoint.method == request.method else None
            if found is not None:
                names = {name: unquote(text) for name, text in found.groupdict().items()}
                return Ask(endpoint, names, dict(parse_qsl(query)), request.headers, request.body or b"", url=request.url)
        return None


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))
