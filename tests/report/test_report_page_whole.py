"""The whole page of a study with several seeds: its order, its size, and what it may load."""

from __future__ import annotations

import hashlib
import html
import re
from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import report_examples as examples
import report_study as study

from qbench.base.errors import QbenchError
from qbench.report.build import build_report
from qbench.report.collect import collect
from qbench.report.page import view
from qbench.report.page.recommendation import advice
from qbench.report.recommend import Limits, recommend, words

MOST_BYTES = 500_000
SECTIONS = [
    *("verdict", "forest", "recommendation", "trade-off", "table", "losses", "paths", "classes"),
    *("failures", "notes", "provenance"),
]
ASSETS = files("qbench.report.page")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study.write(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return study.page(folder)


def test_sixteen_rows_of_five_seeds_fit(page: str) -> None:
    assert len(page.encode()) < MOST_BYTES


def test_the_verdict_comes_first_and_provenance_last(page: str) -> None:
    found = re.findall(r'<section id="([\w-]+)"', page)
    # The second forest plot is that of the converted files.
    assert found == [*SECTIONS[:2], "forest-2", *SECTIONS[2:]]
    assert re.findall(r'<a href="#([\w-]+)">[A-Z]', page.partition("</nav>")[0]) == SECTIONS


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert {name for name in re.findall(r'href="#([^"]*)"', page)} <= set(ids)


def test_every_seed_of_every_row_is_a_dot(page: str) -> None:
    forest = page.partition('<section id="forest"')[2].partition("</section>")[0]
    # One run diverged, so 15 rows have 74 differences.
    assert forest.count("mark seed") == 15 * 5 - 1
    assert forest.count("<title>seed 1:") == 14


def test_no_address_and_no_script_of_others(page: str) -> None:
    assert not re.search(r"https?:|//[a-z]+\.", page.replace("http-equiv", ""))
    assert "url(" not in page and "@import" not in page


def test_the_policy_allows_the_pages_own_script_only(page: str) -> None:
    (script,) = re.findall(r"<script>(.*)</script>", page, re.DOTALL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src &#39;none&#39;;") or policy.startswith(
        "default-src 'none';"
    )
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_recommendation_is_that_of_the_records(folder: Path, page: str) -> None:
    made = recommend(collect(folder), Limits())
    part = html.unescape(page.partition('<section id="recommendation"')[2])
    part = part.partition("</section>")[0]
    assert words.sentence(made) in part
    assert [one.label for one in made.choices] == re.findall('<th scope="row">([^<]*)', part)
    assert made.choices


def test_the_line_of_the_first_row_can_be_copied(folder: Path) -> None:
    chosen = recommend(collect(folder), Limits()).choices[0].candidate.run
    advised = advice(collect(folder), line=lambda sweep, run: f"qbench train {run}")
    assert advised and advised.command == f"qbench train {chosen}"

    def fails(sweep: Any, run: str) -> str:
        raise QbenchError("no line")

    advised = advice(collect(folder), line=fails)
    assert advised and (advised.command, bool(advised.lines)) == ("", True)


def test_without_validation_images_it_says_why_there_is_none(tmp_path: Path) -> None:
    made = html.unescape(study.page(examples.write(tmp_path, examples.rows()[:2])))
    part = made.partition('<section id="recommendation"')[2].partition("</section>")[0]
    assert "There is no recommendation: its runs have no validation images" in part
    assert str(tmp_path) not in made


def test_class_names_are_those_of_the_records(page: str) -> None:
    part = page.partition('<section id="classes"')[2].partition("</section>")[0]
    assert all(f">{name}</th>" in part for name in study.CLASSES)


def test_failed_runs_have_their_reason(page: str) -> None:
    part = page.partition('<section id="failures"')[2].partition("</section>")[0]
    assert "quant.delay=0.9, seed 1: diverged. what went wrong &amp; &lt;why&gt;" in part


def test_provenance_names_data_versions_and_threads(page: str) -> None:
    part = html.unescape(page.partition('<section id="provenance"')[2])
    for said in (
        study.COMMAND,
        "d53a0d42f46b" + "0" * 52,
        "CPU, 2 threads, TensorFlow 2.21.0",
        "16 rows, 80 runs",
    ):
        assert said in part


def test_missing_parts_are_left_out(tmp_path: Path) -> None:
    made = study.page(examples.write(tmp_path, examples.rows()[:1]))
    assert re.findall(r'<section id="([\w-]+)"', made) == [
        "recommendation",
        "table",
        "notes",
        "provenance",
    ]


def test_a_section_that_fails_costs_that_section_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ValueError("no <room>")

    folder = examples.write(tmp_path, examples.rows()[:3])
    monkeypatch.setattr(view, "losses", fails)
    report = build_report(folder)
    said = "The section Loss curves could not be made. ValueError: no <room>."
    assert report.undrawn == ["Loss curves"]
    assert report.text.endswith(f"! {said}")
    made = (folder / "report.html").read_text()
    assert said.replace("<", "&lt;").replace(">", "&gt;") in made
    assert '<section id="losses"' not in made and '<section id="table"' in made


@pytest.mark.parametrize("error", [OSError(28, "No space left on device")])
def test_a_full_disk_is_not_a_sections_affair(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(view, "losses", fails)
    with pytest.raises(OSError, match="No space left"):
        study.page(examples.write(tmp_path, examples.rows()[:3]))


def test_templates_script_and_style_name_no_metric() -> None:
    paths = [path for path in Path(str(ASSETS)).rglob("*") if path.suffix in (".j2", ".css", ".js")]
    assert len(paths) > 10
    for path in paths:
        assert not re.search(r"accuracy|recall|precision|logit", path.read_text()), path


def _colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", text))


def _luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["style.css", "dark.css"])
def test_colours_stand_out_from_the_ground(name: str) -> None:
    """Contrast as WCAG 2 computes it: 4.5 for text, 3 for lines and marks."""
    colours = _colours(ASSETS.joinpath(name).read_text().partition("* {")[0])
    ground = _luminance(colours["back"])
    for key, colour in colours.items():
        if key in ("back", "raised", "rule", "margin"):
            continue
        low, high = sorted((_luminance(colour), ground))
        least = 3.0 if re.fullmatch(r"s\d", key) else 4.5
        assert (high + 0.05) / (low + 0.05) >= least, key
    assert set(_colours(ASSETS.joinpath("dark.css").read_text())) == set(
        _colours(ASSETS.joinpath("style.css").read_text())
    )
