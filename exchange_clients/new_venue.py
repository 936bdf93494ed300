"""Begin a venue: `python -m exchange_clients.new_venue NAME` writes a package that works, to be changed file by file.

What it writes is the toy venue of this library under another name: the same code that the tests examine. How to go on stands in
docs/how_to/ADDING_EXCHANGES.md.
"""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from pathlib import Path

from exchange_clients import registry
from exchange_clients.errors import Misconfigured

LIBRARY = Path(__file__).parent
TEMPLATE = "toy"
NAME_CHARS_MAX = 16
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_IMPORT = re.compile(r"^from exchange_clients\S* import (?:\([^)]*\)|.*)\n", re.MULTILINE)
_DESCRIPTION = """\
Write the seven files of a new venue: a working toy (REST and WebSocket JSON, HMAC) under its name, and its line in the registry."""


def write_venue(name: str, folder: Path = LIBRARY) -> list[Path]:
    """Write the package `name` into `folder`, and its line into the registry that lies there, if one does. Returns the files.

    Raises Misconfigured, with nothing written, for a name that can't be a venue's or is taken.
    """
    _check(name, folder)
    package, registered = folder / name, folder / "registry.py"
    line = _registered(registered.read_text(encoding="utf-8"), name) if registered.is_file() else None
    package.mkdir(parents=True)
    written = []
    for source in sorted((LIBRARY / TEMPLATE).glob("*.py")):
        file = package / source.name
        file.write_text(renamed(source.read_text(encoding="utf-8"), name), encoding="utf-8")
        written.append(file)
    if line is not None:
        registered.write_text(line, encoding="utf-8")
        written.append(registered)
    return written


def renamed(text: str, name: str) -> str:
    """The template's code as that of the venue `name`, its imports in order again."""
    title = "".join(part.capitalize() for part in name.split("_"))
    text = text.replace(TEMPLATE.capitalize(), title)
    text = re.sub(rf"(?<![a-z]){TEMPLATE}(?![a-z])", name, text)
    imports = sorted(_IMPORT.findall(text), key=lambda line: line.split()[1])
    return _IMPORT.sub(lambda _: imports.pop(0), text)


def _registered(text: str, name: str) -> str:
    head, table, rest = text.partition("_VENUES: dict[str, str] = {\n")
    venues, end, tail = rest.partition("}\n")
    if not table or not end:
        raise Misconfigured(name, "new_venue", "the registry has no table of venues; nothing was written")
    return f'{head}{table}{venues}    "{name}": "exchange_clients.{name}.common:SPEC",\n{end}{tail}'


def _check(name: str, folder: Path) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > NAME_CHARS_MAX:
        form = f"small letters and digits, a letter first, at most {NAME_CHARS_MAX}, no word of Python"
        raise Misconfigured(name, "new_venue", f"{name!r} is no name for a package: {form}; nothing was written")
    taken = {path.stem for place in (LIBRARY, folder) if place.is_dir() for path in place.iterdir()}
    if name in taken or name in registry.names():
        raise Misconfigured(name, "new_venue", f"{name!r} exists already; nothing was written")


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 when the venue stands, 2 with one message when it can't be written."""
    parser = argparse.ArgumentParser(prog="python -m exchange_clients.new_venue", description=_DESCRIPTION)
    parser.add_argument("name", help="the venue, as its package is to be called")
    parser.add_argument("--folder", type=Path, default=LIBRARY, help="where the package goes (default: this library)")
    options = parser.parse_args(arguments)
    try:
        written = write_venue(options.name, options.folder)
    except (Misconfigured, OSError) as failure:
        sys.stderr.write(f"new_venue: {failure.detail if isinstance(failure, Misconfigured) else failure}\n")
        return 2
    sys.stdout.write("".join(f"{file}\n" for file in written))
    sys.stdout.write("It works as it is: pytest tests/conformance. Go on with docs/how_to/ADDING_EXCHANGES.md\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
