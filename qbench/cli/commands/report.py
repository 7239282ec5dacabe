"""The verb `report`."""

from __future__ import annotations

from qbench.base.errors import QbenchError
from qbench.base.files import prepare_folder
from qbench.base.paths import given
from qbench.storage import layout, manifests

HELP = """usage: qbench report DIR

Builds runs.csv, table.csv, table.md, figures/ and report.html again from the records of a sweep.
DIR is the folder of the sweep. Imports no TensorFlow.
Exit code: 0 if everything was built. 1 if a figure could not be drawn; then the tables are complete
and the page names the missing figure.
"""


class ReportIncomplete(QbenchError):
    """A figure could not be drawn; everything else was built."""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if len(arguments) != 1:
        raise QbenchError("qbench report takes the folder of one sweep: qbench report DIR.")
    folder = given(arguments[0])
    if not folder.is_dir():
        raise QbenchError(f"{folder}: no such folder; expected the folder of a sweep.")
    manifests.read_manifest(folder)
    prepare_folder(layout.figures_folder(folder), "DIR")
    from qbench.report.build import build_report

    report = build_report(folder)
    print(report.text, flush=True)
    if report.incomplete:
        raise ReportIncomplete(report.incomplete)
    return 0
