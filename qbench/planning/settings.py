"""What one command was asked to do: the default experiment, the seeds, the design, the folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from qbench.base import checks
from qbench.base.paths import given
from qbench.config.experiment import Experiment
from qbench.planning.designs import DESIGNS, EACH, Levels

OUTPUTS = "outputs"
REPRESENTATIVE = "representative"
CALIBRATIONS = (REPRESENTATIVE,)


@dataclass(frozen=True, kw_only=True)
class Design:
    """`design`: how the factors are varied.

    Attributes:
        name: in `DESIGNS`.
        baseline: whether a float row stands on top; `each` for one a network.
        factors: keys of the paper's factors that take part; None for all or, where the design
            takes only what is given, none.
        levels: of factors beside the paper's, by key, the default level first.
    """

    name: str
    baseline: bool | str
    factors: tuple[str, ...] | None
    levels: Levels = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks every value."""
        checks.one_of("design.name", self.name, DESIGNS.names())
        if self.baseline != EACH and not isinstance(self.baseline, bool):
            raise checks.wrong("design.baseline", self.baseline, f"true or false, or {EACH}")
        if self.factors is not None and not all(isinstance(key, str) for key in self.factors):
            raise checks.wrong("design.factors", self.factors, "null or a list of keys")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How a sweep is carried out; none of it changes a result.

    Attributes:
        share: train steps that several runs have in common once.
        keep_trunks: keep the states of shared segments after the last run that needs them.
        retries: how often a job is tried again after it failed or its process died.
        fail_fast: stop at the first job that fails for good.
        isolate: train in worker processes; false trains where the launcher runs the job.
        device: `auto`, `cpu` or `gpu`; the kind of device that the workers have.
        workers: how many jobs are done at once where Hydra's basic launcher is configured.
    """

    share: bool = True
    keep_trunks: bool = False
    retries: int = 1
    fail_fast: bool = False
    isolate: bool = True
    device: str = "auto"
    workers: int = 1

    def __post_init__(self) -> None:
        """Checks every value."""
        for key in ("share", "keep_trunks", "fail_fast", "isolate"):
            checks.boolean(key, getattr(self, key))
        checks.whole("retries", self.retries, 0, 100)
        checks.whole("workers", self.workers, 1, 1024)
        checks.one_of("device", self.device, ("auto", "cpu", "gpu"))


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """`deploy`: what becomes of runs after they are trained.

    Attributes:
        enabled: convert every run of a sweep to a LiteRT file and measure it.
        calibration: `representative` also quantizes float runs after training, with ranges found
            on training images, as the reference for quantized training; None does not.
    """

    enabled: bool = False
    calibration: str | None = None

    def __post_init__(self) -> None:
        """Checks every value."""
        checks.boolean("deploy.enabled", self.enabled)
        if self.calibration is not None:
            checks.one_of("deploy.calibration", self.calibration, CALIBRATIONS)


_OF_EXPERIMENT = ("data", "model", "quant", "train", "eval", "threads", "deterministic")
_KEYS = (
    *("study", "design", "seeds", "out", "job", "deploy"),
    *_OF_EXPERIMENT,
    *(entry.name for entry in fields(Engine)),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of a command, checked.

    Attributes:
        study: name of the study.
        base: the default experiment, with the first seed.
        seeds: every configuration is run once for each.
        design: the design of a sweep.
        out: the folder that was asked for, or None.
        engine: how the work is done.
        deploy: what becomes of trained runs.
    """

    study: str
    base: Experiment
    seeds: tuple[int, ...]
    design: Design
    out: str | None
    engine: Engine
    deploy: Deploy = Deploy()

    @property
    def root(self) -> Path:
        """The folder that holds `runs/`."""
        return given(self.out) if self.out else Path(OUTPUTS) / self.study

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Settings:
        """Settings from the composed configuration as plain nested data.

        Raises:
            QbenchError: a key or a value that is not allowed.
        """
        checks.known_keys("", config, _KEYS)
        checks.required_keys("", config, [key for key in _KEYS if key != "job"])
        seeds = _seeds(config["seeds"])
        parts = {key: config[key] for key in _OF_EXPERIMENT}
        checks.text_or_null("out", config["out"])
        study = checks.group_of_settings("study", config["study"]).get("name")
        if not isinstance(study, str) or not study or "/" in study:
            raise checks.wrong("study.name", study, "a name without '/'")
        return Settings(
            study=study,
            base=Experiment.from_config({**parts, "seed": seeds[0]}),
            seeds=seeds,
            design=_design(config["design"]),
            out=config["out"],
            deploy=_deploy(config["deploy"]),
            engine=Engine(**{entry.name: config[entry.name] for entry in fields(Engine)}),
        )


def _design(value: Any) -> Design:
    names = [entry.name for entry in fields(Design)]
    design = checks.group_of_settings("design", value)
    checks.known_keys("design", design, names)
    checks.required_keys("design", design, names)
    factors = design["factors"]
    if isinstance(factors, str):
        factors = [factors]
    if not isinstance(factors, list | tuple | None):
        raise checks.wrong("design.factors", factors, "null or a list of keys")
    levels = {} if design["levels"] is None else design["levels"]
    if not isinstance(levels, Mapping):
        raise checks.wrong("design.levels", levels, "null or keys with a list of levels each")
    for key, values in levels.items():
        if not isinstance(values, list | tuple) or not values:
            raise checks.wrong(f"design.levels.{key}", values, "a list of levels")
    return Design(
        name=design["name"],
        baseline=design["baseline"],
        factors=None if factors is None else tuple(factors),
        levels={str(key): tuple(values) for key, values in levels.items()},
    )


def _deploy(value: Any) -> Deploy:
    values = checks.group_of_settings("deploy", value)
    keys = [entry.name for entry in fields(Deploy)]
    checks.known_keys("deploy", values, keys)
    checks.required_keys("deploy", values, keys)
    return Deploy(**values)


def _seeds(value: Any) -> tuple[int, ...]:
    values = [value] if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(values, list | tuple) or not values:
        raise checks.wrong("seeds", value, "a list of whole numbers such as [0,1,2]")
    for seed in values:
        checks.whole("seeds", seed, 0, 2**31 - 1)
    if len(set(values)) < len(values):
        raise checks.wrong("seeds", value, "a list without repeats")
    return tuple(values)
