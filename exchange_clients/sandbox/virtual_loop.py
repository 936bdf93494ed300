"""An asyncio loop that never waits: when nothing is ready, its clock jumps to the next timer.

A week of trading takes as long as its arithmetic does, and the same program runs the same way twice. Sockets, name resolution,
subprocesses and threads belong to another clock, so they raise RuntimeError. A program that waits for what can never happen
raises VirtualDeadlock instead of hanging.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class VirtualDeadlock(RuntimeError):
    """Nothing is ready, no timer is set, and the program waits."""


class VirtualLoop(base_events.BaseEventLoop):
    """The loop. Its time starts at 0 seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = 0.0
        self._clock_resolution = 1e-9
        self._selector = _JumpingSelector(self._jump)

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual_s

    def _jump(self, seconds: float) -> None:
        self._virtual_s += seconds

    # What BaseEventLoop asks of its platform half

    def _process_events(self, event_list: list[Any]) -> None:
        """No I/O, no events."""

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody needs waking; a wake-up from another thread would make the order of things a matter of luck."""
        if self.is_running() and asyncio.events._get_running_loop() is not self:
            _refuse("waking up from another thread")


_REFUSED = {
    "a thread pool": ("run_in_executor",),
    "name resolution": ("getaddrinfo", "getnameinfo"),
    "a socket": (
        "create_connection",
        "create_unix_connection",
        "create_datagram_endpoint",
        "connect_accepted_socket",
        "start_tls",
        "sock_connect",
        "sock_accept",
        "sock_recv",
        "sock_recv_into",
        "sock_sendall",
        "sock_sendfile",
        "add_reader",
        "add_writer",
    ),
    "a server socket": ("create_server", "create_unix_server"),
    "a pipe": ("connect_read_pipe", "connect_write_pipe"),
    "a subprocess": ("subprocess_exec", "subprocess_shell"),
}
"""What belongs to another clock: the loop's methods, by what they would need."""


def _refuse(what: str) -> NoReturn:
    raise RuntimeError(f"{what} is not available on a virtual loop: it would wait on real time")


def _refusal(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        _refuse(what)

    return refuse


for _what, _methods in _REFUSED.items():
    for _method in _methods:
        setattr(VirtualLoop, _method, _refusal(_what))


class _JumpingSelector:
    """Stands where a real loop would wait for sockets."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        self._jump = jump

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise VirtualDeadlock("nothing is ready and no timer is set: the program waits for what can never happen")
        if timeout > 0:
            self._jump(timeout)
        return []


def run_virtual(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main()` to its end on a fresh VirtualLoop and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
