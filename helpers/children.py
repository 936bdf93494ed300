"""Processes that live and die with this one."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence

STOP_WITHIN_S = 10.0
LINES_KEPT = 40


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class ChildFailed(Exception):
    """A process we depend on ended or never became ready. The message is for people."""


class Child:
    """One supervised process. Its output is read all the time, so that it never blocks; the last lines are kept for errors.

    Its stdin is a pipe that only this process holds: a child that watches it ends when this process is gone, however it went.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._first = asyncio.get_running_loop().create_future()
        self._errors: deque[str] = deque(maxlen=LINES_KEPT)
        assert process.stdout is not None and process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read_stdout(process.stdout)),
            asyncio.create_task(self._read_stderr(process.stderr)),
        ]

    @classmethod
    async def start(cls, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start `command`. It gets its own session, so that an interrupt at the terminal reaches only its owner."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return cls(name, process)

    async def first_line(self, within_s: float) -> str:
        """The first line of its stdout. Raises ChildFailed when it ends or takes longer."""
        ended = asyncio.create_task(self._process.wait())
        done, _ = await asyncio.wait({self._first, ended}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if self._first in done:
            ended.cancel()
            return str(self._first.result())
        ended.cancel()
        await asyncio.sleep(0.1)  # let the last words of stderr arrive
        raise ChildFailed(self.obituary() if done else f"{self.name} was not ready within {within_s:g} s")

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    def obituary(self) -> str:
        """Why it ended, in its own words where it left some."""
        words = self._errors[-1] if self._errors else "without a word"
        return f"{self.name} ended with status {self._process.returncode}: {words}"

    async def stop(self) -> None:
        """Ask it to end, wait, and end it if it does not. Idempotent."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _read_stdout(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            if not self._first.done():
                self._first.set_result(line.decode("utf-8", "replace").rstrip("\n"))

    async def _read_stderr(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._errors.append(text)
