"""`python -m funding_rate_service`: serve until SIGTERM or SIGINT. Exit status 2, with one line, when it can't start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn
import uvloop

from funding_rate_service.config import Settings, load_settings
from funding_rate_service.errors import StartupError
from funding_rate_service.front_door import FrontDoor
from funding_rate_service.lifetime import end_with_parent, parent
from funding_rate_service.main import create_app

_PARENT_CHECK_S = 1.0


class _Server(uvicorn.Server):
    """Leaves the signals to `_serve`, which also has a database to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> int:
    """Run; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for chatty in ("apscheduler", "alembic", "databases"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        settings = load_settings()
        if settings.die_with_parent:
            end_with_parent()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except StartupError as error:
        sys.stderr.write(f"funding-rate-service: {error}\n")
        return 2
    except asyncio.CancelledError:
        return 0
    return 0


async def _serve(settings: Settings) -> None:
    listening = _listen(settings.host, settings.port)
    app = create_app(settings)
    config = uvicorn.Config(FrontDoor(app), http="httptools", lifespan="off", log_config=None, access_log=False)
    server = _Server(config)
    running = asyncio.current_task()
    assert running is not None

    def stop() -> None:
        server.should_exit = True
        if not server.started:
            running.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    watch = loop.create_task(_stop_when_orphaned(stop)) if settings.die_with_parent else None
    try:
        async with app.router.lifespan_context(app):
            host, port = listening.getsockname()[:2]
            logging.getLogger(__name__).info("serving on http://%s:%d/api/v1", host, port)
            await server.serve(sockets=[listening])
    finally:
        if watch is not None:
            watch.cancel()
        listening.close()


async def _stop_when_orphaned(stop: Callable[[], None]) -> None:
    """For systems whose kernel does not tell."""
    started_by = parent()
    while True:
        await asyncio.sleep(_PARENT_CHECK_S)
        if parent() != started_by:
            stop()
            return


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming the protocol lets asyncio see that this is TCP and switch Nagle's delay of 40 ms off.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise StartupError(f"can't listen on {host}:{port}: {error.strerror}; choose another FUNDING_PORT") from error
    return listening


if __name__ == "__main__":
    sys.exit(main())
