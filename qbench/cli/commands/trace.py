"""The verb `trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbench.base import checks
from qbench.base.errors import QbenchError
from qbench.base.paths import given
from qbench.cli.commands.converted import converted_file
from qbench.cli.commands.overrides import values_of
from qbench.deploy.lite import TRACEABLE
from qbench.engine.progress import remarks
from qbench.storage import layout

if TYPE_CHECKING:
    from qbench.deploy.trace import Comparison

HELP = """usage: qbench trace RUN [overrides]

Compares the file of a converted run with its simulation, tensor by tensor. Both use the same fixed
ranges. Names the first tensor that differs by more than one step of its grid.
Overrides: kernels=reference|builtin (default reference), images=N (default 100), data.dir.

Exit code: 0 if both could be run, even if they differ.
"""

_CHANGEABLE = ("kernels", "images", "data.dir")
_BATCH = 20


def main(arguments: list[str]) -> int:
    """Run the verb."""
    if not arguments:
        raise QbenchError("qbench trace takes the folder of a converted run: qbench trace RUN.")
    folder = given(arguments[0])
    changes = values_of(arguments[1:], _CHANGEABLE)
    kernels, count = changes.pop("kernels", "reference"), changes.pop("images", 100)
    checks.one_of("kernels", kernels, TRACEABLE)
    checks.whole("images", count, 1)
    report, content = converted_file(folder)
    from qbench.engine.finished import bring_back

    run = bring_back(folder, changes)
    from qbench.deploy import trace
    from qbench.deploy.convert import fixed
    from qbench.deploy.inputs import feed_of
    from qbench.deploy.lite import LiteFile
    from qbench.quantize.walk import functional

    network, images = run.network, run.data.test_images[:count]
    chosen, states = fixed(run.experiment), run.network.states(run.experiment.scheme)
    simulated = trace.simulation(network.model, chosen, network.averages, states)
    file = LiteFile(content, kernels, keep_all=True)
    kind = layout.kind_of_converted(report["file"])
    batches = feed_of(network, run.experiment, kind).batches(images, _BATCH)
    names = trace.names_in_file(functional(network.model))
    compared = trace.compare(simulated, file, batches, names)
    if not compared.rows:
        raise QbenchError(f"{folder / report['file']}: has no tensor of this run's network.")
    print(describe(compared, report["file"], kernels, len(images)))
    for line in remarks([run.record["data"]]):
        print(line)
    return 0


def describe(compared: Comparison, file: str, kernels: str, images: int) -> str:
    """The comparison as text."""
    from qbench.deploy.trace import first_apart

    rows = compared.rows
    width = max(len(row.name) for row in rows)
    lines = [f"{'tensor':<{width}}{'step':>12}{'largest':>10}{'mean':>10}{'differ %':>10}"]
    lines += [
        f"{row.name:<{width}}{row.step:>12.6f}{row.largest:>10.3f}{row.mean:>10.4f}{row.apart:>10.3f}"
        for row in rows
    ]
    if compared.missing:
        lines.append(f"not found in the file: {', '.join(compared.missing)}")
    if compared.unmatched:
        lines.append(
            f"{compared.unmatched} of the file's {compared.tensors} tensors have no counterpart in"
            " the simulation"
        )
    in_steps = all(row.step for row in rows)
    unit = "steps of each tensor's grid" if in_steps else "the tensors' own units"
    lines.append(f"{file} on the {kernels} kernels, {images} test images; differences in {unit}")
    first = first_apart(rows) if in_steps else None
    if in_steps:
        said = f"{first.name}, by {first.largest:.1f} steps" if first else "none"
        lines.append(f"first tensor that differs by more than one step: {said}")
    return "\n".join(lines)
