"""The page in Chromium: sorting, filter, copy, both modes, without scripts, and what it loads."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import report_hostile as hostile
import report_study as study

pytestmark = pytest.mark.slow

LABELS: list[str] = [row["label"] for row in study.ROWS["rows"]]
Driver = Any
Open = Callable[..., Driver]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Driver]:
    """A browser that notes every request and every message of its console."""
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if not all(programs):
        said = "needs Debian's packages chromium and chromium-driver"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = programs[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = study.write(tmp_path_factory.mktemp("browser"), steps=60, images=200)
    path = folder / "report.html"
    path.write_text(study.page(folder), encoding="utf-8")
    return path


@pytest.fixture
def opened(chromium: Driver, path: Path) -> Iterator[Open]:
    """Opens the page; afterwards nothing was loaded but the page, and the console is empty."""

    def open_page(width: int = 1280, scheme: str = "light", scripts: bool = True) -> Driver:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        chromium.get(path.as_uri())
        return chromium

    chromium.get_log("performance")
    yield open_page
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    chromium.execute_script("try { localStorage.clear() } catch {}")
    assert _requests(chromium) == {path.as_uri()}
    assert chromium.get_log("browser") == []


def test_texts_of_people_run_nothing(chromium: Driver, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(study.page(hostile.write(tmp_path)), encoding="utf-8")
    chromium.get(path.as_uri())
    rows = chromium.find_elements("css selector", "#rows tbody tr")
    assert len(rows) == 2 + len(hostile.TEXTS)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 1280
    assert chromium.get_log("browser") == []


def _requests(driver: Driver) -> set[str]:
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }


def _column(driver: Driver, column: int = 0) -> list[str]:
    """The texts of a column of the table, of the rows that are shown."""
    script = (
        "return [...document.querySelectorAll('#rows tbody tr')].filter((r) => r.offsetParent)"
        ".map((r) => r.cells[arguments[0]].textContent.trim())"
    )
    found: list[str] = driver.execute_script(script, column)
    return found


def _click(driver: Driver, selector: str) -> None:
    driver.find_element("css selector", selector).click()


def test_a_head_sorts_up_and_down_and_back(opened: Open) -> None:
    driver = opened()
    assert _column(driver) == LABELS
    head = "#rows thead th:nth-child(2)"
    _click(driver, f"{head} button")
    values = [float(text.split()[0]) for text in _column(driver, 1)]
    assert values == sorted(values) and len(set(values)) > 5
    state = driver.find_element("css selector", head).get_attribute("aria-sort")
    assert state == "ascending"
    _click(driver, f"{head} button")
    assert [float(text.split()[0]) for text in _column(driver, 1)] == sorted(values, reverse=True)
    _click(driver, f"{head} button")
    assert _column(driver) == LABELS
    assert driver.find_element("css selector", head).get_attribute("aria-sort") is None


def test_missing_values_come_last_and_numbers_in_texts_count(opened: Open) -> None:
    driver = opened()
    script = "return [...document.querySelectorAll('#rows thead th')].map((h) => h.textContent)"
    number = driver.execute_script(script).index("bits") + 1
    _click(driver, f"#rows thead th:nth-child({number}) button")
    texts = _column(driver, number - 1)
    assert texts == ["4", *["8"] * 12, "16", "32", "-"]
    _click(driver, f"#rows thead th:nth-child({number}) button")
    assert _column(driver, number - 1) == ["32", "16", *["8"] * 12, "4", "-"]


def test_the_filter_shows_rows_with_all_words(opened: Open) -> None:
    driver = opened()
    field = driver.find_element("id", "filter")
    field.send_keys("DELAY=")
    assert _column(driver) == [label for label in LABELS if "delay" in label]
    assert driver.find_element("id", "count").text == "5 of 16 rows"
    field.send_keys(" diverged")
    assert _column(driver) == ["quant.delay=0.9"]
    field.clear()
    field.send_keys(" ")
    assert _column(driver) == LABELS


def test_the_copy_has_the_shown_rows_and_all_columns(opened: Open) -> None:
    from selenium.webdriver.common.keys import Keys

    driver = opened()
    driver.find_element("id", "filter").send_keys("quant.bits")
    _click(driver, "#copy")
    driver.execute_script("document.body.append(document.createElement('textarea'))")
    area = driver.find_element("css selector", "body > textarea")
    area.send_keys(Keys.CONTROL, "v")
    head, *lines = csv.reader(io.StringIO(area.get_property("value")))
    assert driver.find_element("id", "count").text == "3 rows copied"
    assert [line[0] for line in lines] == ["quant.bits=4", "quant.bits=16", "quant.bits=32"]
    assert {len(line) for line in lines} == {len(head)} and len(head) > 15
    # A column that the table leaves out, since it is the same everywhere.
    assert {line[head.index("export")] for line in lines} == {"approximate"}
    assert {line[head.index("bits")] for line in lines} == {"4", "16", "32"}


def _ground(driver: Driver) -> str:
    script = "return getComputedStyle(document.body).backgroundColor"
    found: str = driver.execute_script(script)
    return found


def test_both_modes_follow_the_system_and_the_button_which_is_remembered(opened: Open) -> None:
    driver = opened()
    light = _ground(driver)
    assert driver.find_element("id", "theme").text == "Dark"
    driver = opened(scheme="dark")
    dark = _ground(driver)
    assert dark != light
    _click(driver, "#theme")
    assert _ground(driver) == light
    assert driver.find_element("id", "theme").text == "Dark"
    driver.refresh()
    assert _ground(driver) == light
    _click(driver, "#theme")
    assert _ground(driver) == dark


def test_paper_is_light_and_everything_is_open_on_it(opened: Open) -> None:
    driver = opened(scheme="dark")
    shut = driver.find_elements("css selector", "details:not([open])")
    assert len(shut) >= 3
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert driver.find_elements("css selector", "details:not([open])") == []
    driver.execute_script("dispatchEvent(new Event('afterprint'))")
    assert len(driver.find_elements("css selector", "details:not([open])")) == len(shut)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    media = {"media": "print", "features": features}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    assert _ground(driver) == "rgb(255, 255, 255)"
    assert not driver.find_element("id", "theme").is_displayed()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_everything_is_open_on_paper_without_scripts_too(opened: Open) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    driver = opened(scripts=False)
    inside = "return [...document.querySelectorAll('details:not([open]) > :not(summary)')]"
    visible = f"{inside}.map((one) => one.checkVisibility({{contentVisibilityAuto: true}}))"
    before = driver.execute_script(visible)
    assert len(before) >= 3 and not any(before)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    # A busy machine lays the page out some time after the answer.
    WebDriverWait(driver, 20).until(lambda driver: all(driver.execute_script(visible)))
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.mark.parametrize("width", [360, 768, 1100, 1280])
def test_nothing_is_wider_than_the_window(opened: Open, width: int) -> None:
    driver = opened(width)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_it_can_be_read_without_scripts(opened: Open) -> None:
    driver = opened(scripts=False)
    texts = [row.text for row in driver.find_elements("css selector", "#rows tbody tr")]
    assert [text.split()[0] for text in texts] == LABELS
    assert not driver.find_element("css selector", ".tools").is_displayed()
    assert not driver.find_element("id", "theme").is_displayed()
    assert driver.find_element("css selector", "#forest svg.strip").is_displayed()
    assert driver.find_element("css selector", "#losses svg.plot").size["width"] > 300
    _click(driver, "#constant summary")
    assert driver.find_element("css selector", "#constant dl").is_displayed()
