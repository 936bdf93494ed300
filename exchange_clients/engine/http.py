"""HTTP over aiohttp: one pooled session, errors told apart by whether anything was sent."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from exchange_clients.engine.transport import HttpRequest, HttpResponse, TransportFailure

CONNECTIONS_PER_HOST_MAX = 32


class AiohttpTransport:
    """HttpTransport for real networks. The session opens with the first request; `close` gives it back."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def request(self, request: HttpRequest) -> HttpResponse:
        session = self._session
        if session is None or session.closed:
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_PER_HOST_MAX, keepalive_timeout=30)
            session = self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        timeout = aiohttp.ClientTimeout(total=request.timeout_s, sock_connect=min(5.0, request.timeout_s))
        try:
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body,
                headers=request.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as reply:
                body = await reply.read()
                headers = {name.lower(): value for name, value in reply.headers.items()}
                return HttpResponse(status=reply.status, body=body, headers=headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise TransportFailure(str(error) or type(error).__name__, sent=False) from error
        except asyncio.TimeoutError as error:
            raise TransportFailure(f"no reply within {request.timeout_s:g} s", sent=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFailure(str(error) or type(error).__name__, sent=True) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
