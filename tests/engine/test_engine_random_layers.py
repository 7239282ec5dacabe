"""Random layers in jobs: sharing, another process and a stop in the middle change no bit."""

import engine_examples as examples
import own_models
import pytest
from random_networks import dropouts

from qbench.engine.execute import execute
from qbench.engine.single import single_job
from qbench.engine.verify import train_alone

ROWS = [{}, {"quant.enabled": False}, {"quant.bits": 4, "quant.delay": 0.3}, {"seed": 1}]


@pytest.fixture(autouse=True)
def _random(monkeypatch):
    own_models.register(monkeypatch, dropouts, "own dropouts")
    monkeypatch.setitem(examples.CONFIG, "model", {"name": "own dropouts"})


def test_shared_steps_and_a_stop_give_the_weights_of_training_alone(tmp_path):
    work = examples.resolved(*ROWS)
    jobs = examples.jobs(work, tmp_path)
    assert sum(examples.do(job) for job in jobs) == work.tree.steps_shared
    for name, run in zip(work.ids, work.plan.runs, strict=True):
        assert examples.weights(tmp_path, name) == train_alone(run.experiment)

    stopped = tmp_path / "stopped"
    spec = single_job(examples.experiment({"train.checkpoint_every": 2}), stopped, work.device)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            execute(spec, _stop_after(3), examples.silent)
    assert examples.do(spec) < 10
    assert examples.weights(stopped, spec.runs[0].id) == examples.weights(tmp_path, work.ids[0])


def _stop_after(steps):
    left = [steps]

    def report(new, loss):
        left[0] -= new
        if left[0] <= 0:
            raise KeyboardInterrupt

    return report
