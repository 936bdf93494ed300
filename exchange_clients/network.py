"""The front door: one object owns sockets, clock and request budgets, and makes clients and adapters that share them.

async with Network(Environment.TESTNET) as network:
    client = network.client("…", {"private_key": "…", "account_address": "…"})
    balance = await client.fetch_balance()
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self
from weakref import WeakSet

from exchange_clients import registry
from exchange_clients.base import BaseExchangeClient, BaseFundingAdapter
from exchange_clients.domain.credentials import Credentials
from exchange_clients.domain.provenance import Environment
from exchange_clients.domain.spellings import did_you_mean
from exchange_clients.engine.capture import Capture
from exchange_clients.engine.clock import Clock, LoopClock, SystemClock
from exchange_clients.engine.http import AiohttpTransport
from exchange_clients.engine.observer import Observer
from exchange_clients.engine.rate_limit import RateLimits
from exchange_clients.engine.replay import ReplayTransport
from exchange_clients.engine.transport import HttpTransport, WebSocketTransport
from exchange_clients.engine.wiring import Wiring
from exchange_clients.errors import Misconfigured
from exchange_clients.market_watch import MarketWatch
from exchange_clients.spec import Urls, VenueSpec
from exchange_clients.user_folder import user_folder

__all__ = ["Network"]

SECRET_FIELD = re.compile(r"private|secret|key|pass", re.IGNORECASE)


class Network:
    """Clients of many venues and accounts on one machine.

    `environment`: live, testnet or sandbox. `hosts`: addresses by venue, for a sandbox or a testnet of one's own: the root of
    a host (`http://127.0.0.1:4001`), to which the venue's own paths are appended, or complete `Urls`.
    `clock`: market time; default: this machine's. `http`, `websocket`: transports to use instead of real ones; they stay open.
    `folder`: where processes of this machine keep request budgets together, and markets as they were last seen; default: a folder
    of this user's own. With `shared=False`, in a sandbox, and where no such folder can be had, this object keeps both to itself.
    `random`: jitter of back-off; give one to repeat a run. `capture`: a new file to which everything that is sent and received is
    written as JSON lines, secrets hidden; `Network.replay` reads it back. `observer`: sees every reply and frame beside.

    Leaving the block closes the clients and adapters that were made here, then the transports. Raises Misconfigured for an
    address of one's own on live (orders signed for the real venue go to the real venue), and for a file that can't be written.
    """

    def __init__(
        self,
        environment: Environment | str = Environment.LIVE,
        *,
        hosts: Mapping[str, str | Urls] | None = None,
        clock: Clock | None = None,
        http: HttpTransport | None = None,
        websocket: WebSocketTransport | None = None,
        folder: Path | None = None,
        shared: bool = True,
        random: Random | None = None,
        capture: Path | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.environment = _environment(environment)
        self.clock: Clock = clock or SystemClock()
        self._hosts = {registry.spec(venue).name: host for venue, host in (hosts or {}).items()}
        if self._hosts and self.environment is Environment.LIVE:
            raise _wrong("addresses of one's own are for a sandbox or a testnet; live means the venue's own address")
        self._owned: list[HttpTransport | WebSocketTransport] = []
        self.http: HttpTransport = http or AiohttpTransport()
        self.websocket: WebSocketTransport = websocket or _websocket_transport()
        self._owned += [] if http else [self.http]
        self._owned += [] if websocket else [self.websocket]
        is_alone = folder is None and (not shared or self.environment is Environment.SANDBOX)
        self._root = None if is_alone else folder or user_folder()
        self.limits = self._limits(is_given=folder is not None)
        self._markets: dict[str, MarketWatch] = {}
        self._random = random or Random()
        self._observer = observer
        self._made: WeakSet[BaseExchangeClient | BaseFundingAdapter] = WeakSet()
        self._is_closed = False
        self._replayed = False
        self._capture = None if capture is None else self._captured(capture)

    @classmethod
    def replay(cls, path: Path, speed: float = 1.0) -> Self:
        """A network that plays back what another one captured; what is read has provenance REPLAY. Make it on a running loop.

        `speed`: recorded seconds per second of the event loop. Raises Misconfigured for a file that is no capture.
        """
        try:
            recorded = ReplayTransport(path, speed)
        except (OSError, ValueError) as error:
            raise _wrong(f"{path} can't be replayed: {error}") from error
        environment = Environment(recorded.environment)
        hosts = dict.fromkeys(registry.names(), "http://replay") if environment is Environment.SANDBOX else None
        network = cls(
            environment, hosts=hosts, clock=LoopClock(recorded.start_ms), http=recorded, websocket=recorded, shared=False
        )
        network._replayed = True
        return network

    def client(self, venue: str, credentials: Credentials | Mapping[str, str] | None = None) -> BaseExchangeClient:
        """A trading client of one account, or, without `credentials`, one that reads what needs none.

        `credentials`: by the names that `VenueSpec.credential_fields` lists. Opens nothing yet. Raises Misconfigured for an
        unknown venue or credential, naming close matches, and for keys that can't be right.
        """
        spec = registry.spec(venue)
        client = spec.client_class()(self.wiring(spec.name, credentials))
        self._made.add(client)
        return client

    def adapter(self, venue: str) -> BaseFundingAdapter:
        """What reads funding and market figures of a venue; needs no account. Raises Misconfigured for an unknown venue."""
        spec = registry.spec(venue)
        adapter = spec.adapter_class()(self.wiring(spec.name))
        self._made.add(adapter)
        return adapter

    def urls(self, venue: str) -> Urls:
        """Where this network finds a venue. Raises Misconfigured when it has no such installation."""
        spec = registry.spec(venue)
        host = self._hosts.get(spec.name)
        if isinstance(host, Urls):
            return host
        if host is not None:
            return spec.urls_at(host)
        if self.environment is Environment.SANDBOX:
            raise Misconfigured(spec.name, "addresses", "a sandbox has no fixed address: give it in `hosts`, or use Sandbox")
        return spec.urls_of(self.environment)

    def wiring(self, venue: str, credentials: Credentials | Mapping[str, str] | None = None) -> Wiring:
        """What a client or adapter is built from, for those who build their own. Raises as `client` does."""
        if self._is_closed:
            raise _wrong("it is closed; clients made from it can't be used any more")
        spec = registry.spec(venue)
        urls = self.urls(spec.name)
        secrets = None if credentials is None else _credentials(spec, credentials)
        if self._capture is not None and secrets is not None:
            for name, value in secrets.values.items():
                if SECRET_FIELD.search(name):
                    self._capture.hide(value)
        return Wiring(
            environment=self.environment,
            rest_url=urls.rest,
            websocket_url=urls.websocket,
            clock=self.clock,
            http=self.http,
            websocket=self.websocket,
            credentials=secrets,
            limits=self.limits,
            random=Random(self._random.getrandbits(64)),
            rest_urls=urls.others,
            replayed=self._replayed,
            observer=self._observer,
            markets=self._watch(spec.name),
        )

    async def close(self) -> None:
        """End streams, give back connections. Idempotent."""
        self._is_closed = True
        for made in list(self._made):
            await made.close()
        while self._owned:
            await self._owned.pop().close()
        if self._capture is not None:
            self._capture.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _captured(self, path: Path) -> Capture:
        try:
            capture = Capture(path, self.clock, self.environment.value)
        except OSError as error:
            raise _wrong(f"{path} can't be written: {error.strerror}") from error
        self.http, self.websocket = capture.http(self.http), capture.websocket(self.websocket)
        return capture

    def _limits(self, is_given: bool) -> RateLimits:
        """Budgets of all processes where that is wanted and possible, of this one elsewhere."""
        if self._root is None:
            return RateLimits()
        try:
            module = import_module("exchange_clients.engine.shared_rate_limit")
        except ImportError:  # no file locks on this platform
            return RateLimits()
        try:
            limits: RateLimits = module.SharedRateLimits(self._root / "limits" / self.environment.value)
        except OSError as error:
            if is_given:
                raise _wrong(f"budgets can't be shared in {self._root}: {error.strerror}") from error
            return RateLimits()
        return limits

    def _watch(self, venue: str) -> MarketWatch:
        """How the venue's markets were last seen, by whichever client and in whichever run."""
        found = self._markets.get(venue)
        if found is None:
            file = None if self._root is None or self._replayed else markets_file(self._root, self.environment, venue)
            found = self._markets[venue] = MarketWatch(venue, file)
        return found


def markets_file(root: Path, environment: Environment, venue: str) -> Path:
    """Where the markets of one venue are remembered."""
    return root / "markets" / f"{environment.value}-{venue}.json"


def _environment(given: Environment | str) -> Environment:
    try:
        return Environment(given)
    except ValueError:
        raise _wrong(f"environment {given!r} is none of {', '.join(Environment)}") from None


def _credentials(spec: VenueSpec, given: Credentials | Mapping[str, str]) -> Credentials:
    """Raises Misconfigured for a name that the venue does not know: a misspelt optional field would go unnoticed."""
    credentials = given if isinstance(given, Credentials) else Credentials(dict(given))
    known = (*spec.credential_fields, *spec.credential_fields_optional)
    for name in credentials.values:
        if name not in known:
            raise Misconfigured(spec.name, "credentials", f"{name!r} is none of {', '.join(known)}{did_you_mean(name, known)}")
    return credentials


def _websocket_transport() -> WebSocketTransport:
    """picows where it is installed, the portable transport elsewhere."""
    try:
        module = import_module("exchange_clients.engine.websocket")
    except ImportError:
        module = import_module("exchange_clients.engine.websocket_portable")
        portable: WebSocketTransport = module.WebsocketsTransport()
        return portable
    fast: WebSocketTransport = module.PicowsTransport()
    return fast


def _wrong(detail: str) -> Misconfigured:
    return Misconfigured("network", "open", detail)
