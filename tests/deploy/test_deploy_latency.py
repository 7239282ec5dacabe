"""Latency: what is counted and computed, on a clock that the test moves."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from deploy_examples import images, measured, network, quant
from hypothesis import given
from hypothesis import strategies as st

from qbench.base.errors import QbenchError
from qbench.deploy.export import export_model
from qbench.deploy.latency import LatencySettings, compared, measure, spread, timed
from qbench.deploy.lite import KERNELS, LiteFile, convert


class Stage:
    """A clock, and contenders that take as long on it as they are told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[str] = []

    def clock(self) -> float:
        return self.now

    def contender(self, name, durations):
        """Takes the durations in turn, the last of them ever after."""
        left = list(durations)

        def invoke() -> None:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return invoke


def settings(**values) -> LatencySettings:
    return LatencySettings(**{"runs": 4, "warmup": 2, "threads": (1,), **values})


def test_rounds_are_interleaved_and_turn_round():
    stage = Stage()
    both = {name: stage.contender(name, [1]) for name in "ab"}
    taken = timed(both, settings(seconds=1000), stage.clock)
    # Two warm-ups; then each invocation that counts stands behind one that does not.
    assert "".join(stage.calls) == "abab" + "aabb" + "bbaa" + "aabb" + "bbaa"
    assert taken == {"a": [1.0] * 4, "b": [1.0] * 4}


def test_only_the_second_invocation_of_a_round_counts():
    stage = Stage()
    durations = [50, 60, *(70, 1), *(80, 2), *(90, 3), *(95, 4)]
    taken = timed({"a": stage.contender("a", durations)}, settings(seconds=1000), stage.clock)
    assert taken == {"a": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("seconds", "rounds"), [(1000, 50), (20, 10), (19, 10), (18, 9), (6, 3), (1, 3), (0, 3)]
)
def test_time_ends_the_rounds_but_three_are_made(seconds, rounds):
    stage = Stage()
    chosen = settings(runs=50, warmup=1, seconds=seconds)
    taken = timed({"a": stage.contender("a", [1])}, chosen, stage.clock)
    assert len(taken["a"]) == rounds  # of two seconds each


@pytest.mark.parametrize(("seconds", "warmed"), [(100, 5), (6, 3), (1, 1), (0, 1)])
def test_time_ends_the_warming_up_but_once_it_is_done(seconds, warmed):
    stage = Stage()
    chosen = settings(runs=1, warmup=5, seconds=seconds)
    timed({"a": stage.contender("a", [1])}, chosen, stage.clock)
    assert len(stage.calls) == warmed + 2


def test_fewer_rounds_than_three_may_be_asked_for():
    stage = Stage()
    taken = timed({"a": stage.contender("a", [1])}, settings(runs=1), stage.clock)
    assert taken == {"a": [1.0]}


def test_spread_by_hand():
    # 1 to 11 ms: nine tenths of the way from the first to the last is 10.
    row = spread([k / 1000 for k in (11, 3, 5, 7, 9, 1, 2, 4, 6, 8, 10)])
    assert row == pytest.approx({"median": 6, "p90": 10, "minimum": 1})
    # Of two rounds p90 lies nine tenths of the way between them.
    assert spread([0.001, 0.002]) == pytest.approx({"median": 1.5, "p90": 1.9, "minimum": 1})
    assert spread([0.003]) == pytest.approx({"median": 3, "p90": 3, "minimum": 3})


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=60))
def test_spread_is_ordered(seconds):
    row = spread(seconds)
    assert row["minimum"] == pytest.approx(1e3 * min(seconds))
    assert row["minimum"] <= row["median"] <= row["p90"] * (1 + 1e-12)
    assert row["p90"] <= 1e3 * max(seconds) * (1 + 1e-12)


def test_the_ratio_is_the_median_of_each_rounds():
    # Ratios 0.5, 0.25 and 2; the ratio of the medians would be 1.
    row = compared({"float": [2, 4, 1], "int8": [1, 1, 2]})
    assert row["ratio"] == {"int8": 0.5}
    assert row["runs"] == 3
    assert row["milliseconds"]["float"]["median"] == 2000


def test_without_float_there_is_no_ratio():
    assert compared({"model.tflite": [1, 2]})["ratio"] == {}
    assert compared({"float": [1, 2]})["ratio"] == {}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    model = network()
    averages = measured(model)
    plain = quant(enabled=False)
    return {
        "float": convert(export_model(model, averages, plain, False)[0], "float"),
        "int8": convert(export_model(model, averages, quant())[0], "int8"),
    }


@pytest.mark.parametrize("given_inputs", [True, False])
def test_every_path_and_number_of_threads_has_a_row(files, given_inputs):
    chosen = settings(threads=(1, 2), runs=2, warmup=1, batch=3)
    report = measure(files, chosen, dict.fromkeys(files, images(3)) if given_inputs else None)
    assert [(row["kernels"], row["threads"]) for row in report["rows"]] == [
        (path, threads) for path in KERNELS for threads in (1, 2)
    ]
    assert report["bytes"] == {name: len(content) for name, content in files.items()}
    assert report["batch"] == 3 and report["cores"] >= 1 and report["processor"]
    for row in report["rows"]:
        assert row["runs"] == 2
        for name in files:
            assert list(row["milliseconds"][name]) == ["median", "p90", "minimum"]
            assert 0 < row["milliseconds"][name]["minimum"] <= row["milliseconds"][name]["p90"]
        assert set(row["ratio"]) == {"int8"}
    assert json.loads(json.dumps(report)) == report


def test_figures_come_from_the_clock(files):
    ticks = iter(range(10_000))
    report = measure(files, settings(kernels=("builtin",), seconds=1e9), clock=lambda: next(ticks))
    (row,) = report["rows"]
    assert row["milliseconds"]["int8"] == {"median": 1000, "p90": 1000, "minimum": 1000}
    assert row["ratio"] == {"int8": 1}


def from_function(function, *specs, custom=False) -> bytes:
    traced = tf.function(function).get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    converter.allow_custom_ops = custom
    return converter.convert()


def test_a_path_that_cannot_run_a_file_says_so(files, monkeypatch):
    whole = LiteFile.load

    def load(self, inputs):
        if self.path == "xnnpack":
            raise RuntimeError("no such operator\nmore lines")
        whole(self, inputs)

    start = LiteFile.__init__

    def remember(self, content, kernels="xnnpack", threads=1):
        self.path = kernels
        start(self, content, kernels, threads)

    monkeypatch.setattr(LiteFile, "load", load)
    monkeypatch.setattr(LiteFile, "__init__", remember)
    report = measure(files, settings(runs=1), dict.fromkeys(files, images(1)))
    assert report["rows"][0] == {
        "kernels": "xnnpack",
        "threads": 1,
        "error": "no such operator more lines",
    }
    assert ["error" in row for row in report["rows"]] == [True, False, False]


def test_a_file_with_an_operator_that_the_runtime_lacks_is_refused():
    spec = tf.TensorSpec((1, 3, 3), tf.float32)
    content = from_function(lambda x: tf.linalg.det(x), spec, custom=True)
    with pytest.raises(QbenchError, match=r"cannot run this file: .*custom op"):
        measure({"file": content}, settings(runs=1))


def test_inputs_of_any_number_and_type_are_made_up():
    table = tf.random.normal((7, 4))
    specs = [
        tf.TensorSpec((1, 5), tf.int32, name="words"),
        tf.TensorSpec((1, 5, 4), tf.float32, name="more"),
        tf.TensorSpec((), tf.bool, name="flag"),
    ]
    content = from_function(
        lambda words, more, flag: tf.gather(table, words) * more + tf.cast(flag, tf.float32), *specs
    )
    report = measure({"file": content}, settings(runs=1, kernels=("builtin",)))
    assert "error" not in report["rows"][0]


def test_another_batch_than_the_fixed_one_is_refused():
    content = from_function(lambda x: 2 * x, tf.TensorSpec((2, 3), tf.float32))
    assert measure({"file": content}, settings(runs=1, batch=2))["rows"]
    assert measure({"file": content}, settings(runs=1))["rows"]
    with pytest.raises(QbenchError, match=r"batch=4: the input .* is fixed at \[2, 3\]"):
        measure({"file": content}, settings(runs=1, batch=4))


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_made_up_inputs_are_the_same_each_time(files, kind):
    def filled():
        file = LiteFile(files[kind], "builtin")
        file.fill(2)
        (entry,) = file._interpreter.get_input_details()
        return np.array(file._interpreter.get_tensor(entry["index"]))

    assert filled().shape[0] == 2
    np.testing.assert_array_equal(filled(), filled())
    assert len(np.unique(filled())) > 50


WRONG = [
    ({"threads": ()}, "threads"),
    ({"threads": (0,)}, "threads=0"),
    ({"threads": ("two",)}, "threads=two"),
    ({"threads": 2}, "threads=2"),
    ({"kernels": ("xnpack",)}, "kernels"),
    ({"kernels": ("builtin", "builtin")}, "without repeats"),
    ({"batch": 0}, "batch=0"),
    ({"runs": 0}, "runs=0"),
    ({"runs": 2.5}, "runs=2.5"),
    ({"warmup": 0}, "warmup=0"),
    ({"seconds": -1}, "seconds=-1"),
]


@pytest.mark.parametrize(("values", "named"), WRONG, ids=str)
def test_wrong_settings_are_refused(values, named):
    with pytest.raises(QbenchError, match=named):
        settings(**values)
