"""Answers the common questions from finished bytes, before any framework sees them."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


class FrontDoor:
    """An ASGI application: exact GETs without parameters come from the board's bytes while they hold, the rest goes to `app`."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self._finished(scope) if scope["type"] == "http" else None
        if body is None:
            await self.app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _finished(self, scope: Scope) -> bytes | None:
        if scope["method"] != "GET" or scope["query_string"]:
            return None
        service = getattr(self.app.state, "service", None)
        if service is None:
            return None
        kept = service.board.encoded.get(scope["path"])
        return kept.body if kept is not None and service.clock.now_ms() <= kept.valid_until_ms else None
