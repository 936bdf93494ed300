"""A new venue: the command writes one that works, nothing else has to be told of it, and what it may not do goes red by itself."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exchange_clients import registry
from exchange_clients.errors import Misconfigured
from exchange_clients.new_venue import NAME_CHARS_MAX, TEMPLATE, main, renamed, write_venue

NAME = "aurora_9"
LONGEST = "a" * NAME_CHARS_MAX
COPIED = ("exchange_clients", "strategies", "helpers", "funding_rate_service", "tests")


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own, in which the command has run."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
    for name in ("pyproject.toml", "trading_bot.py", "runbot.py"):
        shutil.copy(root / name, folder / name)
    for name in (NAME, LONGEST):
        done = run(folder, sys.executable, "-m", "exchange_clients.new_venue", name)
        assert done.returncode == 0, done.stderr
        assert f"{name}/sandbox.py" in done.stdout and "registry.py" in done.stdout and "ADDING_EXCHANGES" in done.stdout
    return folder


def test_it_adds_a_folder_and_one_line(root: Path, tree: Path) -> None:
    before = (root / "exchange_clients" / "registry.py").read_text().splitlines()
    after = (tree / "exchange_clients" / "registry.py").read_text().splitlines()
    assert [line for line in after if line not in before] == [
        f'    "{name}": "exchange_clients.{name}.common:SPEC",' for name in (NAME, LONGEST)
    ]
    ours = {file.relative_to(root) for file in (root / "exchange_clients").rglob("*.py")}
    theirs = {file.relative_to(tree) for file in (tree / "exchange_clients").rglob("*.py")}
    assert {file.parts[1] for file in theirs - ours} == {NAME, LONGEST} and not ours - theirs
    for file in ours - {Path("exchange_clients/registry.py")}:
        assert (root / file).read_bytes() == (tree / file).read_bytes(), f"{file} was changed"


def test_the_conformance_suite_is_green_on_it(tree: Path) -> None:
    done = run(tree, sys.executable, "-m", "pytest", "tests/conformance", "-k", NAME)
    assert done.returncode == 0, done.stdout[-3000:]
    tests = re.search(r"(\d+) passed", done.stdout)
    assert tests is not None and int(tests[1]) > 40, done.stdout[-300:]


def test_format_lint_contracts_and_house_rules_are_green_on_it(tree: Path) -> None:
    for command in (("ruff", "format", "--check", "exchange_clients"), ("ruff", "check", "exchange_clients")):
        done = run(tree, sys.executable, "-m", *command)
        assert done.returncode == 0, done.stdout[-3000:]
    assert _broken_contracts(tree) == set()
    done = run(tree, sys.executable, "-m", "pytest", "tests/test_house_rules.py", "-k", "not machine")
    assert done.returncode == 0, done.stdout[-3000:]


def _broken_contracts(tree: Path) -> set[str]:
    said = run(tree, str(Path(sys.executable).with_name("lint-imports")), "--no-cache").stdout
    assert "KEPT" in said, said[-2000:]
    return set(re.findall(r"^(.*) BROKEN$", said, re.MULTILINE))


@contextmanager
def planted(tree: Path, lines: dict[str, str]) -> Iterator[None]:
    """Each line at the end of a file of the library."""
    files = {tree / "exchange_clients" / name: line for name, line in lines.items()}
    before = {file: file.read_text() for file in files}
    for file, line in files.items():
        file.write_text(f"{before[file]}\n{line}\n")
    try:
        yield
    finally:
        for file, text in before.items():
            file.write_text(text)


def test_a_facade_that_knows_its_client_and_an_engine_that_knows_a_venue_go_red_untold(tree: Path) -> None:
    facade, engine = f"from exchange_clients.{NAME}.client import *", f"import exchange_clients.{NAME}.wire"
    with planted(tree, {f"{NAME}/sandbox.py": facade, "engine/http.py": engine}):
        assert _broken_contracts(tree) >= {"a façade never imports its client", "what venues share knows no venue"}


def test_a_venue_that_knows_another_or_brings_no_libraries_goes_red_untold(tree: Path) -> None:
    lines = {
        f"{NAME}/client.py": f"from exchange_clients.{TEMPLATE} import wire as others",
        f"{NAME}/wire.py": "from exchange_clients.trading import ledger",
        f"{NAME}/signing.py": "import nacl",
    }
    with planted(tree, lines):
        said = run(tree, sys.executable, "-m", "pytest", "tests/test_house_rules.py", "-k", "import or libraries").stdout
    assert f"{NAME}/client.py imports exchange_clients.{TEMPLATE}.wire" in said
    assert f"{NAME}/wire.py imports exchange_clients.trading.ledger" in said
    assert f"{NAME} imports {{'pynacl'}}, its extra '' brings nothing" in said


@pytest.mark.parametrize(
    "name",
    ["", "Aurora", "au rora", "au-rora", "9lives", "_aurora", "aurora_", "lambda", "ångström", "../aurora", f"{LONGEST}a"],
)
def test_what_is_no_name_is_one_clear_message(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--folder", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"new_venue: {name!r} is no name") and said.err.count("\n") == 1 and not said.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [*registry.names(), TEMPLATE, "engine", "base", "registry", "sandbox"])
def test_a_name_that_is_taken_is_one_clear_message(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"new_venue: '{name}' exists already; nothing was written\n"
    assert not list(tmp_path.iterdir())


def test_a_name_is_taken_where_it_was_written_before(tmp_path: Path) -> None:
    assert {file.parent.name for file in write_venue("aurora", tmp_path)} == {"aurora"}
    with pytest.raises(Misconfigured, match="exists already"):
        write_venue("aurora", tmp_path)


def test_every_word_for_the_template_is_renamed(root: Path) -> None:
    for file in sorted((root / "exchange_clients" / TEMPLATE).glob("*.py")):
        assert TEMPLATE not in renamed(file.read_text(), "aurora").lower(), file


def test_the_toy_is_examined_and_never_listed() -> None:
    assert TEMPLATE not in registry.names()
    registry.register(TEMPLATE, f"exchange_clients.{TEMPLATE}.common:SPEC")
    assert registry.spec("Toy").name == TEMPLATE and TEMPLATE not in registry.names()
    with pytest.raises(Misconfigured, match="another venue"):
        registry.register(registry.names()[0], f"exchange_clients.{TEMPLATE}.common:SPEC")
