"""Everything that the result of a run, or of one of its phases, depends on, as plain data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qbench.base.setting import FIRST_STEP, QUANTIZED, Group
from qbench.config.experiment import Experiment
from qbench.planning.effective import effective, in_phase, plain_settings, until
from qbench.planning.segments import Phase
from qbench.schemes.phases import FLOAT, Span, spans

# At first XLA compiled training only; now it compiles evaluation too. This text is in the identity
# of runs, but not of phases: states of training have not changed.
_EVALUATED = "steps and evaluation"
# Groups that are newer than the first records. They are left out if nothing of them counts.
_NEWER, _EMPTY = ("deploy",), "{}"


def identity(experiment: Experiment) -> dict[str, Any]:
    """The settings that a result depends on besides the data, as plain data in a canonical form.

    The folder of the data, notes on the data, the interval of checkpoints, and settings without an
    effect in this experiment are left out.
    """
    config = _nested(experiment, effective)
    if experiment.train.compiles:
        config["train"]["jit"] = _EVALUATED
    if not experiment.quant.enabled:
        del config["quant"]
        return config
    quant = config["quant"]
    scheme = experiment.scheme
    if scheme and not scheme.reads_averages:
        del quant["ema_decay"]
    quant["start"] = experiment.quantization_start
    return config


def graph_settings(experiment: Experiment) -> dict[str, Any]:
    """The settings that the graph of a training step can depend on, as plain data.

    The settings that take effect in evaluation or never are left out.
    """
    return _nested(
        experiment, lambda group: until(group, plain_settings(group), (FIRST_STEP, QUANTIZED))
    )


def _nested(experiment: Experiment, settings: Callable[[Group], dict[str, Any]]) -> dict[str, Any]:
    """The settings of all groups as one configuration."""
    *groups, top = experiment.groups
    found = {group.prefix: settings(group) for group in groups}
    return {name: one for name, one in found.items() if one or name not in _NEWER} | settings(top)


def phases(experiment: Experiment, common: Any) -> tuple[Phase, ...]:
    """The float phase and the quantized phases of a run, with everything that influences them.

    A quantized phase without steps is left out. Its content is part of the next phase's content,
    because both begin at the same step.

    Args:
        experiment: the experiment of the run.
        common: plain data for everything else that all steps depend on: the hash of the data, the
            machine.
    """
    return RowPhases(experiment, GroupTexts()).of(experiment.seed, common)


class GroupTexts:
    """What the groups of experiments add to the content of phases, as canonical JSON.

    It is worked out once for each group, because the rows of a plan share most of their groups.
    Two groups count as one only if they are one object: 1 and 1.0 are equal, but not as text.
    """

    def __init__(self) -> None:
        """Nothing is worked out yet."""
        # An id belongs to a group only as long as the group exists; so the groups are kept.
        self._settings: dict[int, tuple[Group, dict[str, Any]]] = {}
        self._texts: dict[tuple[int, str], str] = {}

    def of(self, group: Group, phase: str) -> str:
        """The settings of the group that count in this phase; see `in_phase`."""
        key = (id(group), phase)
        if key not in self._texts:
            settings = in_phase(group, self._effective(group), phase)
            self._texts[key] = json.dumps(settings, sort_keys=True)
        return self._texts[key]

    def _effective(self, group: Group) -> dict[str, Any]:
        if id(group) not in self._settings:
            self._settings[id(group)] = group, effective(group)
        return self._settings[id(group)][1]


class RowPhases:
    """The phases of runs that differ only in the seed, as the runs of a row do; see `phases`.

    All but the seed is worked out once, because a row may have thousands of seeds.
    """

    def __init__(self, experiment: Experiment, texts: GroupTexts) -> None:
        """Work out the phases of an experiment with any seed; its own seed does not count.

        Args:
            experiment: the experiment.
            texts: the texts of the groups of this row and of others.
        """
        *groups, top = experiment.groups
        own = {name: json.dumps(value) for name, value in effective(top).items()}
        self._phases: list[tuple[Span, dict[str, str]]] = []
        for span in spans(experiment.phases):
            every = {group.prefix: texts.of(group, span.name) for group in groups}
            found = {k: text for k, text in every.items() if text != _EMPTY or k not in _NEWER}
            self._phases.append((span, found | in_phase(top, own, span.name)))

    def of(self, seed: int, common: Any) -> tuple[Phase, ...]:
        """The phases of the run with this seed; `phases` explains `common`."""
        found: list[Phase] = []
        before: list[str] = []
        around = json.dumps(common, sort_keys=True)
        for span, texts in self._phases:
            mine = _object(texts | {"seed": str(seed)})
            if span.first == span.end and span.name != FLOAT:
                before.append(_array([json.dumps(span.name), mine]))
                continue
            found.append(Phase(span.name, _array([around, mine, *before]), span.end))
            before = []
        return tuple(found)


def _array(texts: Iterable[str]) -> str:
    """The JSON of an array from the JSON of its elements, with the spaces of `json.dumps`."""
    return f"[{', '.join(texts)}]"


def _object(texts: Mapping[str, str]) -> str:
    """The JSON of an object from the JSON of its values, with sorted keys, as `json.dumps` has it.

    The keys have no characters that JSON escapes.
    """
    pairs = (f'"{key}": {texts[key]}' for key in sorted(texts))
    return f"{{{', '.join(pairs)}}}"
