"""WebSockets over picows: frames arrive as callbacks straight from the socket's read, without a task in between.

Neither redirects nor proxies of the environment are followed: logins go where they were meant to go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from exchange_clients.engine.bounds import FRAME_BYTES_MAX
from exchange_clients.engine.safe_address import require_safe, tls
from exchange_clients.engine.transport import OnClose, OnFrame, Socket, TransportFailure, refused_opening

PING_AFTER_IDLE_S = 20.0
PONG_WITHIN_S = 10.0
TEXT, CONTINUATION, CLOSE = WSMsgType.TEXT, WSMsgType.CONTINUATION, WSMsgType.CLOSE
DATA = (TEXT, WSMsgType.BINARY)
PART_BYTES_MIN = 1024  # what a fragment counts at least, so that empty ones have an end too


class _Listener(WSListener):  # type: ignore[misc]  # picows is compiled without type information for subclassing
    def __init__(self, on_frame: OnFrame, on_close: OnClose) -> None:
        super().__init__()
        self._on_frame = on_frame
        self._on_close = on_close
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._reason = "the socket was dropped"

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind in DATA:
            if frame.fin:
                self._on_frame(frame.get_payload_as_bytes())
            else:
                self._parts, self._parts_bytes = [], 0
                self._take_part(transport, frame)
        elif kind == CONTINUATION:
            self._take_part(transport, frame)
        elif kind == CLOSE:
            text = frame.get_close_message()
            words = f": {text!r}" if text else ""
            self._reason = f"the venue closed the socket ({frame.get_close_code()}{words})"
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def _take_part(self, transport: WSTransport, frame: WSFrame) -> None:
        part = frame.get_payload_as_bytes()
        self._parts.append(part)
        self._parts_bytes += max(len(part), PART_BYTES_MIN)
        if self._parts_bytes > FRAME_BYTES_MAX:
            self._parts, self._reason = [], f"a message in fragments is larger than {FRAME_BYTES_MAX >> 20} MiB"
            transport.disconnect(False)
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), []
            self._on_frame(whole)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._on_close(self._reason)


class _Socket:
    def __init__(self, transport: WSTransport) -> None:
        self._transport = transport

    def send(self, frame: bytes) -> None:
        self._transport.send(TEXT, frame)

    def close(self) -> None:
        self._transport.send_close(WSCloseCode.OK)
        self._transport.disconnect()


class PicowsTransport:
    """WebSocketTransport for real networks. Protocol pings go out on idle sockets; an unanswered one drops the socket."""

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        require_safe(url, "wss")
        try:
            transport, _ = await ws_connect(
                lambda: _Listener(on_frame, on_close),
                url,
                ssl_context=tls(),
                max_redirects=0,
                websocket_handshake_timeout=timeout_s,
                extra_headers=dict(headers),
                enable_auto_ping=True,
                auto_ping_idle_timeout=PING_AFTER_IDLE_S,
                auto_ping_reply_timeout=PONG_WITHIN_S,
                auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
                enable_auto_pong=True,
                max_frame_size=FRAME_BYTES_MAX,
            )
        except WSHandshakeError as error:
            status = error.response.status if error.response is not None else 0
            raise TransportFailure(refused_opening(int(status), str(error)), sent=False) from error
        except (WSError, OSError, asyncio.TimeoutError) as error:
            raise TransportFailure(str(error) or type(error).__name__, sent=False) from error
        return _Socket(transport)

    async def close(self) -> None:
        """Nothing is shared between sockets; each is closed by its owner."""
