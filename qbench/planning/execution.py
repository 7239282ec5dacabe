"""The settings of a sweep's execution, which count in no identity."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.base import allowed
from qbench.base.setting import NEVER, Group, setting


@dataclass(frozen=True, kw_only=True)
class Engine(Group):
    """The settings of a sweep's execution; none of them changes a result."""

    share: bool = setting(
        True,
        check=allowed.switch(),
        effect=NEVER,
        help="train steps only once if several runs share them",
    )
    keep_trunks: bool = setting(
        False,
        check=allowed.switch(),
        effect=NEVER,
        help="keep shared states after the last run that needs them",
    )
    retries: int = setting(
        1,
        check=allowed.whole(0, 100),
        effect=NEVER,
        help="how often qbench tries a job again if it failed or its process died",
    )
    fail_fast: bool = setting(
        False,
        check=allowed.switch(),
        effect=NEVER,
        help="stop at the first job that fails after all its retries",
    )
    isolate: bool = setting(
        True,
        check=allowed.switch(),
        effect=NEVER,
        help="train in worker processes. False: train in the process of the launcher's job, for"
        " debuggers",
    )
    device: str = setting(
        "auto",
        check=allowed.one_of(("auto", "cpu", "gpu")),
        effect=NEVER,
        help="the kind of device that the workers have. `auto`: qbench asks a worker on this"
        " machine",
    )
    workers: int = setting(
        1,
        check=allowed.whole(1, 1024),
        effect=NEVER,
        help="number of jobs at once on this machine, through joblib. Other launchers have their"
        " own setting",
    )
