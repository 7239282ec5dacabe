"""The training loop: its history, divergence, and that it repeats itself bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import training_examples as examples

from qbench.base.errors import Diverged
from qbench.config.experiment import Experiment
from qbench.data.batches import Batches
from qbench.models import registry
from qbench.schemes.phases import PhaseEnd
from qbench.training.loop import _finite, history, train


@pytest.fixture(scope="module")
def logged_each_step() -> list[dict[str, Any]]:
    chosen = examples.experiment()
    return examples.trained(examples.ready(chosen), chosen)


def test_a_row_for_every_step(logged_each_step: list[dict[str, Any]]) -> None:
    assert [row["step"] for row in logged_each_step] == list(range(1, 11))
    assert [row["phase"] for row in logged_each_step] == ["float"] * 5 + ["quantized"] * 5
    losses = [float(row["loss"]) for row in logged_each_step]
    assert np.isfinite(losses).all()
    assert len(set(losses)) == 10
    assert 1 < losses[0] < 10


@pytest.mark.parametrize(
    ("every", "rows"),
    [
        (7, [(0, 5), (5, 10)]),
        (2, [(0, 2), (2, 4), (4, 5), (5, 7), (7, 9), (9, 10)]),
        (5, [(0, 5), (5, 10)]),
    ],
)
def test_rows_of_several_steps_end_with_their_phase(
    every: int, rows: list[tuple[int, int]], logged_each_step: list[dict[str, Any]]
) -> None:
    chosen = examples.experiment({"train.log_every": every})
    logged = examples.trained(examples.ready(chosen), chosen)
    assert [row["step"] for row in logged] == [end for _, end in rows]
    assert [row["phase"] for row in logged] == [
        logged_each_step[start]["phase"] for start, _ in rows
    ]
    for row, (start, end) in zip(logged, rows, strict=True):
        losses = [float(line["loss"]) for line in logged_each_step[start:end]]
        assert float(row["loss"]) == pytest.approx(np.mean(losses), rel=1e-6)


@pytest.mark.parametrize(
    ("count", "start", "every", "floats", "quantized"),
    [
        (14, 14, 7, [7, 14], []),
        (15, 15, 7, [7, 14, 15], []),
        (115, 100, 50, [50, 100], [115]),
        (115, 100, 7, [*range(7, 100, 7), 100], [107, 114, 115]),
        (3, 3, 7, [3], []),
        (3, 100, 7, [3], []),
        (8, 5, 1, [1, 2, 3, 4, 5], [6, 7, 8]),
        (3, 0, 2, [], [2, 3]),
        (0, 5, 2, [], []),
    ],
)
def test_steps_of_the_rows(
    count: int, start: int, every: int, floats: list[int], quantized: list[int]
) -> None:
    losses = list(np.arange(count, dtype=float))
    ends = PhaseEnd("float", start), PhaseEnd("quantized", max(start, count))
    rows = history(losses, ends, every)
    assert [row["step"] for row in rows] == floats + quantized
    phases = ["float"] * len(floats) + ["quantized"] * len(quantized)
    assert [row["phase"] for row in rows] == phases
    means, first = [], 0
    for last in floats + quantized:
        means.append(np.mean(losses[first:last]))
        first = last
    assert [float(row["loss"]) for row in rows] == pytest.approx(means)


@pytest.mark.parametrize(
    ("delay", "phases"),
    [(0.0, ["quantized"] * 3), (1.0, ["float"] * 3), (0.5, ["float"] * 2 + ["quantized"])],
)
def test_phases_follow_the_delay(delay: float, phases: list[str]) -> None:
    chosen = examples.experiment({"quant.delay": delay, "train.steps": 3})
    logged = examples.trained(examples.ready(chosen), chosen)
    assert [row["phase"] for row in logged] == phases


def test_a_float_run_has_no_quantized_phase() -> None:
    chosen = examples.experiment({"quant.enabled": False, "train.steps": 3, "quant.delay": 0.0})
    logged = examples.trained(examples.ready(chosen), chosen)
    assert [row["phase"] for row in logged] == ["float"] * 3


@pytest.mark.parametrize("steps", [10, 60])
def test_every_step_is_reported_once(steps: int) -> None:
    chosen = examples.experiment({"train.steps": steps})
    reports: list[tuple[int, float]] = []
    network = examples.ready(chosen)
    logged = train(
        network, chosen, examples.digits(), lambda new, loss: reports.append((new, loss))
    )
    assert sum(new for new, _ in reports) == steps
    assert reports[-1][1] == pytest.approx(float(logged[-1]["loss"]), rel=1e-6)


def _first_bad_step(chosen: Any) -> int:
    """Trains one step at a time until a loss is not finite."""
    import tensorflow as tf

    network, data = examples.ready(chosen), examples.digits()
    step = network.train_step(None)
    batches = Batches(len(data.train_images), chosen.train.batch_size, chosen.seed)
    for number in range(chosen.train.steps):
        loss = step(
            batches.indices(number), tf.constant(0, tf.int64), tf.constant(number, tf.int64)
        )
        if not np.isfinite(float(loss)):
            return number
    raise AssertionError("the loss stayed finite")


@pytest.mark.parametrize("rate", [1e30, 1e12])
def test_a_loss_that_is_not_finite_ends_the_run(rate: float) -> None:
    values = {"train.learning_rate": rate, "train.steps": 120, "quant.delay": 1.0}
    chosen = examples.experiment(values)
    bad = _first_bad_step(chosen)
    with pytest.raises(Diverged) as error:
        examples.trained(examples.ready(chosen), chosen)
    assert error.value.args == (bad,)
    assert bad > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
def test_the_step_is_counted_from_the_start_of_the_run(value: float) -> None:
    with pytest.raises(Diverged) as error:
        _finite([0.5, 1.0, value, np.nan], first=50)
    assert error.value.args == (52,)
    assert _finite([0.5, 1.0], first=50) == [0.5, 1.0]


def _state(network: Any) -> list[Any]:
    found = [*network.model.get_weights(), *(v.numpy() for v in network.averages.variables)]
    return [*found, *(v.numpy() for v in network.optimizer.variables)]


RUNS: list[tuple[str, dict[str, Any]]] = [
    ("measured ranges", {}),
    ("moving averages", {"quant.op": "fake_quant"}),
]


@pytest.mark.parametrize("values", [r[1] for r in RUNS], ids=[r[0] for r in RUNS])
def test_the_same_training_gives_the_same_bits(values: dict[str, Any]) -> None:
    chosen = examples.experiment(values)
    first, second = examples.ready(chosen), examples.fresh(chosen)
    one = examples.trained(first, chosen)
    assert examples.trained(second, chosen) == one
    state = _state(first)
    for mine, theirs in zip(state, _state(second), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    first.initialise(chosen.seed)
    assert examples.trained(first, chosen) == one
    for mine, theirs in zip(state, _state(first), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert first.weights_hash() == second.weights_hash()


def test_a_network_used_for_another_seed_and_delay_leaves_no_trace() -> None:
    chosen = examples.experiment()
    other = chosen.with_values({"seed": 5, "quant.delay": 0.2, "quant.bits": 4})
    used, clean = examples.fresh(other), examples.ready(chosen)
    elsewhere = examples.trained(used, other)
    used.initialise(chosen.seed)
    assert examples.trained(used, chosen) == examples.trained(clean, chosen) != elsewhere
    for mine, theirs in zip(_state(used), _state(clean), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_all_steps_of_a_network_read_one_copy_of_the_images() -> None:
    """A copy for each step would grow a process by the training images with every row."""
    chosen = examples.experiment()
    network = examples.ready(chosen)
    steps = [network.train_step(None), network.step_in(chosen.scheme, "quantized")]
    read = [
        [one for one in step.get_concrete_function().captured_inputs if one.dtype == tf.uint8]
        for step in steps
    ]
    assert [images.shape for (images,) in read] == [(1198, 8, 8, 1)] * 2
    assert read[0][0] is read[1][0]


def test_seeds_differ_and_training_changes_the_weights() -> None:
    chosen = examples.experiment({"train.steps": 3})
    network = examples.ready(chosen)
    start = network.weights_hash()
    network.initialise(1)
    assert network.weights_hash() != start
    network.initialise(0)
    assert network.weights_hash() == start
    examples.trained(network, chosen)
    assert network.weights_hash() != start


def test_the_float_phase_is_that_of_a_float_run() -> None:
    quantized = examples.experiment()
    float_run = quantized.with_values({"quant.enabled": False})
    one = examples.trained(examples.ready(quantized), quantized)
    two = examples.trained(examples.ready(float_run), float_run)
    assert one[:5] == two[:5]
    assert one[5:] != two[5:]


def test_weight_decay_is_trained_but_not_logged() -> None:
    """At the first step the logged loss is the same; afterwards the weights differ."""
    histories = []
    for decay in (0.0, 0.1):
        chosen = examples.experiment({"train.weight_decay": decay, "train.steps": 3})
        histories.append(examples.trained(examples.ready(chosen), chosen))
    assert histories[0][0] == histories[1][0]
    assert histories[0][1] != histories[1][1]


@pytest.mark.slow
@pytest.mark.parametrize("op", ["qdq_v2", "fake_quant"])
def test_steps_compiled_by_xla_train_the_same_but_for_rounding(op: str) -> None:
    """Eight bits' steps magnify last bits a little; another computation would be far off."""
    losses = []
    for jit in ("off", "on"):
        chosen = examples.experiment({"train.jit": jit, "train.steps": 6, "quant.op": op})
        rows = examples.trained(examples.ready(chosen), chosen)
        losses.append([float(row["loss"]) for row in rows])
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)
    assert losses[1] != losses[0]


@pytest.mark.parametrize(
    "model",
    [
        examples.CONFIG["model"],
        {"name": "mobilenet_v1", "depth_multiplier": 0.125, "halvings": 2},
    ],
    ids=["resnet_v1", "mobilenet_v1"],
)
def test_the_weights_of_the_first_seed_are_those_that_another_network_gets(
    model: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the network is checked when it is built, and after other weights."""
    chosen = Experiment.from_config({**examples.CONFIG, "model": model})
    monkeypatch.setattr(registry, "_CHECKED", set())
    network = examples.fresh(chosen)
    first = network.weights_hash()
    network.initialise(1)
    other = network.weights_hash()
    network.initialise(0)
    assert network.weights_hash() == first != other
