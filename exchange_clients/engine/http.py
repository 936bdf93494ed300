"""HTTP over aiohttp: one pooled session, errors told apart by whether anything was sent, replies bounded in size.

Redirects are returned, not followed: what was signed for one address goes to no other.
"""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from exchange_clients.engine.bounds import BODY_BYTES_MAX
from exchange_clients.engine.safe_address import require_safe, tls
from exchange_clients.engine.transport import HttpRequest, HttpResponse, TransportFailure

CONNECTIONS_PER_HOST_MAX = 32


class AiohttpTransport:
    """HttpTransport for real networks. The session opens with the first request; `close` gives it back."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def request(self, request: HttpRequest) -> HttpResponse:
        require_safe(request.url, "https")
        session = self._session
        if session is None or session.closed:
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_PER_HOST_MAX, keepalive_timeout=30, ssl=tls())
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
                body = await _read(reply)
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


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    """The whole body, decompressed. Raises TransportFailure as soon as it is larger than BODY_BYTES_MAX."""
    length = reply.content_length
    if length is not None and length <= BODY_BYTES_MAX and "Content-Encoding" not in reply.headers:
        return await reply.read()
    parts, size = [], 0
    if length is None or length <= BODY_BYTES_MAX:
        async for part in reply.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > BODY_BYTES_MAX:
                break
        else:
            return b"".join(parts)
    reply.close()
    raise TransportFailure(f"the reply is larger than {BODY_BYTES_MAX >> 20} MiB; reading it was given up", sent=True)
