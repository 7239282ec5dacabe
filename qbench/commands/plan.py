"""usage: qbench plan [overrides]

What `qbench sweep` with the same overrides would run: one line a run, with its float and quantized
steps. Trains nothing and imports no TensorFlow.
"""

from __future__ import annotations

from qbench import hydra_app
from qbench.commands.sweep import run_job


def main(arguments: list[str]) -> int:
    """Run the verb."""
    hydra_app.run(run_job, [*arguments, "hydra.sweeper.action=plan"], sweep=True)
    return 0
