"""Made-up sweeps in MLflow and as model cards."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import report_conversions as conversions
import report_derived as derived
import report_examples as examples
import yaml
from markdown_it import MarkdownIt

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.report.collect import collect
from qbench.report.export import mlflow
from qbench.report.export.card import card
from qbench.report.export.standing import standing
from qbench.storage import records

FOUR_BITS = 3  # the number of the row


def run_of(folder: Path, row: int, seed: int = 0) -> Path:
    return folder.parent / "runs" / examples.run_id(row, seed)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = examples.write(tmp_path, examples.rows(5), seeds=5)
    for seed in range(5):
        conversions.add(folder, 1, seed, accuracy=97.0 + seed / 100)
        conversions.add(folder, FOUR_BITS, seed, accuracy=90.0 + seed / 10)
    return folder


def read(text: str) -> tuple[dict[str, Any], list[str]]:
    """The metadata of a card and the texts of the cells and paragraphs below."""
    _, head, body = text.split("---\n", 2)
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    return yaml.safe_load(head), [token.content for token in tokens if token.type == "inline"]


def test_a_card_has_metadata_figures_intervals_and_sizes(sweep: Path) -> None:
    text = card(standing(run_of(sweep, FOUR_BITS, 2)), "qbench train quant.bits=4")
    head, said = read(text)
    assert head["library_name"] == "keras" and "license" not in head
    assert head["datasets"] == ["digits"] and head["metrics"] == ["accuracy", "recall_at_5"]
    (entry,) = head["model-index"]
    assert entry["name"] == "made up: quant.bits=4, seed 2"
    (result,) = entry["results"]
    assert result["task"] == {"type": "image-classification"}
    shown = {one["name"]: one["value"] for one in result["metrics"] if one["type"] == "accuracy"}
    own = examples.metrics(FOUR_BITS, 2)["accuracy"]
    assert shown["accuracy %, simulation"] == round(own, 2)
    assert shown["accuracy %, int8 file on xnnpack"] == 90.2
    (files,) = (one for one in said if one.startswith("Converted files: "))
    assert "over 5 seeds 90.20 % on average, standard deviation 0.16 (90.00, 90.10, " in files
    # The differences are -7 + 0.09 seed; 0.1423 sqrt(5) is their deviation, 2.7764 the quantile.
    assert "Against default: worse by 6.82 percentage points [6.64, 7.00]" in files
    assert files.endswith("(95 % intervals of all 1 row together).")
    assert {"105,000", "80,000", "aa", "quant.bits", "this row"} <= set(said)
    assert text.endswith("\n\n    qbench train quant.bits=4\n")
    assert text == card(standing(run_of(sweep, FOUR_BITS, 2)), "qbench train quant.bits=4")


def test_a_card_prefers_the_table_with_the_most_seeds(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, examples.rows(3), seeds=3)
    less = json.loads((folder / "manifest.json").read_text())
    less["seeds"] = [0]
    for row in less["rows"]:
        row["runs"] = row["runs"][:1]
    one = tmp_path / "a-sweep-of-one-seed"
    one.mkdir()
    (one / "manifest.json").write_bytes(records.as_json(less))
    run = run_of(folder, FOUR_BITS)
    assert standing(run).sweep.folder == folder
    assert standing(run, one).sweep.folder == one
    with pytest.raises(QbenchError, match="does not have the run"):
        standing(run_of(folder, FOUR_BITS, 1), one)


def test_a_run_without_a_table_has_a_card(sweep: Path) -> None:
    (sweep / "manifest.json").unlink()
    head, said = read(card(standing(run_of(sweep, FOUR_BITS)), "line"))
    assert "No table has this run, so nothing is said of other seeds." in said
    assert len(head["model-index"][0]["results"][0]["metrics"]) == 8  # simulation and three paths


def test_the_command_writes_the_card_into_the_runs_folder(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(sweep, FOUR_BITS)
    assert main(["export", str(run), "card"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == run / "README.md" and read(path.read_text())[0]["library_name"] == "keras"
    records.read_record(run)  # the record is still whole


def test_a_card_has_no_characters_that_reverse_text(tmp_path: Path) -> None:
    """Also the metadata, which keep letters of every script."""
    rows = examples.rows()[:1]
    rows[0].label = "\u202egnp.exe\u202c \u05e9\n\x1b[31m"
    folder = examples.write(tmp_path, rows)
    path = run_of(folder, 0) / "record.json"
    record = json.loads(path.read_bytes())
    record["data"]["name"] = "digits\u2066\u202e"
    record["checksum"] = records._checksum(record)
    path.write_bytes(records.as_json(record))
    text = card(standing(run_of(folder, 0)), "qbench train x=\u202e")
    assert not re.search("[\x1b\u202a-\u202e\u2066-\u2069]", text)
    front, _ = read(text)
    assert front["datasets"] == [r"digits\u2066\u202e"] and "\u05e9" in text


def test_a_card_with_changes_is_not_overwritten(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(sweep, FOUR_BITS)
    arguments = ["export", str(run), "card"]
    assert (main(arguments), main(arguments)) == (0, 0)
    path = run / "README.md"
    own = path.read_text().replace("---\n", "---\nlicense: mit\n", 1)
    path.write_text(own)
    assert main(arguments) == 2 and path.read_text() == own
    assert "there is another card" in capsys.readouterr().err


def test_a_run_of_a_seed_that_the_table_leaves_out(tmp_path: Path) -> None:
    rows = examples.rows(2)
    rows[1].statuses[1] = None
    folder = examples.write(tmp_path, rows, seeds=2)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps({**manifest, "by_seed": {"most": 2, "ended": None}}))
    assert standing(run_of(folder, FOUR_BITS, 0)).has_table
    assert not standing(run_of(folder, FOUR_BITS, 1)).has_table
    with pytest.raises(QbenchError, match="the table of this sweep does not have the run"):
        standing(run_of(folder, FOUR_BITS, 1), folder)


def test_a_damaged_table_of_another_sweep_is_left_out(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = sweep.parent / "other"
    other.mkdir()
    (other / "manifest.json").write_text("{")
    assert standing(run_of(sweep, FOUR_BITS)).sweep.folder == sweep
    assert "This sweep is left out." in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["DIR"], "takes a folder and what to make"),
        (["DIR", "mlfow"], "expected mlflow or card. Did you mean 'mlflow'?"),
        (["DIR", "card", "--store", "x"], "--store is not an option of qbench export card."),
        (["DIR", "mlflow", "--store"], "--store: expected a value behind it."),
        (["DIR", "mlflow", "--store=a", "--store=b"], "--store is given twice"),
        (["no-folder", "card"], "no-folder: no such folder."),
        (["DIR", "card"], "no such file; expected the record of a run."),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(tmp_path) if one == "DIR" else one for one in arguments]
    assert main(["export", *given]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_failed_run_has_no_card(tmp_path: Path) -> None:
    rows = examples.rows()
    rows[FOUR_BITS].statuses = ["failed"]
    folder = examples.write(tmp_path, rows)
    with pytest.raises(QbenchError, match="ended as failed; it has no figures"):
        standing(run_of(folder, FOUR_BITS))


def test_without_mlflow_it_is_one_sentence(sweep: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(mlflow, "find_spec", lambda name: None)
    with pytest.raises(QbenchError, match=r"needs the package mlflow .*\[mlflow\]"):
        mlflow.export(collect(sweep))
    assert not (sweep / "mlflow.db").exists()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra mlflow is not installed")
def test_mlflows_client_reads_what_was_exported_once(tmp_path: Path) -> None:
    rows = examples.rows()[:4]
    rows[2].statuses = ["diverged"]
    folder = examples.write(tmp_path, rows)
    conversions.add(folder, FOUR_BITS)
    (run_of(folder, FOUR_BITS) / "model_int8.tflite").write_bytes(b"a file")
    (folder / "table.csv").write_text("a,b\n")
    first = mlflow.export(collect(folder))
    assert (first.experiment, first.written, first.kept) == ("made up", 5, 0)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")

    def found() -> dict[str, Any]:
        experiment = client.get_experiment_by_name("made up").experiment_id
        return {run.info.run_name: run for run in client.search_runs([experiment])}

    def ids() -> set[str]:
        return {run.info.run_id for run in found().values()}

    runs = found()
    assert len(runs) == 5
    own = runs["quant.bits=4 seed 0"]
    assert own.data.tags["qbench.run"] == examples.run_id(FOUR_BITS, 0)
    assert own.data.metrics["test/accuracy"] == examples.metrics(FOUR_BITS, 0)["accuracy"]
    assert own.data.metrics["xnnpack/accuracy"] == 97.0 and own.data.metrics["file_bytes"] == 105e3
    assert (own.info.end_time - own.info.start_time, own.info.status) == (3750, "FINISHED")
    losses = client.get_metric_history(own.info.run_id, "loss")
    history = [(row["step"], float(row["loss"])) for row in examples.history(FOUR_BITS, 0)]
    assert sorted((one.step, one.value) for one in losses) == history
    files = {one.path for one in client.list_artifacts(own.info.run_id)}
    assert {"model_int8.tflite", "deploy.json", "record.json", "history.csv"} <= files
    assert not {"model.weights.h5", "outputs.npz"} & files
    assert runs["quant.op=fake_quant seed 0"].info.status == "FAILED"
    table = runs["table: ofat"]
    assert "table.csv" in {one.path for one in client.list_artifacts(table.info.run_id)}

    before = ids()
    again = mlflow.export(collect(folder))
    assert (again.written, again.kept, ids()) == (0, 5, before)
    # What an interrupted export left, and what has changed, is replaced.
    client.delete_tag(runs["baseline seed 0"].info.run_id, "qbench.hash")
    conversions.add(folder, FOUR_BITS, accuracy=91.0)
    third = mlflow.export(collect(folder))
    assert (third.written, third.kept, len(ids() & before), len(found())) == (2, 3, 3, 5)
    assert found()["quant.bits=4 seed 0"].data.metrics["xnnpack/accuracy"] == 91.0


def _exported(sweep: Path) -> list[Any]:
    return [*mlflow._runs(collect(sweep))]


def test_sweeps_of_one_name_have_ids_of_their_own(tmp_path: Path) -> None:
    """Also if the designs are equal; further seeds change no id."""
    one = examples.write(tmp_path / "one", examples.rows(2)[:3], seeds=1)
    more = examples.write(tmp_path / "more", examples.rows(2)[:3], seeds=2)
    other = examples.write(tmp_path / "other", examples.rows(2)[:3], seeds=1)
    path = other / "manifest.json"
    ids = [run["id"] for row in json.loads(path.read_bytes())["rows"] for run in row["runs"]]
    path.write_text(path.read_text().replace(ids[1], "f" * 12))
    tables = [_exported(sweep)[-1] for sweep in (one, more, other)]
    assert {table.key[0] for table in tables} == {"qbench.table"}
    assert tables[0].key == tables[1].key != tables[2].key
    assert {run.sweep for run in _exported(other)} == {tables[2].key[1]}


class _Store:
    """What a client of MLflow keeps of runs: their tags."""

    def __init__(self) -> None:
        self.runs: list[Any] = []
        self.deleted: list[str] = []

    def search_runs(self, experiments: list[str], text: str) -> list[Any]:
        tag, value = re.fullmatch(r"tags\.`(.+)` = '(.+)'", text).groups()  # type: ignore[union-attr]
        return [one for one in self.runs if one.data.tags.get(tag) == value]

    def delete_run(self, name: str) -> None:
        self.deleted.append(name)
        self.runs = [one for one in self.runs if one.info.run_id != name]

    def add(self, run: Any, **tags: str) -> None:
        name = str(len(self.runs) + len(self.deleted))
        tags = {run.key[0]: run.key[1], "qbench.hash": run.hash, **tags}
        info, data = SimpleNamespace(run_id=name), SimpleNamespace(tags=tags)
        self.runs.append(SimpleNamespace(info=info, data=data))


def test_a_run_of_two_sweeps_is_there_once_for_each(tmp_path: Path, monkeypatch: Any) -> None:
    folder = examples.write(tmp_path, examples.rows()[:2])
    run = _exported(folder)[0]
    other = replace(run, sweep="another", name="default of another")
    store = _Store()

    def write(client: Any, experiment: str, one: Any) -> None:
        client.add(one, **{"qbench.sweep": one.sweep})

    monkeypatch.setattr(mlflow, "_write", write)
    store.add(run)  # by an older version, without the id of a sweep
    assert not mlflow._put(store, "0", run)
    store.delete_run("0")
    assert mlflow._put(store, "0", run) and mlflow._put(store, "0", other)
    assert not mlflow._put(store, "0", run) and not mlflow._put(store, "0", other)
    assert mlflow._put(store, "0", replace(run, name="changed"))
    assert sorted(one.data.tags["qbench.sweep"] for one in store.runs) == sorted(
        [run.sweep, "another"]
    )


def test_derived_runs_are_exported_too(tmp_path: Path) -> None:
    folder = examples.write(tmp_path, examples.rows(2)[:2], seeds=2)
    derived.add(folder)
    sweep = collect(folder)
    kinds = [
        (run.name, len(run.metrics) > 0, "kind" in run.parameters) for run in mlflow._runs(sweep)
    ]
    assert any(is_derived for _, _, is_derived in kinds) and len(kinds) == len(sweep.records) + 1
