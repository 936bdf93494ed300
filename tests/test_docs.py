"""Docs are part of the product: generated pages are true, links lead somewhere, every flag and setting is documented, programs run."""

import re
import textwrap
from pathlib import Path

import pytest

from docs.build_reference import PAGES


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
