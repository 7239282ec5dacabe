"""The verb `export`."""

from __future__ import annotations

from pathlib import Path

from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.base.registry import nearest
from qbench.cli.flags import words_and_flags
from qbench.storage import layout, manifests, records

HELP = """usage: qbench export DIR mlflow [--store URI]
       qbench export RUN card [--sweep DIR]

Gives finished results to other programs, from records alone; imports no TensorFlow.

mlflow: every run of the sweep in DIR as a run of MLflow, with parameters, metrics, the history of
the loss and files; and one more with the tables, the page and the verdicts. The experiment has the
name of the study. A second export writes only what is new or has changed. Needs the extra `mlflow`.
  --store URI   where to, as MLflow takes it: sqlite:////home/me/mlflow.db, http://localhost:5000.
                Without it: DIR/mlflow.db, with the files in DIR/mlartifacts/

card: a model card, RUN/README.md: Markdown with the metadata of Hugging Face's hub, with figures,
intervals over seeds, sizes and provenance. It names no license; add yours. A card that is there
and differs, such as one with your license, is not overwritten.
  --sweep DIR   the sweep whose table says the intervals. Without it: the one with the most seeds
                that has the run
"""

MLFLOW, CARD = "mlflow", "card"
_OPTIONS = {MLFLOW: "--store", CARD: "--sweep"}
_USAGE = "qbench export DIR mlflow, or qbench export RUN card"


def main(arguments: list[str]) -> int:
    """Run the verb."""
    folder, kind, option = _read(arguments)
    if kind == MLFLOW:
        _to_mlflow(folder, option)
    else:
        _to_card(folder, option)
    return 0


def _to_mlflow(folder: Path, store: str | None) -> None:
    manifests.read_manifest(folder)
    from qbench.report.collect import collect
    from qbench.report.export.mlflow import export

    done = export(collect(folder), store)
    print(
        f"{done.written} runs written, {done.kept} were there already; experiment"
        f" {done.experiment} in {done.store}"
    )
    if store is None:
        print(f"mlflow ui --backend-store-uri {done.store}   shows them")


def _to_card(folder: Path, sweep: str | None) -> None:
    from qbench.cli.commands.recommend import command
    from qbench.report.export.card import card
    from qbench.report.export.standing import standing

    found = standing(folder, given(sweep) if sweep else None)
    derived = "derived" in found.record
    line = "(not trained; see above)" if derived else command(found.sweep, found.run["id"])
    path = folder / layout.CARD
    text = card(found, line).encode()
    if path.is_file() and path.read_bytes() != text:
        raise QbenchError(
            f"{path}: there is another card, perhaps with your own changes; move it away, and the"
            " same command writes the new one."
        )
    records.write_atomically(path, text)
    print(path)


def _read(arguments: list[str]) -> tuple[Path, str, str | None]:
    """The folder, what to export, and the value of the option."""
    words, flags = words_and_flags(arguments)
    if len(words) != 2:
        raise QbenchError(f"qbench export takes a folder and what to make: {_USAGE}.")
    folder, kind = words
    if kind not in _OPTIONS:
        hint = nearest(kind, _OPTIONS)
        raise QbenchError(f"qbench export {kind}: expected {MLFLOW} or {CARD}.{hint}")
    for flag in flags:
        if flag != _OPTIONS[kind]:
            hint = nearest(flag, [_OPTIONS[kind]])
            raise QbenchError(f"{flag} is not an option of qbench export {kind}.{hint}")
    path = given(folder)
    if not path.is_dir():
        raise QbenchError(f"{path}: no such folder.")
    return path, kind, flags.get(_OPTIONS[kind])
