"""The Hydra configurations of the jobs of a sweep."""

from __future__ import annotations

import copy
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf


class JobConfigurations:
    """A Hydra config loader for launchers: the sweep's configuration serves all of its jobs.

    Hydra composes the configuration anew for each job, which takes about as long as to train some
    hundred steps of a small network. Here the jobs of a sweep differ only in `job`, the path of the
    job's file.
    """

    def __init__(self, loader: Any) -> None:
        """`loader` is the config loader of Hydra, for everything else."""
        self._loader = loader

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> Any:
        """The configuration of one job.

        Args:
            master_config: the configuration of the sweep.
            sweep_overrides: the overrides of the command and, as the last one, `job=PATH`.
        """
        job = OverridesParser.create().parse_override(sweep_overrides[-1])
        config = copy.deepcopy(master_config)
        for part in (config, config.hydra):  # Hydra has set both to read-only
            OmegaConf.set_readonly(part, None)
        config.hydra.overrides.task = list(sweep_overrides)
        config[job.get_key_element()] = job.value()
        return config

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # an object that is being unpickled has no loader yet
            raise AttributeError(name)
        return getattr(self._loader, name)
