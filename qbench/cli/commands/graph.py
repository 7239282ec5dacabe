"""The verb `graph`."""

from __future__ import annotations

from typing import Any

from qbench.base import device
from qbench.base.errors import QbenchError
from qbench.cli import hydra_app
from qbench.planning.factors import impossible

HELP = """usage: qbench graph [overrides]

Traces the network as it is evaluated. Lists the fake-quantization ops in the graph, counts them by
kind, and counts the convolutions, ReLUs and residual adds. Needs no data.
"""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    hydra_app.run(_graph, arguments)
    return 0


def _graph(config: Any) -> None:
    settings = hydra_app.settings_of(config)
    reason = impossible(settings.base, hydra_app.explicit_keys(hydra_app.task_overrides()))
    if reason:
        raise QbenchError(reason)
    device.start(settings.base.threads)
    from qbench.cli.listing import describe, list_graph

    print(describe(list_graph(settings.base)))
