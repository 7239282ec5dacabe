"""`qbench compare`: two runs image by image, from records alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.cli.commands import compared
from qbench.cli.main import main
from qbench.storage import conversions, file_predictions, records
from qbench.tasks.metric import Metric
from qbench.tasks.task import Task

LABELS = np.arange(40) % 10
Write = Callable[..., str]


def _run(root: Path, run: str, wrong: int, data: dict[str, Any], **more: Any) -> str:
    predicted = np.where(np.arange(40) < wrong, (LABELS + 1) % 10, LABELS)
    arrays: Any = {"label": LABELS, "predicted": predicted}
    data = {"hash": "a" * 64, "test_images": 40, "note": "", **data}
    record = {"schema": records.SCHEMA, "run": run, "status": "ok", "seed": 0, "data": data, **more}
    if record["status"] != "ok":
        arrays = None
    config = {"seed": record["seed"], "quant": {"bits": 8 - wrong, "signed": True}}
    records.write_run(root, run, config=config, record=record, predictions=arrays)
    return str(root / "runs" / run)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(run: str, wrong: int = 0, data: Any = None, **more: Any) -> str:
        return _run(tmp_path, run, wrong, data or {}, **more)

    return made


def test_the_comparison_in_words(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", write("one"), write("two", 6)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "first   one (seed 0): accuracy 100.00 %"
    assert said[1] == "second  two (seed 0): accuracy 85.00 %"
    assert said[2] == "They differ in quant.bits (8, 2)."
    assert said[3].startswith(
        "The second less the first: -15.00 percentage points, 95 % interval ["
    )
    assert "34 images both get right, 6 only the first, 0 only the second" in said[4]
    assert said[4].endswith("McNemar's exact test, p = 0.0312.")
    assert said[5] == "On images like these the first network is right more often."
    assert said[6].startswith("Fewer than 10 images")
    assert "nothing of other seeds, and must not be mixed with intervals over seeds" in said[-1]


def test_a_small_difference_may_be_chance(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", write("one", 5, seed=3), write("two")]) == 0
    said = capsys.readouterr().out
    assert "p = 0.0625" in said and "could have made this difference" in said
    assert "They differ in seed (3, 0), quant.bits (3, 8)." in said


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"data": {"hash": "b" * 64}}, "the runs have other data (their hashes differ)"),
        ({"data": {"test_images": 39}}, "the runs have other numbers of images"),
        ({"status": "diverged"}, "has no predictions, because it ended as diverged"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    write: Write, other: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", write("one"), write("two", **other)]) == 2
    assert said in capsys.readouterr().err


def test_a_run_with_itself_or_alone_is_refused(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write("one")
    assert main(["compare", one, one]) == main(["compare", one]) == 2
    said = capsys.readouterr().err
    assert "both are the run one" in said and "takes the folders of two finished runs" in said


def _file(run: str, wrong: dict[str, int], images: int = 40, **report: Any) -> str:
    """Converts a run: on each path its file is wrong for the last images, as many as it says."""
    predicted = {
        path: np.where(np.arange(40) >= 40 - count, (LABELS + 1) % 10, LABELS)[:images]
        for path, count in wrong.items()
    }
    arrays = {path: {"label": LABELS[:images], "predicted": own} for path, own in predicted.items()}
    measured = {"accuracy": 1.0, "agreement": 1.0}
    report = {
        **{"export": "exact", "export_note": "", "file": "model_int8.tflite", "sha256": ""},
        **{
            "bytes": 1,
            "images": images,
            "kernels": dict.fromkeys(("xnnpack", "builtin"), measured),
        },
        **{"weights_sha256": "w", **report},
    }
    conversions.write(Path(run), report, b"a file", None, file_predictions.content_of(arrays))
    return f"{run}/deploy.json"


WRONG = {"simulation": 2, "xnnpack": 3, "builtin": 0}


def test_a_file_beside_its_simulation(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = write("one", 6, weights_sha256="w")
    file = _file(run, WRONG)
    assert main(["compare", run, file]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        "first   one (seed 0): accuracy 85.00 %",
        "second  one (seed 0), model_int8.tflite (xnnpack kernels): accuracy 92.50 %",
    ]
    assert "the file has fixed ranges" in said[2]
    assert "+7.50 percentage points, 95 % interval [" in said[3]
    assert "31 images both get right, 3 only the first, 6 only the second" in said[4]
    assert main(["compare", run, f"{run}/model_int8.tflite"]) == 0
    assert capsys.readouterr().out.splitlines() == said
    assert main(["compare", file, file, "--kernels", "simulation,builtin"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "(simulation with its fixed ranges): accuracy 95.00 %" in said[0]
    assert "(builtin kernels): accuracy 100.00 %" in said[1] and "ranges" not in said[2]


def test_a_file_that_was_run_on_fewer_images(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write("one", 6, weights_sha256="w")
    assert main(["compare", run, _file(run, WRONG, 12)]) == 0
    said = capsys.readouterr().out
    assert (
        "first   one (seed 0): accuracy 50.00 %" in said and "evaluated on 12 test images" in said
    )


def test_files_that_cannot_be_compared(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = write("one", weights_sha256="w")
    report = f"{run}/deploy.json"
    refused = {"no file yet; qbench convert": ["compare", run, report]}
    for said, command in refused.items():
        assert main(command) == 2 and said in capsys.readouterr().err
    _file(run, WRONG, kernels={"xnnpack": {"error": "no op"}, "builtin": {"agreement": 1.0}})
    refused = {
        "the xnnpack kernels could not run the file (no op)": ["compare", run, report],
        "it has deploy.json": ["compare", run, f"{run}/model_16x8.tflite"],
        "--kernels fast: expected one of xnnpack, ": ["compare", run, report, "--kernels=fast"],
        "--kernels: is for files": ["compare", run, write("two", 1), "--kernels=builtin"],
        "--seeds is not an option": ["compare", run, report, "--seeds=1"],
        "both are the run one (seed 0), model_int8": [
            "compare",
            report,
            report,
            "--kernels=builtin",
        ],
    }
    for said, command in refused.items():
        assert main(command) == 2 and said in capsys.readouterr().err
    predictions = Path(run, "deploy_predictions.npz")
    predictions.write_bytes(predictions.read_bytes() + b"?")
    assert main(["compare", run, report, "--kernels=builtin"]) == 2
    assert "not the predictions of deploy.json; qbench convert" in capsys.readouterr().err
    predictions.unlink()
    assert main(["compare", run, report, "--kernels=builtin"]) == 2
    assert "older conversions kept no predictions" in capsys.readouterr().err
    _file(run, WRONG, weights_sha256="other")
    assert main(["compare", run, report]) == 2
    assert "not a conversion of this run's weights" in capsys.readouterr().err


def test_a_sweep_is_no_run(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write("one")
    (tmp_path / "manifest.json").write_text("{}")
    assert main(["compare", str(tmp_path), run]) == 2
    assert "this is a sweep; its runs.csv says which run" in capsys.readouterr().err


def test_a_run_without_a_file_says_why(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = write("one", weights_sha256="w")
    conversions.write(Path(run), {"export": "none", "export_note": "no such op"})
    assert main(["compare", run, f"{run}/deploy.json"]) == 2
    assert "the run has no file: no such op." in capsys.readouterr().err


class Errors:
    """A task with an error for each image; another without."""

    def __init__(self, metric: Metric | None) -> None:
        self.metric = metric

    def per_image(self, arrays: Any) -> Any:
        return self.metric and (self.metric, np.abs(arrays["label"] - arrays["predicted"]) / 4)


def test_another_task_is_compared_by_its_values(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metric = Metric("error", "error", "px", 3, False, "first")
    monkeypatch.setattr(compared, "_task", lambda *_: Errors(metric))
    task = {"name": "spots", **dict.fromkeys(("output_name", "prediction_name", "loss_name"), "x")}
    data = {"task": {**task, "metrics": [metric.as_config()]}}
    one, two = write("one", data=data), write("two", 8, data)
    assert main(["compare", one, two]) == 0
    said = capsys.readouterr().out
    assert "first   one (seed 0): error 0.000 px" in said and "McNemar" not in said
    assert "The second less the first: +0.050 px (lower is better), 95 % interval [" in said
    monkeypatch.setattr(compared, "_task", lambda *_: Errors(None))
    assert main(["compare", one, two]) == 2
    assert "its task spots has no value for single images" in capsys.readouterr().err


def test_a_task_says_nothing_of_single_images_unless_it_does() -> None:
    assert Task.per_image(None, {}) is None  # type: ignore[arg-type]


@pytest.mark.slow
def test_it_needs_no_tensorflow(write: Write) -> None:
    arguments = json.dumps(["compare", write("one"), write("two", 3)])
    code = (
        "import sys\nfrom qbench.cli.main import main\n"
        f"assert main({arguments}) == 0\nassert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
