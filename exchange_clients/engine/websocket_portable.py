"""WebSockets over the `websockets` library: pure Python, for machines without picows. Same protocol, more CPU per frame."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from exchange_clients.engine.transport import OnClose, OnFrame, Socket, TransportFailure

FRAME_BYTES_MAX = 16 * 1024 * 1024


class _Socket:
    def __init__(self, connection: ClientConnection, on_frame: OnFrame, on_close: OnClose) -> None:
        self._connection = connection
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read(on_frame, on_close))
        self._writer = asyncio.create_task(self._write())

    def send(self, frame: bytes) -> None:
        self._outgoing.put_nowait(frame)

    def close(self) -> None:
        self._outgoing.put_nowait(None)

    async def _read(self, on_frame: OnFrame, on_close: OnClose) -> None:
        reason = "the socket was dropped"
        try:
            async for message in self._connection:
                on_frame(message if isinstance(message, bytes) else message.encode())
            reason = f"the venue closed the socket ({self._connection.close_code})"
        except ConnectionClosed as closed:
            reason = f"the socket was dropped ({closed})"
        finally:
            self._writer.cancel()
            on_close(reason)

    async def _write(self) -> None:
        try:
            while (frame := await self._outgoing.get()) is not None:
                await self._connection.send(frame, text=True)
        except ConnectionClosed:
            return
        await self._connection.close()


class WebsocketsTransport:
    """WebSocketTransport on the `websockets` library."""

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        try:
            connection = await connect(
                url, additional_headers=dict(headers), open_timeout=timeout_s, max_size=FRAME_BYTES_MAX, compression=None
            )
        except (WebSocketException, OSError, asyncio.TimeoutError) as error:
            raise TransportFailure(str(error) or type(error).__name__, sent=False) from error
        return _Socket(connection, on_frame, on_close)

    async def close(self) -> None:
        """Nothing is shared between sockets; each is closed by its owner."""
