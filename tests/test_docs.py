"""Docs are part of the product: generated pages are true, links lead somewhere, every flag and setting is documented, programs run."""

import dataclasses
import re
import textwrap
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docs.build_reference import PAGES
from exchange_clients.base import Capability
from exchange_clients.engine.endpoint import Call, Channel, Endpoint, Meter, SequenceRule
from exchange_clients.engine.session import Dialect
from exchange_clients.engine.stream_dialect import StreamDialect, Topic
from exchange_clients.sandbox import events
from exchange_clients.sandbox.orders import RejectReason
from exchange_clients.sandbox.routed import RoutedFacade
from exchange_clients.sandbox.routes import Ask
from exchange_clients.sandbox.rules import VenueRules
from exchange_clients.spec import Urls, VenueSpec


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_generated_page_is_up_to_date(root: Path, page: str) -> None:
    assert (root / page).read_text(encoding="utf-8") == PAGES[page](), f"{page} is out of date: run `make reference`"


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    broken = []
    for page in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(root)} → {target}")
    assert not broken, "\n".join(broken)


def test_every_make_target_is_explained(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)) - {"help", "format", "types", "contracts"}
    unexplained = [t for t in targets if not re.search(rf"^{t}:.*## ", makefile, re.MULTILINE)]
    assert not unexplained
    readme = (root / "README.md").read_text()
    assert "make demo" in readme and "make test" in readme


def test_every_service_setting_is_documented(root: Path) -> None:
    from funding_rate_service.config import Settings

    text = (root / "docs" / "how_to" / "run_the_service.md").read_text()
    names = ["DATABASE_URL" if n == "database_url" else f"FUNDING_{n.upper()}" for n in Settings.model_fields]
    assert not [n for n in names if n not in text]


def test_decisions_are_numbered_and_complete(root: Path) -> None:
    for page in sorted((root / "docs" / "explanation" / "decisions").glob("*.md")):
        text = page.read_text()
        assert re.match(r"\d{3}-[a-z0-9-]+\.md", page.name)
        assert all(part in text for part in ("## Context", "## Choice", "## What was given up")), page.name


HOW_TO_BLOCKS = [
    (page.name, number, block)
    for page in sorted((Path(__file__).parent.parent / "docs" / "how_to").glob("*.md"))
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL), 1)
    if page.name == "use_the_library.md"
]


@pytest.mark.parametrize(("page", "number", "block"), HOW_TO_BLOCKS, ids=lambda value: str(value)[:24].split("\n")[0])
def test_programs_of_the_how_to_pages_run(page: str, number: int, block: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(textwrap.dedent(block), f"{page} program {number}", "exec"), {"__name__": "__main__"})
    if "asyncio.run" in block:
        said = capsys.readouterr().out
        assert said and "certainly did not" not in said


def test_the_library_page_leads_to_an_order_in_its_first_program() -> None:
    assert len(HOW_TO_BLOCKS) >= 5
    assert "place_order" in HOW_TO_BLOCKS[0][2] and "Sandbox" in HOW_TO_BLOCKS[0][2]


ADDING_LINES_MAX = 150
FILLED_IN = (VenueSpec, Urls, Meter, Endpoint, Call, Channel, SequenceRule, Capability, Topic, Dialect, StreamDialect)
TALKED_TO = (RoutedFacade, Ask, VenueRules, RejectReason)


def names_of(kind: Any) -> set[str]:
    """What whoever writes a venue has to know of a class: members of an enum, fields, or public attributes of its own."""
    if issubclass(kind, Enum):
        return {member.name for member in kind}
    if issubclass(kind, msgspec.Struct):
        return set(kind.__struct_fields__)
    if dataclasses.is_dataclass(kind):
        return {field.name for field in dataclasses.fields(kind)}
    return {name for name in {*vars(kind), *getattr(kind, "__annotations__", {})} if not name.startswith("_")}


@pytest.mark.parametrize("kind", [*FILLED_IN, *TALKED_TO], ids=lambda kind: kind.__name__)
def test_the_page_for_new_venues_names_everything_to_fill_in(root: Path, kind: Any) -> None:
    page = (root / "docs" / "how_to" / "ADDING_EXCHANGES.md").read_text(encoding="utf-8")
    inherited = {"handle", "on_event"}
    missing = sorted(name for name in names_of(kind) - inherited if not re.search(rf"\b{name}\b", page))
    assert not missing, f"docs/how_to/ADDING_EXCHANGES.md does not name {kind.__name__}: {', '.join(missing)}"


def test_the_page_for_new_venues_names_every_event_and_is_short(root: Path) -> None:
    page = (root / "docs" / "how_to" / "ADDING_EXCHANGES.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) < ADDING_LINES_MAX
    told = [kind for kind in vars(events).values() if dataclasses.is_dataclass(kind) and kind.__module__ == events.__name__]
    assert told and not [kind.__name__ for kind in told if kind.__name__ not in page]
