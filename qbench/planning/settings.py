"""The settings of one command: the default experiment, the seeds, the design, the folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qbench.base import allowed, checks
from qbench.base.allowed import Allowed
from qbench.base.paths import given
from qbench.base.setting import NEVER, UNSET, Group, Setting, declared, setting
from qbench.config.experiment import SETTINGS as OF_RUNS
from qbench.config.experiment import Experiment, plain
from qbench.config.groups import group_from
from qbench.config.inputs import FileInput
from qbench.planning.designs import DESIGNS, EACH, RESOLUTIONS, Changes, Levels
from qbench.planning.draws import DISJOINT, DRAWS
from qbench.planning.early_stopping import NO_AUTO, EarlyStopping
from qbench.planning.execution import NO_STOPPING, Engine, Stopping
from qbench.planning.published import PUBLISHED
from qbench.planning.stats import DEFAULT_STATS, Stats

OUTPUTS = "outputs"
REPRESENTATIVE = "representative"
CALIBRATIONS = (REPRESENTATIVE,)


def _baseline(key: str, value: Any) -> Any:
    if value != EACH and not isinstance(value, bool):
        raise checks.wrong(key, value, f"true or false, or {EACH}")
    return value


def _factors(key: str, value: Any) -> Any:
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list | tuple):
        raise checks.wrong(key, keys, "null or a list of keys")
    if not all(isinstance(name, str) for name in keys):
        raise checks.wrong(key, tuple(keys), "null or a list of keys")
    return tuple(keys)


def _levels(key: str, value: Any) -> Any:
    levels = {} if value is None else value
    if not isinstance(levels, Mapping):
        raise checks.wrong(key, levels, "null or keys with a list of levels each")
    for name, values in levels.items():
        if not isinstance(values, list | tuple) or not values:
            raise checks.wrong(f"{key}.{name}", values, "a list of levels")
    return {str(name): tuple(values) for name, values in levels.items()}


def _rows(key: str, value: Any) -> Any:
    rows = () if value is None else value
    if not isinstance(rows, list | tuple) or not all(isinstance(r, Mapping) and r for r in rows):
        raise checks.wrong(key, value, "a list of rows, each with keys and a value for each")
    return tuple({str(name): _hashable(one) for name, one in row.items()} for row in rows)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_SEEDS = allowed.whole_numbers("list of whole numbers", "[0,1,2]", 0, 2**31 - 1)


def _study(key: str, value: Any) -> Any:
    if not isinstance(value, str) or not value or "/" in value:
        raise checks.wrong(key, value, "a name without '/'")
    return value


@dataclass(frozen=True, kw_only=True)
class Design(Group, prefix="design"):
    """`design`: how factors vary.

    If `factors` is None, all factors of the paper vary with `ofat`; with other designs only factors
    with levels vary. The first level of each factor in `levels` is its default.
    """

    name: str = setting(
        check=allowed.one_of(DESIGNS),
        effect=NEVER,
        help="`ofat`: one factor at a time. `factorial`: all combinations. `fractional`: a"
        " [fraction](studies.md#fractions) of them. Choose it with `design=NAME`",
    )
    resolution: int | None = setting(
        None,
        check=allowed.whole(RESOLUTIONS[0], RESOLUTIONS[-1]).or_null,
        effect=NEVER,
        help="resolution of the fraction, only with `design=fractional`. 3: main effects are mixed"
        " with interactions of two factors; 4: only such interactions with each other; 5: neither",
    )
    baseline: bool | str = setting(
        check=Allowed(_baseline, lambda: "true, false, each"),
        effect=NEVER,
        help="whether a float row stands at the top. `each`: one float row above the rows of each"
        " network. A network is one combination of the factors outside `quant`",
    )
    factors: tuple[str, ...] | None = setting(
        None,
        check=Allowed(_factors, lambda: "list of keys", "list").or_null,
        effect=NEVER,
        help="which factors vary. Null: with `ofat` all factors of the paper, with `factorial`"
        " only factors that get levels",
    )
    levels: Levels = setting(
        None,
        check=Allowed(_levels, lambda: "keys with a list of levels each, or null"),
        effect=NEVER,
        help="factors and levels that a design or a study defines. A comma list or a single value"
        " on the command line replaces the levels of its factor",
    )
    rows: tuple[Changes, ...] = setting(
        (),
        check=Allowed(_rows, lambda: "list of rows, each with keys and their values"),
        effect=NEVER,
        help="rows after those of the factors: the keys, or the choices of groups, in which each"
        " differs from the default, such as `{quant/scheme: inq, quant.bits: 4}`",
    )
    ensembles: tuple[int, ...] = setting(
        (),
        check=allowed.whole_numbers(
            "list of whole numbers, each at least 1", "[2,3,5]", 1, may_be_empty=True
        ),
        effect=NEVER,
        help="numbers of members: for each number K, every row also appears as ensembles of K of"
        " its seeds. Each is at most the number of seeds",
    )
    ensemble_draws: str = setting(
        DISJOINT,
        check=allowed.one_of(tuple(DRAWS)),
        effect=NEVER,
        help="which seeds are the members of an [ensemble](#ensembles). `disjoint`: each seed is in"
        " at most one ensemble of a size. `rotated`: an ensemble begins at each seed, so a size has"
        " as many ensembles as there are seeds, but they share members and give no interval",
    )


@dataclass(frozen=True, kw_only=True)
class Deploy(Group, prefix="deploy"):
    """`deploy`: how finished runs are converted; `deploy.input` belongs to the runs."""

    enabled: bool = setting(
        False,
        check=allowed.switch(),
        effect=NEVER,
        help="convert every run of a sweep to a LiteRT file and measure the file",
    )
    calibration: str | None = setting(
        REPRESENTATIVE,
        check=allowed.one_of(CALIBRATIONS).or_null,
        effect=NEVER,
        help="also quantize float runs after training, as the reference for quantized training;"
        " ranges come from training images. Null: no such file",
    )
    seeds: int | None = setting(
        None,
        check=allowed.whole(1).or_null,
        effect=NEVER,
        help="convert only the runs of the first of the `seeds`, as many in each row as this number"
        " says. Null: all",
    )


@dataclass(frozen=True, kw_only=True)
class Settings(Group):
    """The whole configuration of a command, checked.

    Attributes:
        base: the default experiment, with the first seed.
        engine: how the work is done.
        stopping: what ends a sweep before all its seeds are done.
        auto: what `train.steps=auto` means.
    """

    study: str = setting(
        key="study.name",
        check=Allowed(_study, lambda: "name without /"),
        effect=NEVER,
        help="name of the folder in `outputs/`; choose it with `study=NAME`",
    )
    repeats: str | None = setting(
        None,
        key="study.repeats",
        check=allowed.one_of(tuple(PUBLISHED)).or_null,
        effect=NEVER,
        help="the paper whose rows the study repeats: the report sets the paper's numbers beside"
        " those of the sweep",
    )
    base: Experiment
    seeds: tuple[int, ...] = setting(
        (0,),
        check=_SEEDS,
        help="qbench runs every configuration once with each seed",
    )
    design: Design
    out: str | None = setting(
        None,
        check=allowed.text_or_null("folder"),
        effect=NEVER,
        help="folder for everything that the command writes. Null: `outputs/<study>/`",
    )
    engine: Engine
    stopping: Stopping = NO_STOPPING
    auto: EarlyStopping = NO_AUTO
    deploy: Deploy = Deploy()
    stats: Stats = DEFAULT_STATS
    job: str | None = setting(
        None,
        check=allowed.anything("text or null"),
        effect=NEVER,
        help="qbench sets it for its launcher jobs",
    )

    @property
    def root(self) -> Path:
        """The folder that holds `runs/`."""
        return given(self.out) if self.out else Path(OUTPUTS) / self.study

    @property
    def deployed_seeds(self) -> tuple[int, ...]:
        """The seeds whose runs a sweep converts; none if `deploy.enabled` is false."""
        return self.seeds[: self.deploy.seeds] if self.deploy.enabled else ()

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Settings:
        """Make the settings from the composed configuration, which is plain nested data.

        Raises:
            QbenchError: a key or a value is not allowed.
        """
        checks.known_keys("", config, _KEYS)
        checks.required_keys("", config, [key for key in _KEYS if key != "job"])
        seeds = _SEEDS.read("seeds", config["seeds"])
        deploy = checks.group_of_settings("deploy", config["deploy"])
        checks.known_keys("deploy", deploy, (*_names(FileInput), *_names(Deploy)))
        train = dict(checks.group_of_settings("train", config["train"]))
        auto = {name: train.pop(name) for name in _names(EarlyStopping) if name in train}
        parts = {key: config[key] for key in _OF_EXPERIMENT} | {
            "train": train,
            "deploy": {name: deploy[name] for name in _names(FileInput) if name in deploy},
        }
        study: Any = checks.group_of_settings("study", config["study"])
        checks.known_keys("study", study, ("name", "repeats"))
        return Settings(
            study=study.get("name"),
            repeats=study.get("repeats"),
            base=Experiment.from_config({**parts, "seed": seeds[0]}),
            seeds=seeds,
            design=group_from(Design, config["design"], _names(Design)),
            out=config["out"],
            deploy=group_from(
                Deploy,
                {name: deploy[name] for name in _names(Deploy) if name in deploy},
                _names(Deploy),
            ),
            stats=group_from(Stats, config["stats"], _names(Stats)),
            engine=Engine(**{name: config[name] for name in _names(Engine)}),
            stopping=Stopping(**{name: config[name] for name in _names(Stopping)}),
            auto=EarlyStopping(**auto),
            job=config.get("job"),
        )


def _names(group: type[Group]) -> list[str]:
    return [found.name for found in declared(group)]


_OF_EXPERIMENT = tuple(entry.name for entry in fields(Experiment) if entry.name != "seed")
_OF_EXECUTION = (*_names(Engine), *_names(Stopping))
_KEYS = ("study", "design", "stats", "seeds", "out", "job", *_OF_EXPERIMENT, *_OF_EXECUTION)

_GROUPS = (EarlyStopping, Deploy, Design, Stats, Engine, Stopping)

SETTINGS: tuple[Setting, ...] = (
    *declared(Settings),
    *(found for found in OF_RUNS if found.key != "seed"),  # a command has `seeds` instead
    *(found for group in _GROUPS for found in declared(group)),
)
"""Every setting of a command, by the key that it has in the configuration."""


def defaults() -> dict[str, Any]:
    """The declared defaults as a plain nested configuration, for keys that no file sets."""
    found: dict[str, Any] = {}
    for one in SETTINGS:
        if one.default is not UNSET:
            group = found.setdefault(one.group, {}) if one.group else found
            group[one.name] = plain(one.default)
    return found
