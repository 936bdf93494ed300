"""Rules of the house that no linter knows. Each failure names the file and line."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange_clients import registry

SEVEN = {"common.py", "wire.py", "signing.py", "dialect.py", "client.py", "funding_adapter.py", "sandbox.py"}
PRODUCT = ("exchange_clients", "strategies", "helpers", "funding_rate_service", "trading_bot.py", "runbot.py")
MAY_NAME_VENUES = ("exchange_clients/registry.py",)

AMBIENT_ALLOWED = {
    "exchange_clients/engine/capture.py",
    "exchange_clients/engine/clock.py",
    "exchange_clients/engine/shared_rate_limit.py",
    "exchange_clients/probe/command.py",
    "exchange_clients/user_folder.py",
    "helpers/config.py",
    "helpers/journal.py",
    "helpers/vault.py",
    "funding_rate_service/config.py",
    "funding_rate_service/lifetime.py",
    "runbot.py",
}
AMBIENT_ALLOWED_FOLDERS = ("exchange_clients/sandbox/", "funding_rate_service/database/", "funding_rate_service/__main__")
AMBIENT_CALLS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "random": {"random", "randint", "uniform", "choice", "shuffle", "gauss", "randrange"},
    "os": {"getenv", "environ", "urandom", "open"},
    "uuid": {"uuid1", "uuid4"},
    "secrets": {"token_bytes", "token_hex", "token_urlsafe", "choice", "randbelow"},
}


def product_files(root: Path) -> Iterator[tuple[str, Path]]:
    for name in PRODUCT:
        top = root / name
        files = [top] if top.suffix == ".py" else sorted(top.rglob("*.py"))
        for file in files:
            if file.exists():
                yield file.relative_to(root).as_posix(), file


def test_every_venue_has_the_same_seven_files(root: Path) -> None:
    for venue in registry.names():
        found = {p.name for p in (root / "exchange_clients" / venue).glob("*.py")} - {"__init__.py"}
        assert found == SEVEN, f"{venue}: {found ^ SEVEN}"


def test_no_file_outside_a_venue_names_it(root: Path) -> None:
    words = (f"(?<![A-Za-z]){n}(?![a-z])|(?<![A-Z]){n.capitalize()}(?![a-z])|{n.upper()}" for n in registry.names())
    pattern = re.compile("|".join(words))
    offences = []
    for name, file in product_files(root):
        parts = name.split("/")
        if name in MAY_NAME_VENUES or (parts[0] == "exchange_clients" and len(parts) > 2 and parts[1] in registry.names()):
            continue
        offences += [
            f"{name}:{n}: {line.strip()}" for n, line in enumerate(file.read_text().splitlines(), 1) if pattern.search(line)
        ]
    assert not offences, "\n".join(offences)


def test_a_venue_names_no_other(root: Path) -> None:
    offences = []
    for venue in registry.names():
        others = re.compile("|".join(other for other in registry.names() if other != venue), re.IGNORECASE)
        for file in sorted((root / "exchange_clients" / venue).glob("*.py")):
            offences += [
                f"{venue}/{file.name}: {line.strip()}" for line in file.read_text().splitlines() if others.search(line)
            ]
    assert not offences, "\n".join(offences)


def test_time_chance_environment_and_files_are_parameters(root: Path) -> None:
    offences = []
    for name, file in product_files(root):
        if name in AMBIENT_ALLOWED or name.startswith(AMBIENT_ALLOWED_FOLDERS):
            continue
        if name.endswith("/sandbox.py") and name.count("/") == 2:
            continue
        tree = ast.parse(file.read_text())
        imported = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
                if node.attr in AMBIENT_CALLS.get(node.value.id, ()):
                    offences.append(f"{name}:{node.lineno}: {node.value.id}.{node.attr}")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                offences.append(f"{name}:{node.lineno}: open()")
    assert not offences, "\n".join(offences)


def test_broad_excepts_do_not_exist_but_at_the_top(root: Path) -> None:
    offences = []
    for name, file in product_files(root):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                broad = any(k is None or (isinstance(k, ast.Name) and k.id in ("Exception", "BaseException")) for k in kinds)
                if broad and name != "runbot.py":
                    offences.append(f"{name}:{node.lineno}")
    assert not offences, "\n".join(offences)


def test_functions_fit_a_screen(root: Path) -> None:
    offences = []
    for name, file in product_files(root):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 80:
                    offences.append(f"{name}:{node.lineno} {node.name}: {lines} lines")
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize("kind", ["*.py", "*.md", "*.toml", "*.yaml", "Makefile", "*.txt"])
def test_no_text_names_one_machine_or_a_package_host(root: Path, kind: str) -> None:
    host = re.compile(r"index-url|find-links|pypi\.org/simple|files\.pythonhosted|/home/\w+/|/work/")
    offences = []
    for file in root.rglob(kind):
        relative = file.relative_to(root)
        if relative.parts[0].startswith(".") or relative.as_posix() == "tests/test_house_rules.py":
            continue
        offences += [f"{relative}:{n}" for n, line in enumerate(file.read_text().splitlines(), 1) if host.search(line)]
    assert not offences, "\n".join(offences)


def test_modules_open_by_saying_what_they_hold(root: Path) -> None:
    silent = [
        name
        for name, file in product_files(root)
        if file.read_text().strip() and not ast.get_docstring(ast.parse(file.read_text()))
    ]
    assert not silent, "\n".join(silent)


def test_the_library_is_packaged_whole(root: Path) -> None:
    text = (root / "exchange_clients" / "pyproject.toml").read_text()
    folders = {p.parent.name for p in (root / "exchange_clients").glob("*/__init__.py")}
    missing = sorted(folder for folder in folders if f'"exchange_clients.{folder}"' not in text)
    assert not missing, f"not in the wheel: {missing}"


@pytest.mark.parametrize(
    ("module", "may_use"),
    [
        (
            "trading_bot.py",
            {"exchange_clients.base", "exchange_clients.domain", "exchange_clients.errors", "exchange_clients.trading"},
        )
    ],
)
def test_the_bot_meets_venues_through_the_contract_and_the_service_not_at_all(
    root: Path, module: str, may_use: set[str]
) -> None:
    """The import contracts of a single-file module, which import-linter does not read."""
    used = set()
    for node in ast.walk(ast.parse((root / module).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            used.add(node.module)
        elif isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
    ours = {name for name in used if name.split(".")[0] in ("exchange_clients", "funding_rate_service", "runbot", "benchmarks")}
    assert all(any(name == allowed or name.startswith(f"{allowed}.") for allowed in may_use) for name in ours), ours
