from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantize_strategies import PROFILE
from quantize_training import experiment

from qbench.training.loop import train


class Recorder:
    """Stands in for a network: notes the phase and the number of every step."""

    def __init__(self):
        self.steps = []

    def enter(self, scheme, phases, seed, step):
        """The scheme of these runs sets nothing."""

    def step_in(self, scheme, phase):
        def step(indices, seed, number):
            self.steps.append((phase == "quantized", int(number)))
            return 1.0

        return step


class Images:
    train_images = range(100)


def recorded(chosen):
    recorder = Recorder()
    history = train(recorder, chosen, Images, lambda *_: None)
    return recorder.steps, history


@pytest.mark.parametrize(
    ("delay", "steps", "start"),
    [
        (0.07, 100, 7),  # 7.000000000000001 in floating point
        (0.29, 100, 29),  # 28.999999999999996
        (0.8, 1000, 800),
        (0.55, 10, 6),
        (0.001, 10, 1),
        (0, 10, 0),
        (1, 10, 10),
        (1e-05, 200000, 2),
    ],
)
def test_quantization_start(delay, steps, start):
    chosen = experiment(quant={"delay": delay}, train={"steps": steps})
    assert chosen.quantization_start == start


@PROFILE
@given(st.integers(0, 8), st.data(), st.integers(1, 1_000_000))
def test_quantization_start_is_the_ceiling_of_the_decimal(places, data, steps):
    numerator = data.draw(st.integers(0, 10**places))
    chosen = experiment(quant={"delay": numerator / 10**places}, train={"steps": steps})
    assert chosen.quantization_start == math.ceil(Fraction(numerator, 10**places) * steps)


def test_a_float_run_never_starts():
    chosen = experiment(quant={"enabled": False, "delay": 0.1}, train={"steps": 30})
    assert chosen.quantization_start == 30


@PROFILE
@given(st.integers(0, 100), st.integers(1, 120))
def test_the_switch_happens_at_the_ceiling(percent, steps):
    chosen = experiment(quant={"delay": percent / 100}, train={"steps": steps})
    done, history = recorded(chosen)
    start = math.ceil(Fraction(percent, 100) * steps)
    assert done == [(number >= start, number) for number in range(steps)]
    assert [row["step"] for row in history] == list(range(1, steps + 1))
    phases = ["float"] * start + ["quantized"] * (steps - start)
    assert [row["phase"] for row in history] == phases


@PROFILE
@given(st.integers(0, 60), st.integers(1, 60), st.integers(1, 20))
def test_no_history_row_reaches_over_the_switch(start, rest, every):
    steps = start + rest
    train_settings = {"steps": steps, "log_every": every}
    # start / steps as a decimal with so many digits that its ceiling is start
    delay = math.floor(start / steps * 10**6) / 10**6
    chosen = experiment(quant={"delay": delay}, train=train_settings)
    assert chosen.quantization_start == start
    _, history = recorded(chosen)
    ends = {
        "float": [min(k + every, start) for k in range(0, start, every)],
        "quantized": [min(k + every, steps) for k in range(start, steps, every)],
    }
    for phase, expected in ends.items():
        assert [row["step"] for row in history if row["phase"] == phase] == expected


def test_a_disabled_run_is_float_throughout():
    done, history = recorded(experiment(quant={"enabled": False}, train={"steps": 5}))
    assert done == [(False, number) for number in range(5)]
    assert {row["phase"] for row in history} == {"float"}
