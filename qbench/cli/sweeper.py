"""qbench's Hydra sweeper: turns a design into jobs for any Launcher.

Hydra composes the configuration once; the design is expanded as plain data. Hydra 1.3 needs the
class under `hydra_plugins`, so a thin subclass is there.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from qbench.base.errors import QbenchError, disk_full
from qbench.base.reasons import summary
from qbench.cli.command import Command, CommandTask, run_job
from qbench.cli.hydra_app import explicit_keys, settings_of
from qbench.cli.job_configuration import JobConfigurations
from qbench.cli.outside import chosen
from qbench.cli.quoting import in_configuration, in_hydra
from qbench.config.experiment import Experiment
from qbench.planning.plan import Choices, make_plan, outline

if TYPE_CHECKING:
    from qbench.engine.client import Ended

_BASIC = "basic"  # Hydra's default launcher


class LauncherFailed(QbenchError):
    """A launcher raised an error; the results of its jobs are kept."""


class DesignSweeper(Sweeper):
    """Expands the configured design, and passes the plan to the command.

    Comma lists on the command line are levels of factors; the first level is the default.
    """

    hydra_context: HydraContext
    command: Command
    config: DictConfig

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra before `sweep`.

        Raises:
            QbenchError: the task function is not a `CommandTask`, because the verb takes only one
                configuration.
        """
        if not isinstance(task_function, CommandTask):
            raise QbenchError("--multirun: only qbench sweep and qbench plan take a design.")
        self.hydra_context = hydra_context
        self.command = task_function.command
        self.config = config
        self._chosen_launcher: Any = OmegaConf.to_container(config.hydra.launcher)

    def sweep(self, arguments: list[str]) -> None:
        """Called by Hydra with the overrides of the command line."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides(arguments)
        fixed = [str(o.input_line) for o in overrides if not o.is_sweep_override()]
        given = {
            o.get_key_element().lstrip("+"): _levels(o, parser)
            for o in overrides
            if o.is_sweep_override()
        }

        design = outline(settings_of(self.config), given, explicit_keys(fixed))
        composed = {one: self._composed([*fixed, *self._chosen(one)]) for one in design.choices}
        self.command(make_plan(design, composed), partial(self._launch, fixed))

    def _chosen(self, choices: Choices) -> list[str]:
        """Choices of groups as overrides."""
        files = self.hydra_context.config_loader.get_group_options
        split = (choice.partition("=") for choice in choices)
        return [text for group, _, name in split for text in chosen(group, name, files(group))]

    def _composed(self, overrides: list[str]) -> Experiment:
        """The default experiment with these overrides."""
        loader = self.hydra_context.config_loader
        return settings_of(loader.load_sweep_config(self.config, overrides)).base

    def _launch(self, fixed: list[str], jobs: list[Path], folder: Path) -> list[Ended]:
        """Give the jobs to the launcher; the launcher writes its own files to `folder`."""
        from hydra.core.plugins import Plugins

        from qbench.engine.orphans import announce

        announce()
        with read_write(self.config), open_dict(self.config):
            self.config.hydra.sweep.dir = in_configuration(str(folder))
            self.config.hydra.launcher = self._launcher(len(jobs))
        context = HydraContext(
            config_loader=cast(ConfigLoader, JobConfigurations(self.hydra_context.config_loader)),
            callbacks=self.hydra_context.callbacks,
        )
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=run_job, config=self.config
        )
        overrides = [[*fixed, _chosen(job)] for job in jobs]
        try:
            return [_end_of(job) for job in launcher.launch(overrides, initial_job_idx=0)]
        except Exception as error:
            if isinstance(error, QbenchError) or disk_full(error):
                raise
            name = self.config.hydra.runtime.choices["hydra/launcher"]
            raise LauncherFailed(
                f"hydra/launcher={name}: {summary(error).rstrip('.')}; the same command goes on"
                " from here."
            ) from error

    def _launcher(self, jobs: int) -> Any:
        """The launcher's configuration: the user's choice, or joblib's if `workers` is above 1.

        A launcher that the user chose has its own setting for the number of jobs at once.
        """
        from qbench.engine.progress import say
        from qbench.engine.workers import jobs_at_once

        chosen = self._chosen_launcher
        engine = settings_of(self.config).engine
        at_once = min(jobs_at_once(engine), jobs)
        if at_once < 2 or self.config.hydra.runtime.choices["hydra/launcher"] != _BASIC:
            return chosen
        try:
            from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf
        except ImportError:
            say(
                f"workers={engine.workers}: several at once need joblib (pip install"
                " 'qbench-qat[joblib]'); jobs run one after the other, with the same results."
            )
            return chosen
        return OmegaConf.structured(JobLibLauncherConf(n_jobs=at_once))


def _end_of(job: JobReturn) -> Ended:
    """How a job ended; a job whose launcher failed before the job began is lost."""
    from qbench.engine.client import Ended

    try:
        end: Ended = job.return_value
    except Exception as error:
        return Ended("lost", summary(error))
    return end


def _chosen(job: Path) -> str:
    """A job as an override, because launchers pass on only overrides."""
    return f"job={in_hydra(str(job), literal=True)}"


def _levels(override: Override, parser: OverridesParser) -> tuple[Any, ...]:
    """The values of a comma list as plain data."""
    if not override.is_discrete_sweep():
        raise QbenchError(
            f"{override.input_line}: a design takes single levels; list them, divided by commas."
        )
    key = override.get_key_element()
    texts = [str(text) for text in override.sweep_string_iterator()]
    if not texts:
        raise QbenchError(f"{override.input_line}: chooses none of the group's files.")
    return tuple(_plain(parser.parse_override(f"{key}={text}").value()) for text in texts)


def _plain(value: Any) -> Any:
    """A parsed override value without Hydra's quoting classes."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return OmegaConf.create({"value": value.text})["value"]
