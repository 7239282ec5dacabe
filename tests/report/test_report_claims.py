"""The numbers of docs/claims.md follow from the paper's table and from committed runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def claims() -> ModuleType:
    path = ROOT / "scripts" / "claims_page.py"
    spec = importlib.util.spec_from_file_location("claims_page", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def test_the_contrasts_of_the_paper(claims: ModuleType) -> None:
    """By hand from Table I."""
    paper = claims.of_paper("accuracy")
    assert len(paper) == 16
    found = {name: round(contrast(paper), 2) for name, contrast in claims.claimed.PAPER.items()}
    assert found["8 bits, QDQv2 (the default) less baseline"] == -1.45
    assert found["FakeQuant less baseline"] == -4.87
    assert found["4 bits less baseline"] == -38.24
    assert found["vgg less inception"] == 3.09
    assert found["half to even less half up"] == 0.83
    assert found["unsigned less signed"] == -1.04
    assert found["mean of the 15 quantized rows less baseline"] == -4.62


def test_the_line_through_the_delays(claims: ModuleType) -> None:
    """A row that falls by 0.2 points in every 10 % falls by 1 point from 40 to 90 %."""
    falling = {row: 90 - 0.02 * delay for delay, row in claims.DELAYS.items()}
    assert claims.claimed.trend(falling) == pytest.approx(-1)
    assert claims.claimed.trend(falling | {"quant.delay=0.4": 99}) < -5


def test_the_averages_of_the_paper(claims: ModuleType) -> None:
    lines = claims.averages()
    assert "| 15 quantized rows | 86.52 ± 9.39 | 99.06 ± 1.28 |" in lines
    assert "| 8 bits alone | 88.58 ± 1.13 | 99.40 ± 0.27 |" in lines


def test_our_contrasts_are_of_runs_of_one_seed(claims: ModuleType, tmp_path: Path) -> None:
    rows = claims.rows()
    lines = ["configuration,seed,accuracy"]
    for seed in range(4):
        for number, row in enumerate(rows):
            lines.append(f'"{row}",{seed},{80 + 3 * seed + number + 0.01 * seed * number}')
    (tmp_path / "runs.csv").write_text("\n".join(lines) + "\n")
    one = claims.compared(tmp_path, claims.claimed.PAPER).row("FakeQuant less baseline")
    assert list(rows)[2] == "quant.op=fake_quant"
    assert one.mean == pytest.approx(2.03)
    assert one.low < 2.03 < one.high and one.deviation < 0.1


def test_the_page_has_the_numbers(claims: ModuleType) -> None:
    text = claims.PAGE.read_text()
    assert claims.written(text, "averages", claims.averages()) == text
    table = text[text.index("<!-- fashion -->") :]
    paper = claims.of_paper("accuracy")
    for name, contrast in claims.claimed.PAPER.items():
        assert f"| {name} | {contrast(paper):+.2f} |" in table
    if claims.RESULTS.exists():
        assert claims.page(text, claims.RESULTS) == text


def test_levels_are_compared_over_all_levels_of_the_others(claims: ModuleType) -> None:
    """Bits cost 10 points, the delay gives 1, and another 2 of them with few bits."""
    few, late, up = "quant.bits=4", "quant.delay=0.4", "quant.rounding=half_up"
    values = {"baseline": 99.0, "default": 90.0, late: 91.0, few: 80.0, f"{few} {late}": 83.0}
    values |= {f"{up} {row}": value for row, value in values.items() if row in (few, late)}
    values |= {up: 90.0, f"{up} {few} {late}": 84.0}
    assert claims.claimed.mean_of(values, "quant.bits=") == 90.5
    assert claims.claimed.change_at(few, late)(values) == 3.5
    assert claims.claimed.rounding_at(few)(values) == -0.5
    unknown = claims.claimed.change_at("quant.bits=5", late)
    with pytest.raises(ValueError, match="at least one data point"):
        unknown(values)


def test_what_relu6_loses_is_against_its_own_float_network(claims: ModuleType) -> None:
    relu = "model.activation=relu"
    values = {"baseline": 90.0, "default": 88.0, f"{relu} quant.enabled=false": 80.0, relu: 75.0}
    contrast = claims.claimed.JACOB_ACTIVATION["loss with ReLU6 less loss with ReLU, 8 bits"]
    assert contrast(values) == -3.0
