"""The library by itself: built as a wheel, installed into an empty environment, imported from there and from nowhere else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import sys
from exchange_clients import base, errors, registry
from exchange_clients.engine import http, session, stream, websocket
light = set(sys.modules)
assert not light & {"fastapi", "sqlalchemy", "coincurve", "nacl", "fast_stark_crypto", "numpy"}, "importing must stay light"
for name in registry.names():
    spec = registry.spec(name)
    spec.client_class(), spec.adapter_class(), spec.sandbox_class()
    print(name, exchange_clients.__file__ if (exchange_clients := sys.modules["exchange_clients"]) else "")
"""


def run(*command: str, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def environment(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    sources = folder / "exchange_clients"  # building leaves files behind; they must not land in the tree
    shutil.copytree(root / "exchange_clients", sources, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(sources), cwd=folder)
    run(sys.executable, "-m", "venv", str(folder / "empty"), cwd=folder)
    (wheel,) = folder.glob("*.whl")
    inside = (str(folder / "empty" / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(
        *inside,
        "install",
        "--only-binary",
        ":all:",
        f"{wheel}[all]",
        "--constraint",
        str(root / "requirements.txt"),
        cwd=folder,
    )
    return folder / "empty"


def test_every_venue_imports_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    from exchange_clients import registry

    lines = run(str(environment / "bin" / "python"), "-c", PROBE, cwd=tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == list(registry.names())
    assert all(str(environment) in line for line in lines)


def test_the_wheel_holds_every_package(environment: Path, root: Path) -> None:
    (inside,) = environment.glob("lib/*/site-packages/exchange_clients")
    packages = {file.parent.relative_to(root / "exchange_clients") for file in (root / "exchange_clients").rglob("__init__.py")}
    assert {file.parent.relative_to(inside) for file in inside.rglob("__init__.py")} == packages
    assert (inside / "py.typed").exists()
