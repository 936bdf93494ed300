"""WebSockets over the `websockets` library: pure Python, for machines without picows. Same protocol, more CPU per frame."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from exchange_clients.engine.bounds import FRAME_BYTES_MAX, UNSENT_FRAMES_MAX
from exchange_clients.engine.safe_address import require_safe, tls
from exchange_clients.engine.transport import OnClose, OnFrame, Socket, TransportFailure, refused_opening

CLOSED_WITHIN_S = 1.0


class _Connection(ClientConnection):
    """Drops the connection when the other end does not, once one of the two has said that it is over."""

    _dropping: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._dropping is None and self.protocol.close_expected():
            self._dropping = self.loop.call_later(CLOSED_WITHIN_S, self.transport.abort)


class _Connect(connect):
    """Follows no redirect, so that headers and logins go nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Socket:
    def __init__(self, connection: ClientConnection, on_frame: OnFrame, on_close: OnClose) -> None:
        self._connection = connection
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue(UNSENT_FRAMES_MAX + 1)
        self._closing = False
        self._reader = asyncio.create_task(self._read(on_frame, on_close))
        self._writer = asyncio.create_task(self._write())

    def send(self, frame: bytes) -> None:
        if self._outgoing.qsize() < UNSENT_FRAMES_MAX:
            self._outgoing.put_nowait(frame)
        else:
            self._connection.transport.abort()  # the venue takes nothing any more

    def close(self) -> None:
        if not self._closing:
            self._closing = True
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
        require_safe(url, "wss")
        try:
            connection = await _Connect(
                url,
                additional_headers=dict(headers),
                open_timeout=timeout_s,
                close_timeout=CLOSED_WITHIN_S,
                max_size=FRAME_BYTES_MAX,
                compression=None,
                proxy=None,
                create_connection=_Connection,
                ssl=tls() if url.startswith("wss") else None,
            )
        except InvalidStatus as error:
            raise TransportFailure(refused_opening(error.response.status_code, str(error)), sent=False) from error
        except (WebSocketException, OSError, asyncio.TimeoutError) as error:
            raise TransportFailure(str(error) or type(error).__name__, sent=False) from error
        return _Socket(connection, on_frame, on_close)

    async def close(self) -> None:
        """Nothing is shared between sockets; each is closed by its owner."""
