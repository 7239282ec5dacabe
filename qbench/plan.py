"""What a sweep runs: the rows of its table, each with its seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qbench import checks, designs
from qbench.designs import Levels, Row
from qbench.errors import QbenchError
from qbench.experiment import Experiment
from qbench.factors import identity, impossible
from qbench.records import content_id
from qbench.settings import Settings

# Configuration groups that a comma list may go over, as a factor of its own.
GROUPS = ("data", "model", "quant", "train", "train/optimizer", "train/schedule")
_SINGLE = ("study", "seeds", "threads", "out", "design")

Compose = Callable[[Mapping[str, Any]], Experiment]


@dataclass(frozen=True)
class Plan:
    """A design made concrete.

    Attributes:
        settings: of the command.
        levels: of every factor that varies, the default first.
        rows: of the table, in its order.
    """

    settings: Settings
    levels: Levels
    rows: tuple[Row, ...]

    @property
    def runs(self) -> list[tuple[Row, Experiment]]:
        """Every applicable row with each seed."""
        return [
            (row, row.experiment.with_values({"seed": seed}))
            for row in self.rows
            if row.reason is None
            for seed in self.settings.seeds
        ]

    @property
    def name(self) -> str:
        """Folder name of the sweep: its design and a hash of what it runs."""
        content = [[identity(row.experiment), row.reason] for row in self.rows]
        return f"{self.settings.design.name}-{content_id([content, self.settings.seeds])[:8]}"

    def overrides(self, row: Row, seed: int) -> list[str]:
        """Hydra overrides that, after the command's own, compose the run."""
        values = {key: levels[0] for key, levels in self.levels.items()} | row.changes
        pairs = [f"{key}={checks.show(value)}" for key, value in values.items()]
        return [*pairs, f"seeds=[{seed}]"]


def make_plan(settings: Settings, given: Levels, fixed: Sequence[str], compose: Compose) -> Plan:
    """The plan of a sweep.

    Args:
        settings: composed without the comma lists.
        given: the comma lists, by key.
        fixed: keys that were set to one value.
        compose: the default experiment with these choices of groups instead.

    Raises:
        QbenchError: a level, a key or the default configuration that cannot be run.
    """
    for key in given:
        if key.split(".")[0] in _SINGLE:
            raise QbenchError(f"{key}: takes one value; it is not a factor.")
    design = settings.design
    levels = designs.levels_of(settings.base, design.factors, given, design.name == "ofat")
    if not settings.base.quant.enabled and "quant.enabled" not in given and "quant" not in given:
        raise QbenchError(
            "quant.enabled=false: nothing is left for a sweep to vary; use qbench train."
        )
    bases: dict[str, Experiment] = {}

    def at_levels(values: Mapping[str, Any]) -> Experiment:
        groups = {key: value for key, value in values.items() if key in GROUPS}
        name = repr(groups)
        if name not in bases:
            bases[name] = compose(groups) if groups else settings.base
        rest = {key: value for key, value in values.items() if key not in GROUPS}
        return bases[name].with_values(rest)

    rows = designs.rows(design.name, levels, at_levels, design.baseline)
    default = at_levels({key: values[0] for key, values in levels.items()})
    reason = impossible(default, fixed)
    if reason:
        raise QbenchError(reason)
    return Plan(settings, levels, tuple(rows))


def describe(plan: Plan) -> str:
    """The plan as text: one line a run, with its steps."""
    lines = [f"{'#':>4}  {'configuration':<44} {'seed':>6} {'float':>9} {'quantized':>9}"]
    number, floats, quantized = 0, 0, 0
    for row in plan.rows:
        if row.reason is not None:
            lines.append(f"{'-':>4}  {row.label:<44} not_applicable: {row.reason}")
            continue
        start, steps = row.experiment.quantization_start, row.experiment.train.steps
        for seed in plan.settings.seeds:
            number += 1
            floats, quantized = floats + start, quantized + steps - start
            lines.append(f"{number:>4}  {row.label:<44} {seed:>6} {start:>9,} {steps - start:>9,}")
    settings = plan.settings
    lines.append(
        f"{settings.study}, {settings.design.name}: {len(plan.rows)} configurations, {number} runs,"
        f" {floats + quantized:,} steps ({floats:,} float, {quantized:,} quantized)"
    )
    return "\n".join(lines)
