"""The verb `report`."""

from __future__ import annotations

from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.files import prepare_folder
from qbench.base.paths import given
from qbench.storage import layout, manifests

HELP = """usage: qbench report DIR [stats.reference=ROW] [stats.margin=X] [stats.method=dunnett]

Builds runs.csv, table.csv, table.md, figures/ and report.html again from the records of a sweep.
DIR is the folder of the sweep. Imports no TensorFlow. Rows are compared as the sweep says, or as
stats.* says here (docs/statistics.md); the next report without them compares as the sweep says.
Exit code: 0 if everything was built. 1 if a figure could not be drawn; then the tables are complete
and the page names the missing figure.
"""


_STATS = "stats."


class ReportIncomplete(QbenchError):
    """A figure could not be drawn; everything else was built."""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if not arguments or any(not text.startswith(_STATS) for text in arguments[1:]):
        raise QbenchError(
            "qbench report takes the folder of one sweep, and settings stats.*: qbench report DIR."
        )
    folder = given(arguments[0])
    stats = _stats(arguments[1:])
    if not folder.is_dir():
        raise QbenchError(f"{folder}: no such folder; expected the folder of a sweep.")
    manifests.read_manifest(folder)
    prepare_folder(layout.figures_folder(folder), "DIR")
    from qbench.cli.commands.recommend import line
    from qbench.report.build import build_report

    report = build_report(folder, stats, line)
    print(report.text, flush=True)
    if report.incomplete:
        raise ReportIncomplete(report.incomplete)
    return 0


def _stats(overrides: list[str]) -> dict[str, Any]:
    """The values of `stats.*`, by name without the group."""
    if not overrides:
        return {}
    from qbench.cli.commands.overrides import values_of
    from qbench.planning.stats import KEYS

    values = values_of(overrides, KEYS)
    return {key.removeprefix(_STATS): value for key, value in values.items()}
