"""Rules of the house that no linter knows. Each failure names the file and line."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from exchange_clients import registry
from exchange_clients.new_venue import TEMPLATE

SEVEN = {"common.py", "wire.py", "signing.py", "dialect.py", "client.py", "funding_adapter.py", "sandbox.py"}
PRODUCT = ("exchange_clients", "strategies", "helpers", "funding_rate_service", "trading_bot.py", "runbot.py")
MAY_NAME_VENUES = ("exchange_clients/registry.py",)
VENUE_MAY_IMPORT = {"base", "domain", "engine", "errors", "keys", "spec", "venue_adapter", "venue_client"}
FACADE_MAY_IMPORT = {"base", "domain", "engine", "errors", "keys", "sandbox", "spec"}
NOT_THE_FACADES = {"client", "dialect", "funding_adapter"}

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


def venue_folders(root: Path) -> list[Path]:
    """Venues as they lie on the disk, so that nothing about a new one has to be told here. The toy is one of them."""
    return sorted(file.parent for file in (root / "exchange_clients").glob("*/common.py"))


def test_every_venue_is_registered_and_has_the_same_seven_files(root: Path) -> None:
    assert {folder.name for folder in venue_folders(root)} == {*registry.names(), TEMPLATE}
    for folder in venue_folders(root):
        found = {p.name for p in folder.glob("*.py")} - {"__init__.py"}
        assert found == SEVEN, f"{folder.name}: {found ^ SEVEN}"


def test_a_venue_imports_what_is_shared_and_itself_only(root: Path) -> None:
    """Other venues are not among it, nor is the client among what its façade may import."""
    offences = []
    for folder in venue_folders(root):
        own = f"exchange_clients.{folder.name}"
        for file in sorted(folder.glob("*.py")):
            is_facade = file.name == "sandbox.py"
            allowed = FACADE_MAY_IMPORT if is_facade else VENUE_MAY_IMPORT
            for module in sorted(imported_modules(file)):
                parts = module.split(".")
                if parts[0] != "exchange_clients" or len(parts) == 1:
                    continue
                is_own = module == own or module.startswith(f"{own}.")
                if not (parts[1] in allowed or (is_own and not (is_facade and parts[-1] in NOT_THE_FACADES))):
                    offences.append(f"{folder.name}/{file.name} imports {module}")
    assert not offences, "\n".join(offences)


def imported_modules(file: Path) -> set[str]:
    """Everything that a file imports, `from a import b` as both `a` and `a.b` where that is a module of ours."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "exchange_clients" and len(parts) < 3:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


def test_a_venues_libraries_come_with_its_extra(root: Path) -> None:
    """What a venue needs beyond the library itself is in `extra` of its spec, an extra of the same name in pyproject.toml, and `all`."""
    project = tomllib.loads((root / "exchange_clients" / "pyproject.toml").read_text())["project"]
    usual, extras = {_bare(d) for d in project["dependencies"]}, project["optional-dependencies"]
    homes = packages_distributions()
    for name in (*registry.names(), TEMPLATE):
        extra = import_module(f"exchange_clients.{name}.common").SPEC.extra
        files = [*(root / "exchange_clients" / name).glob("*.py")]
        keys = {module.split(".")[2] for file in files for module in imported_modules(file) if ".keys." in module}
        files += [root / "exchange_clients" / "keys" / f"{key}.py" for key in keys]
        tops = {module.split(".")[0] for file in files for module in imported_modules(file)} - set(sys.stdlib_module_names)
        needs = {_bare(homes[top][0]) for top in tops - {"exchange_clients"}} - usual
        given = {_bare(d) for d in extras[extra]} if extra else set()
        assert needs == given, f"{name} imports {needs or 'nothing more'}, its extra {extra!r} brings {given or 'nothing'}"
        assert given <= {_bare(d) for d in extras["all"]}, f"the extra `all` lacks {given}"


def _bare(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


def venue_words(names: Iterable[str]) -> re.Pattern[str]:
    """Any of the names as a word by itself: `aster` is not in `faster`."""
    return re.compile("|".join(f"(?<![A-Za-z]){n}(?![a-z])|(?<![A-Z]){n.capitalize()}(?![a-z])|{n.upper()}" for n in names))


def test_no_file_outside_a_venue_names_it(root: Path) -> None:
    pattern = venue_words(registry.names())
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
        others = venue_words(other for other in registry.names() if other != venue)
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
