"""qbench's sweeper as a Hydra plugin, and the declared defaults as a configuration.

Hydra 1.3 looks for the class itself under hydra_plugins, and imports this before it composes.
"""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from qbench.cli.sweeper import DesignSweeper
from qbench.planning.settings import defaults


class OfatSweeper(DesignSweeper):
    """See `qbench.cli.sweeper.DesignSweeper`."""


@dataclass
class OfatSweeperConf:
    """Its configuration node."""

    _target_: str = "hydra_plugins.qbench_ofat.OfatSweeper"


ConfigStore.instance().store(
    group="hydra/sweeper", name="qbench", node=OfatSweeperConf, provider="qbench"
)
# conf/config.yaml begins with it: what no file says has the value that its setting declares.
ConfigStore.instance().store(name="declared", node=defaults(), provider="qbench")
