"""What one command was asked to do: the default experiment, the seeds, the design, the folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench import checks
from qbench.designs import DESIGNS
from qbench.experiment import Experiment

OUTPUTS = "outputs"


@dataclass(frozen=True, kw_only=True)
class Design:
    """`design`: how the factors are varied."""

    name: str
    baseline: bool
    factors: tuple[str, ...] | None

    def __post_init__(self) -> None:
        """Checks every value."""
        checks.one_of("design.name", self.name, DESIGNS.names())
        checks.boolean("design.baseline", self.baseline)
        if self.factors is not None and not all(isinstance(key, str) for key in self.factors):
            raise checks.wrong("design.factors", self.factors, "null or a list of keys")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of a command, checked.

    Attributes:
        study: name of the study.
        base: the default experiment, with the first seed.
        seeds: every configuration is run once for each.
        design: the design of a sweep.
        out: the folder that was asked for, or None.
    """

    study: str
    base: Experiment
    seeds: tuple[int, ...]
    design: Design
    out: str | None

    @property
    def root(self) -> Path:
        """The folder that holds `runs/`."""
        return Path(self.out).expanduser() if self.out else Path(OUTPUTS) / self.study

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Settings:
        """Settings from the composed configuration as plain nested data.

        Raises:
            QbenchError: a key or a value that is not allowed.
        """
        names = ("study", "data", "model", "quant", "train", "eval", "design", "seeds", "threads")
        checks.known_keys("", config, (*names, "out"))
        checks.required_keys("", config, (*names, "out"))
        seeds = _seeds(config["seeds"])
        parts = {key: config[key] for key in ("data", "model", "quant", "train", "eval", "threads")}
        design = checks.group_of_settings("design", config["design"])
        checks.known_keys("design", design, ("name", "baseline", "factors"))
        checks.required_keys("design", design, ("name", "baseline", "factors"))
        factors = design["factors"]
        if isinstance(factors, str):
            factors = [factors]
        if not isinstance(factors, list | tuple | None):
            raise checks.wrong("design.factors", factors, "null or a list of keys")
        checks.text_or_null("out", config["out"])
        study = checks.group_of_settings("study", config["study"]).get("name")
        if not isinstance(study, str) or not study or "/" in study:
            raise checks.wrong("study.name", study, "a name without '/'")
        return Settings(
            study=study,
            base=Experiment.from_config({**parts, "seed": seeds[0]}),
            seeds=seeds,
            design=Design(
                name=design["name"],
                baseline=design["baseline"],
                factors=None if factors is None else tuple(factors),
            ),
            out=config["out"],
        )


def _seeds(value: Any) -> tuple[int, ...]:
    values = [value] if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(values, list | tuple) or not values:
        raise checks.wrong("seeds", value, "a list of whole numbers such as [0,1,2]")
    for seed in values:
        checks.whole("seeds", seed, 0, 2**31 - 1)
    if len(set(values)) < len(values):
        raise checks.wrong("seeds", value, "a list without repeats")
    return tuple(values)
