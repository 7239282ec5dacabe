"""The numbers of docs/claims.md follow from the paper's table and from committed runs."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scipy import stats

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
    widths = []
    for told in ({}, {"by_seed": {"looks": 2}}):
        (tmp_path / "manifest.json").write_text(json.dumps(told))
        one = claims.compared(tmp_path, claims.claimed.PAPER).row("FakeQuant less baseline")
        assert list(rows)[2] == "quant.op=fake_quant"
        assert one.mean == pytest.approx(2.03)
        assert one.low < 2.03 < one.high and one.deviation < 0.1
        widths.append(one.high - one.low)
    # A second look halves what an interval may miss.
    t = stats.t(df=3)
    assert widths[1] / widths[0] == pytest.approx(t.ppf(1 - 0.025 / 28) / t.ppf(1 - 0.025 / 14))


def test_the_page_has_the_numbers(claims: ModuleType) -> None:
    text = claims.PAGE.read_text()
    assert claims.written(text, "averages", claims.averages()) == text
    table = text[text.index("<!-- fashion -->") :]
    paper = claims.of_paper("accuracy")
    for name, contrast in claims.claimed.PAPER.items():
        assert f"| {name} | {contrast(paper):+.2f} |" in table
    if claims.RESULTS.exists():
        assert claims.page(text, claims.RESULTS) == text


def test_files_stand_beside_the_float_networks_of_their_table(claims: ModuleType) -> None:
    """The accuracies from predictions of images are those that the runs recorded."""
    files = claims.claims_files
    folder = claims.RESULTS / files.FOLDER
    if not folder.exists():
        pytest.skip("no results/")
    runs = claims.of_runs(folder, "accuracy")
    pairs = files.pairs_of(folder)
    assert len(pairs) == 3 and {len(seeds) for seeds in pairs.values()} == {3}
    for seed, values in runs.items():
        first = {name: files._accuracy(seeds[seed][0]) for name, seeds in pairs.items()}
        simulated = first.pop("trained with quant=deploy, less its simulation")
        assert simulated == pytest.approx(values["default"], abs=1e-4)
        assert list(first.values()) == pytest.approx([values["baseline"]] * 2, abs=1e-4)
    assert files.files(folder / "none") == [f"No runs of `study={files.FOLDER}` are committed."]


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


def _results(folder: Path, name: str, rows: dict[str, list[float]], training_loss: float) -> None:
    """Runs with these accuracies by row and seed, a test loss of 0.9, and their histories."""
    lines = ["configuration,seed,run,accuracy,loss"]
    for row, accuracies in rows.items():
        for seed, accuracy in enumerate(accuracies):
            run = f"{name}{row.partition('=')[2] or row}{seed}"
            lines.append(f"{row},{seed},{run},{accuracy},0.9")
            (folder / name / "runs" / run).mkdir(parents=True)
            # Only the last tenth counts: the last of ten steps.
            losses = [9.0] * 9 + [training_loss]
            history = [f"{step},float,{loss}" for step, loss in enumerate(losses, 1)]
            text = "\n".join(["step,phase,loss", *history])
            (folder / name / "runs" / run / "history.csv").write_text(text + "\n")
    lines.append(f"ensemble of 2: baseline,,{name}e,99.0,0.1")
    (folder / name / "runs.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def vggs(tmp_path: Path) -> Path:
    """The large network gains two points at 8 bits, the small one nothing; 4 bits lose in both."""
    noise = [0.0, 0.1, 0.05, 0.02, 0.08]
    small = {
        "baseline": [70.0, 71.0, 72.0],
        "default": [70.0, 71.1, 72.05],
        "quant.bits=4": [69.0, 70.1, 71.05],
    }
    more = {name: [*values, values[0], values[1]] for name, values in small.items()}
    more.pop("quant.bits=4")
    large = {
        "baseline": [80.0] * 5,
        "default": [82 + one for one in noise],
        "quant.bits=4": [79 + one for one in noise],
    }
    _results(tmp_path, "vgg", small, 0.5)
    _results(tmp_path, "vgg_ensembles", more, 0.5)
    _results(tmp_path, "vgg_large", large, 0.1)
    return tmp_path


def test_the_gain_of_the_large_network_is_compared_with_that_of_the_small_one(
    claims: ModuleType, vggs: Path
) -> None:
    made = claims.claims_regularization.compared(vggs)
    seeds = {one.row: len(one.seeds) for one in made.rows}
    assert seeds == {
        "small network: 8 bits less float": 5,
        "large network: 8 bits less float": 5,
        "8 bits: gain of the large less that of the small": 5,
        "small network: 4 bits less float": 3,
        "large network: 4 bits less float": 5,
        "4 bits: gain of the large less that of the small": 3,
    }
    assert made.row("large network: 8 bits less float").mean == pytest.approx(2.05)
    more = made.row("8 bits: gain of the large less that of the small")
    assert more.differences == pytest.approx([2.0, 2.0, 2.0, 2.02, 1.98])
    assert made.row("small network: 4 bits less float").mean == pytest.approx(-0.95)


def test_the_claim_in_words_with_what_decides_it(claims: ModuleType, vggs: Path) -> None:
    said = claims.claims_regularization.regularization(vggs)
    assert said[-2] == (
        "Quantization improves the accuracy of the large network: holds here (large network: 8 bits"
        " less float)."
    )
    assert said[-1].startswith("It improves the large network more than the small one: holds here")
    assert "| large | 80.00 ± 0.00 | 0.100 | 0.900 |" in said
    assert "| small | 70.80 ± 0.84 | 0.500 | 0.900 |" in said


def test_a_claim_that_no_interval_supports_fails_or_is_undecided(
    claims: ModuleType, vggs: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    lower = {"baseline": [80.0, 81.0, 79.0], "default": [79.0, 80.01, 78.02]}
    lower["quant.bits=4"] = [70.0, 71.01, 69.02]
    for name in ("vgg", "vgg_large"):
        _results(other, name, lower, 0.1)
    said = claims.claims_regularization.regularization(other)
    assert said[-2].endswith("fails here: no difference of half a point or more in its favour.")
    path = other / "vgg_large" / "runs.csv"
    path.write_text(path.read_text().replace("78.02", "90.02"))
    assert claims.claims_regularization.regularization(other)[-2].endswith("undecided here.")
    path.unlink()
    (line,) = claims.claims_regularization.regularization(other)
    assert line.startswith("No runs of `study=vgg_large` are committed")
    (other / "vgg" / "runs.csv").unlink()
    (line,) = claims.claims_regularization.regularization(other)
    assert line.startswith("No runs of `study=vgg` and `study=vgg_large` are committed")


def test_the_slips_of_chen_et_al(claims: ModuleType) -> None:
    """By hand from their tables 1, 2, 5 to 7, 9 and 10."""
    lines = "\n".join(claims.claims_regularization.slips())
    assert "two networks: +0.81; three: +1.95" in lines
    assert "70.48 (table 5): three add +0.76, and two, five, six and seven together are" in lines
    assert "from an error of 50.04 to 47.05 (4 bits) and 47.08 (8)" in lines
    assert "+0.41 at 6 bits" in lines
    assert "five, with 86.84; six have 86.08" in lines
    assert "three: +0.83; four: +4.20" in lines
    assert "43.90; five float networks have 42.83" in lines
    assert "5 convolutions: -0.02 (4 bits), -0.09 (8); 8 convolutions: -0.04" in lines
