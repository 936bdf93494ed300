"""The venue's end of a socket that speaks JSON-RPC. Venues add their methods and their words."""

from __future__ import annotations

from typing import Any

import msgspec

from exchange_clients.sandbox.streams import TopicSocket, VenueFacade


class RpcSocket(TopicSocket[VenueFacade]):
    """Every request is answered with its own id, by a result or by an error."""

    def method(self, number: Any, name: str, params: dict[str, Any]) -> None:
        """A request: `reply` to it. Raises what reading `params` raises where they are not the method's."""
        self.refuse(number, -32601, "method not found", name)

    def on_frame(self, frame: bytes) -> None:
        number: Any = None
        try:
            message = msgspec.json.decode(frame)
            number = message.get("id")
            self.method(number, message["method"], message.get("params") or {})
        except msgspec.DecodeError:
            self.refuse(number, -32700, "parse error", "invalid JSON")
        except (KeyError, TypeError, AttributeError):
            self.refuse(number, -32600, "invalid request", "invalid params")

    def refuse(self, number: Any, code: int, message: str, data: str) -> None:
        self.reply(number, {"error": {"code": code, "message": message, "data": data}})

    def reply(self, number: Any, outcome: dict[str, Any]) -> None:
        now_us = self.facade.clock.now_ms() * 1000
        self.send({"jsonrpc": "2.0", **outcome, "usIn": now_us, "usDiff": 0, "usOut": now_us, "id": number})
