"""qbench's sweeper as a Hydra plugin; Hydra 1.3 looks for the class itself under hydra_plugins."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from qbench.cli.sweeper import DesignSweeper


class OfatSweeper(DesignSweeper):
    """See `qbench.cli.sweeper.DesignSweeper`."""


@dataclass
class OfatSweeperConf:
    """Its configuration node."""

    _target_: str = "hydra_plugins.qbench_ofat.OfatSweeper"


ConfigStore.instance().store(
    group="hydra/sweeper", name="qbench", node=OfatSweeperConf, provider="qbench"
)
