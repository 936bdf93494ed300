"""Where contenders run: ours in the environment of this project, each peer in one of its own, made once and kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".bench"
PEERS_DIR = Path(__file__).resolve().parent / "peers"

PACKAGES: dict[str, tuple[str, ...]] = {
    "ccxt": ("ccxt==4.5.90",),
    "hyperliquid_sdk": ("hyperliquid-python-sdk==0.24.0",),
    "starknet": ("starknet-py==0.30.0",),
    "solders": ("solders==0.29.0", "base58==2.1.1"),
}
NODE_PACKAGES: dict[str, tuple[str, ...]] = {
    "nktkas": ("@nktkas/hyperliquid@0.32.2", "viem@2.57.20", "ws@8.23.0")  # the newest that runs on Node 20
}
SIMDJSON = "pysimdjson==7.0.2"  # its source archive carries simdjson as one header and one source file
OURS = "ours"


class Unavailable(Exception):
    """A contender can't be had on this machine; the message says why."""


def python_of(peer: str) -> Path:
    """The interpreter of `peer`'s environment, which is made when it is missing or its pins have changed.

    Raises Unavailable when its packages can't be installed.
    """
    if peer == OURS:
        return Path(sys.executable)
    folder, wanted = HOME / peer, "\n".join(PACKAGES[peer])
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    venv.create(folder, with_pip=True, clear=True)
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[peer]], f"{peer}'s packages")
    stamp.write_text(wanted)
    return python


def node_folder_of(peer: str) -> Path:
    """The folder whose `node_modules` hold `peer`, made when it is missing or its pins have changed.

    Raises Unavailable without Node and npm, or when the packages can't be installed.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Unavailable("no Node.js with npm")
    folder, wanted = HOME / peer, "\n".join(NODE_PACKAGES[peer])
    stamp = folder / "installed.txt"
    if not (stamp.exists() and stamp.read_text() == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        quietly = ["--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"]
        _run([npm, "install", "--prefix", str(folder), *quietly, *NODE_PACKAGES[peer]], f"{peer}'s packages")
        stamp.write_text(wanted)
    return folder


def compiled(source: str) -> Path:
    """The program built from `peers/<source>` (C++ with simdjson). Raises Unavailable without compiler or library."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise Unavailable("no C++ compiler")
    folder = HOME / "limit"
    path, program = PEERS_DIR / source, folder / Path(source).stem
    if program.exists() and program.stat().st_mtime > path.stat().st_mtime:
        return program
    library = _simdjson(folder)
    object_file = folder / "simdjson.o"
    flags = ["-O3", "-march=native", "-std=c++17", f"-I{library}"]
    if not object_file.exists():
        _run([compiler, *flags, "-c", str(library / "simdjson.cpp"), "-o", str(object_file)], "simdjson")
    _run([compiler, *flags, str(path), str(object_file), "-o", str(program)], source)
    return program


def _simdjson(folder: Path) -> Path:
    """The folder that holds simdjson.h and simdjson.cpp."""
    library = folder / "simdjson"
    if (library / "simdjson.h").exists() and (library / "simdjson.cpp").exists():
        return library
    library.mkdir(parents=True, exist_ok=True)
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "-d", str(folder)]
    _run([*download, SIMDJSON], "simdjson's sources")
    archive = next(folder.glob("*.tar.gz"))
    with tarfile.open(archive) as sources:
        for member in sources.getmembers():
            name = Path(member.name).name
            if name not in ("simdjson.h", "simdjson.cpp"):
                continue
            content = sources.extractfile(member)
            if content is not None:
                (library / name).write_bytes(content.read())
    return library


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{what} can't be had here: {words[-1] if words else f'exit code {done.returncode}'}")
