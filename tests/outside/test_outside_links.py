"""Links between the pages of the documentation lead to a page, and to a section of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qbench

ROOT = Path(qbench.__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
LINK = re.compile(r"\]\(([^()\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", head.lower()) for head in heads)
    return {head.replace(" ", "-") for head in plain}


def _broken(page: Path, text: str) -> list[str]:
    found = []
    for link in LINK.findall(text):
        name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert _broken(page, page.read_text()) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    page = ROOT / "docs" / "statistics.md"
    text = "[a](statistics-methods.md#other-test-images) [b](no.md) [c](recommend.md#no) [d](#no)"
    assert _broken(page, text) == ["no.md", "recommend.md#no", "#no"]


def test_what_an_interval_means_is_one_page() -> None:
    """For someone without a course in statistics; the methods have a page of their own."""
    text = (ROOT / "docs" / "statistics.md").read_text()
    assert len(text.splitlines()) <= 70
    assert not re.search("Bonferroni|Student|Dunnett|McNemar|bootstrap|least squares", text)
