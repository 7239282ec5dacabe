"""Does one run in this process, without a launcher or a worker."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path

from qbench.base import device
from qbench.base.errors import QbenchError, disk_full
from qbench.base.outside import folder
from qbench.base.paths import from_anywhere
from qbench.base.reasons import summary
from qbench.config.experiment import Experiment
from qbench.data import load_chosen
from qbench.engine import imagenet, run_record
from qbench.engine.execute import Report, execute
from qbench.engine.layer_check import check_layers, reading_layers
from qbench.engine.model_check import check_models
from qbench.engine.pixel_check import check_pixels, reading_pixels
from qbench.engine.progress import say
from qbench.engine.spec import JobSpec, Policy, RunSpec, SegmentSpec
from qbench.planning.identity import phases
from qbench.planning.plan import network_entry
from qbench.planning.segments import Tree
from qbench.storage import layout, records


def run_single(
    experiment: Experiment, root: Path, report: Report, track: str | None = None
) -> run_record.Record:
    """Run an experiment, or load its record if it is finished.

    Args:
        experiment: the experiment.
        root: holds `runs/`.
        report: called with (new steps, last loss) during training.
        track: see `qbench.engine.tracking`.

    Returns:
        The run record, with the current note on the data; a run that finished earlier may have
        recorded another note. A run that fails or diverges has a record too and raises nothing.

    Raises:
        QbenchError: the data or the configuration cannot be used; nothing was trained.
        DiskFull: there was no room for the results.
    """
    device.start(experiment.threads, experiment.deterministic)
    spec = replace(single_job(experiment, root, device.kind()), policy=Policy(track=track))
    (run,) = spec.runs
    records.set_aside_damaged(root, run.id, say)
    done = records.finished(root, run.id)
    if done:
        return {**done, "data": dict(spec.data)}
    try:
        check_models([network_entry(experiment)], say)
        check_pixels(reading_pixels([experiment]))
        check_layers(reading_layers([experiment]), say)
        execute(spec, report, say)
    except QbenchError:
        raise
    except Exception as error:
        if full := disk_full(error):
            raise full from error
        failure = {"message": summary(error), "traceback": traceback.format_exc()}
        machine = {"kind": device.kind(), "name": device.name()}
        run_record.write_failure(root, experiment, run.id, spec.data, machine, failure, spec.code)
    return records.read_record(layout.run_folder(root, run.id))


def single_job(experiment: Experiment, root: Path, kind: str) -> JobSpec:
    """The job of a single run, on a kind of device; `root` holds `runs/`."""
    data = load_chosen(experiment.data)
    (weights,) = imagenet.contents([experiment], imagenet.here)
    name = run_record.run_id(experiment, data.hash, kind, weights)
    tree = Tree([phases(experiment, run_record.common_content(data.hash, kind, weights))])
    segments = tuple(SegmentSpec(s.id, s.phase, s.first, s.end, False) for s in tree.last[0].path)
    facts = run_record.data_facts(experiment, data)
    return JobSpec(
        root=root.absolute(),
        id=f"run-{name}",
        label="run",
        experiment=experiment,
        segments=segments,
        runs=(RunSpec(name, experiment, f"seed {experiment.seed}"),),
        device=kind,
        data=facts,
        data_folder=from_anywhere(experiment.data.dir),
        folder=str(folder()),
        code=imagenet.hashes_of([experiment]),
    )
