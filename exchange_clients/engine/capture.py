"""Writes everything that goes over the wire to a file of JSON lines, secrets hidden, so that `replay` can decode it again."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from exchange_clients.engine.clock import Clock
from exchange_clients.engine.redaction import redact_headers, redact_text, redact_url
from exchange_clients.engine.transport import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    OnClose,
    OnFrame,
    Socket,
    TransportFailure,
    WebSocketTransport,
)

CAPTURE_BYTES_MAX = 2 * 2**30
VERSION = 1

What = Literal["begin", "request", "reply", "failure", "open", "in", "out", "closed", "end"]


class Line(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line. `at_ms`: market time. `n`: which request or which socket. `url`: on every line, so that lines can be searched.

    `text` holds a body, a frame or a reason; `base64` bytes that are no UTF-8. `sent`: of a failure, whether anything had left.
    `environment`: of the first line only.
    """

    at_ms: int
    what: What
    n: int = 0
    method: str = ""
    url: str = ""
    status: int = 0
    headers: Mapping[str, str] = {}
    text: str = ""
    base64: str = ""
    sent: bool = True
    environment: str = ""
    version: int = 0


class Capture:
    """One file, made new and readable by its owner alone. Raises FileExistsError rather than write over an older one.

    A disk that fails ends the record, never the program: `broken` then says why. It also ends at CAPTURE_BYTES_MAX.
    """

    def __init__(self, path: Path, clock: Clock, environment: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO | None = os.fdopen(descriptor, "wb")
        self._clock = clock
        self._secrets: set[str] = set()
        self._numbers = count(1)
        self._bytes = 0
        self._encoder = msgspec.json.Encoder()
        self.broken = ""
        self._write("begin", environment=environment, version=VERSION)

    def hide(self, secret: str) -> None:
        """Replace this text wherever it shows up from now on."""
        if secret:
            self._secrets.add(secret.removeprefix("0x"))

    def http(self, inner: HttpTransport) -> HttpTransport:
        """`inner`, on the record."""
        return _CapturedHttp(self, inner)

    def websocket(self, inner: WebSocketTransport) -> WebSocketTransport:
        """`inner`, on the record."""
        return _CapturedWebSocket(self, inner)

    def close(self) -> None:
        """Write what is left. Idempotent."""
        self._end("closed")

    def number(self) -> int:
        return next(self._numbers)

    def request(self, n: int, request: HttpRequest) -> None:
        headers = redact_headers(request.headers, self._secrets)
        self._write("request", request.url, request.body or b"", n=n, method=request.method, headers=headers)

    def reply(self, n: int, url: str, response: HttpResponse) -> None:
        headers = redact_headers(response.headers, self._secrets)
        self._write("reply", url, response.body, n=n, status=response.status, headers=headers)

    def failure(self, n: int, url: str, failure: TransportFailure) -> None:
        self._write("failure", url, failure.reason.encode(), n=n, sent=failure.sent)

    def opened(self, n: int, url: str, headers: Mapping[str, str]) -> None:
        self._write("open", url, n=n, headers=redact_headers(headers, self._secrets))

    def frame(self, what: Literal["in", "out", "closed"], n: int, url: str, frame: bytes) -> None:
        self._write(what, url, frame, n=n)

    def _write(
        self,
        what: What,
        url: str = "",
        content: bytes = b"",
        *,
        n: int = 0,
        method: str = "",
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        sent: bool = True,
        environment: str = "",
        version: int = 0,
    ) -> None:
        if self._file is None:
            return
        text, base64 = self._readable(content)
        line = Line(
            at_ms=self._clock.now_ms(),
            what=what,
            n=n,
            method=method,
            url=redact_url(url, self._secrets),
            status=status,
            headers=headers or {},
            text=text,
            base64=base64,
            sent=sent,
            environment=environment,
            version=version,
        )
        encoded = self._encoder.encode(line) + b"\n"
        self._bytes += len(encoded)
        try:
            self._file.write(encoded)
        except OSError as error:
            self._stop(f"{error.strerror}")
        else:
            if self._bytes > CAPTURE_BYTES_MAX:
                self._end(f"the record is larger than {CAPTURE_BYTES_MAX >> 30} GiB")

    def _readable(self, content: bytes) -> tuple[str, str]:
        try:
            return redact_text(content.decode(), self._secrets), ""
        except UnicodeDecodeError:
            return "", b64encode(content).decode()

    def _end(self, why: str) -> None:
        file = self._file
        if file is None:
            return
        self._bytes = 0
        self._write("end", content=why.encode())
        self._stop("" if why == "closed" else why)

    def _stop(self, why: str) -> None:
        file, self._file = self._file, None
        self.broken = self.broken or why
        try:
            if file is not None:
                file.close()
        except OSError as error:
            self.broken = self.broken or f"{error.strerror}"


class _CapturedHttp:
    def __init__(self, capture: Capture, inner: HttpTransport) -> None:
        self._capture = capture
        self._inner = inner

    async def request(self, request: HttpRequest) -> HttpResponse:
        number = self._capture.number()
        self._capture.request(number, request)
        try:
            response = await self._inner.request(request)
        except TransportFailure as failure:
            self._capture.failure(number, request.url, failure)
            raise
        self._capture.reply(number, request.url, response)
        return response

    async def close(self) -> None:
        await self._inner.close()


class _CapturedWebSocket:
    def __init__(self, capture: Capture, inner: WebSocketTransport) -> None:
        self._capture = capture
        self._inner = inner

    async def connect(
        self, url: str, headers: Mapping[str, str], on_frame: OnFrame, on_close: OnClose, timeout_s: float = 10.0
    ) -> Socket:
        capture, number = self._capture, self._capture.number()

        def frame_in(frame: bytes) -> None:
            capture.frame("in", number, url, frame)
            on_frame(frame)

        def closed(reason: str) -> None:
            capture.frame("closed", number, url, reason.encode())
            on_close(reason)

        capture.opened(number, url, headers)
        try:
            inner = await self._inner.connect(url, headers, frame_in, closed, timeout_s)
        except TransportFailure as failure:
            capture.failure(number, url, failure)
            raise
        return _CapturedSocket(capture, number, url, inner)

    async def close(self) -> None:
        await self._inner.close()


class _CapturedSocket:
    def __init__(self, capture: Capture, number: int, url: str, inner: Socket) -> None:
        self._capture = capture
        self._number = number
        self._url = url
        self._inner = inner

    def send(self, frame: bytes) -> None:
        self._capture.frame("out", self._number, self._url, frame)
        self._inner.send(frame)

    def close(self) -> None:
        self._inner.close()
