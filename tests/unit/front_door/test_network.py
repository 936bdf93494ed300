"""The front door: one object makes clients that share sockets, clock and budgets."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange_clients import Environment, Network, registry
from exchange_clients.engine.endpoint import Meter
from exchange_clients.engine.rate_limit import RateLimits
from exchange_clients.engine.transport import HttpRequest, HttpResponse
from exchange_clients.errors import Misconfigured
from exchange_clients.spec import Urls
from exchange_clients.user_folder import user_folder

VENUE = registry.names()[0]
SPEC = registry.spec(VENUE)
METER = Meter("weight", capacity=10, window_s=3600)


class NoNetwork:
    """Both transports; nothing may be sent."""

    closed = False

    async def request(self, request: HttpRequest) -> HttpResponse:
        raise AssertionError(f"{request.url} was asked for")

    async def connect(self, *_: object) -> None:
        raise AssertionError("a socket was opened")

    async def close(self) -> None:
        self.closed = True


def quiet(environment: str = "testnet", **changes: object) -> Network:
    transport = NoNetwork()
    return Network(environment, http=transport, websocket=transport, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("venue", registry.names())
async def test_it_makes_clients_and_adapters_of_every_venue_and_closes_them(venue: str) -> None:
    async with quiet() as network:
        client, adapter = network.client(venue), network.adapter(venue)
        assert client.venue == adapter.venue == venue
        assert isinstance(client, registry.spec(venue).client_class())  # type: ignore[arg-type]
        assert network.urls(venue) == registry.spec(venue).urls[Environment.TESTNET]
    with pytest.raises(Misconfigured, match="closed"):
        network.client(venue)
    await network.close()


async def test_transports_that_were_given_stay_open_and_own_ones_are_closed() -> None:
    given = NoNetwork()
    async with Network("testnet", http=given, shared=False) as network:  # type: ignore[arg-type]
        assert network.websocket is not given
    assert not given.closed


async def test_accounts_behind_one_address_share_its_budgets_and_each_has_its_own_chance() -> None:
    async with quiet(shared=False) as network:
        one, other = network.wiring(VENUE), network.wiring(VENUE)
    assert one.limits is other.limits and one.http is other.http and one.clock is other.clock
    assert one.random is not other.random


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Network("tesnet"), "'tesnet' is none of live, testnet, sandbox"),
        (lambda: Network("live", hosts={VENUE: "http://127.0.0.1:1"}), "live means the venue's own address"),
        (lambda: Network("sandbox", hosts={"nowhere": "http://127.0.0.1:1"}), "unknown venue"),
        (lambda: quiet("sandbox").client(VENUE), "give it in `hosts`, or use Sandbox"),
        (lambda: quiet().client(VENUE[:-1]), f"did you mean {VENUE}"),
        (lambda: quiet().client(VENUE, {"private_kye": "1"}), "did you mean private_key"),
    ],
)
def test_environment_hosts_and_names_are_checked_at_once(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        wrong()


def test_an_address_of_ones_own_gets_the_venues_paths_unless_it_is_complete() -> None:
    for venue in registry.names():
        spec = registry.spec(venue)
        urls = quiet("sandbox", hosts={venue.upper(): "http://127.0.0.1:4001/"}).urls(venue)
        assert urls.rest == f"http://127.0.0.1:4001{spec.rest_path}"
        assert urls.websocket == f"ws://127.0.0.1:4001{spec.websocket_path}"
    complete = Urls("https://a.example/x", "wss://b.example/y")
    assert quiet("testnet", hosts={VENUE: complete}).urls(VENUE) is complete
    assert quiet("testnet", hosts={VENUE: "https://a.example"}).urls(VENUE).websocket.startswith("wss://a.example")


# Budgets between processes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


async def test_budgets_are_kept_for_all_processes_of_a_user_by_default(home: Path) -> None:
    one, other, elsewhere = quiet(), quiet(), quiet("live")
    await one.limits.take(VENUE, "call", METER, "", 10)
    now = asyncio.get_running_loop().time()
    assert other.limits.try_take(VENUE, METER, "", 1, 1.0, now) > 0
    assert elsewhere.limits.try_take(VENUE, METER, "", 1, 1.0, now) == 0, "the live venue counts for itself"
    folder = user_folder()
    assert folder is not None and folder.is_relative_to(home)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_sandbox_and_whoever_wants_it_keeps_to_itself(home: Path) -> None:
    assert type(quiet(shared=False).limits) is type(quiet("sandbox", hosts={}).limits) is RateLimits
    assert not home.exists()


def test_where_no_folder_can_be_had_budgets_are_this_programs_own(home: Path, recwarn: pytest.WarningsRecorder) -> None:
    home.write_text("a file stands where the folder should be")
    assert type(quiet().limits) is RateLimits
    home.unlink()
    home.mkdir()
    (home / "perp-exchange-clients").symlink_to(home.parent)
    assert type(quiet().limits) is RateLimits, "somebody else may have planted a link"
    assert not recwarn.list


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_belongs_to_somebody_else_is_not_used(home: Path) -> None:
    planted = home / "perp-exchange-clients"
    planted.mkdir(parents=True)
    os.chown(planted, 12345, 12345)
    assert type(quiet().limits) is RateLimits


def test_a_folder_that_others_could_read_is_closed(home: Path) -> None:
    (home / "perp-exchange-clients").mkdir(parents=True, mode=0o755)
    quiet()
    assert stat.S_IMODE((home / "perp-exchange-clients").stat().st_mode) == 0o700


async def test_a_folder_that_was_asked_for_must_be_usable(tmp_path: Path) -> None:
    await quiet(folder=tmp_path).limits.take(VENUE, "call", METER, "", 1)
    assert list((tmp_path / "limits" / "testnet").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="budgets can't be shared"):
        quiet(folder=tmp_path / "file")


WITHOUT_LOCKS = """
import sys
sys.modules["fcntl"] = None
sys.modules["picows"] = None
import warnings; warnings.simplefilter("error")
from exchange_clients import Network
network = Network("testnet")
print(type(network.limits).__name__, type(network.websocket).__name__)
"""


def test_without_file_locks_and_picows_it_works_with_what_there_is(root: Path) -> None:
    command = [sys.executable, "-W", "error::DeprecationWarning:exchange_clients", "-c", WITHOUT_LOCKS]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["RateLimits", "WebsocketsTransport"] and not done.stderr
