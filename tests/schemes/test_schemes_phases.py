"""The phases of a run as a list: which begin where, and what a list must be."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from toy_schemes import TOYS, registered

from qbench.base.errors import QbenchError
from qbench.config.quant import Quant
from qbench.planning.identity import phases
from qbench.schemes import Scheme
from qbench.schemes.phases import PhaseEnd, Span, beginning, spans, tail

ENDS = [("float", 4), ("a", 4), ("b", 8), ("c", 8), ("d", 10), ("e", 10), ("f", 10)]
PHASES = [PhaseEnd(*one) for one in ENDS]


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


def test_a_phase_begins_where_the_one_before_it_ends() -> None:
    found = spans(PHASES)
    assert found[0] == Span("float", 0, 4) and found[2] == Span("b", 4, 8)
    assert [one.first for one in found] == [0, 4, 4, 8, 8, 10, 10]


@pytest.mark.parametrize(
    ("phase", "step", "begin"),
    [
        ("float", 0, ()),
        ("float", 3, ()),
        ("b", 4, ("a", "b")),
        ("b", 5, ()),
        ("d", 8, ("c", "d")),
        ("d", 9, ()),
    ],
)
def test_phases_begin_at_the_first_step_only(phase: str, step: int, begin: tuple[str, ...]) -> None:
    assert beginning(PHASES, phase, step) == begin


def test_phases_without_steps_at_the_end_begin_before_the_evaluation() -> None:
    assert tail(PHASES) == ("e", "f")
    assert tail(PHASES[:3]) == ()
    assert tail([PhaseEnd("float", 4), PhaseEnd("a", 4)]) == ("a",)
    assert tail([PhaseEnd("float", 4)]) == ()
    with pytest.raises(ValueError, match="g is no phase"):
        beginning(PHASES, "g", 4)


@pytest.mark.parametrize(
    "ends",
    [
        [("a", 10), ("a", 10)],
        [("float", 10)],
        [("a", 3), ("b", 10)],
        [("a", 8), ("b", 6), ("c", 10)],
        [("a", 8), ("b", 11)],
        [("a", 7.0), ("b", 10)],
        [],
    ],
    ids=str,
)
def test_a_list_that_is_none_is_one_sentence(ends: list[tuple[str, int]]) -> None:
    class Wrong(Scheme):
        def phases(self, start: int, end: int) -> tuple[PhaseEnd, ...]:
            return tuple(PhaseEnd(*one) for one in ends)

    quantization = Quant().quantization
    assert quantization is not None
    with pytest.raises(QbenchError, match=r"^scheme Wrong: its phases"):
        Wrong(quantization).checked_phases(4, 10)


def test_an_argument_counts_from_its_first_phase_on() -> None:
    kind = TOYS["powers"]
    scheme = kind.build(Quant())
    assert kind.arguments_in(scheme, "half", {}) == {}
    assert kind.arguments_in(scheme, "second", {"second": 0.6}) == {"second": 0.6}
    every = {"second": 0.75, "third": 0.9, "finish": False}
    assert kind.arguments_in(scheme, "third", {"third": 0.9}) == every


def test_a_phase_without_steps_is_part_of_the_next_one() -> None:
    """Three steps are too few for three phases of a third of two steps each."""
    from qbench.config.experiment import Experiment

    def found(second: float) -> list[tuple[str, str, int]]:
        scheme = {"name": "powers", "second": second}
        experiment = Experiment.from_config(
            {
                "data": {"name": "digits"},
                "model": {"name": "resnet8"},
                "quant": {"delay": 0.8, "scheme": scheme},
                "train": {
                    "steps": 10,
                    "batch_size": 4,
                    "learning_rate": 0.1,
                    "optimizer": {"name": "sgd"},
                    "schedule": {"name": "constant"},
                },
                "eval": {},
            }
        )
        return [(one.name, one.content, one.end) for one in phases(experiment, None)]

    one, two = found(0.75), found(0.6)
    assert [(name, end) for name, _, end in one] == [("float", 8), ("third", 10)]
    assert '["half", {' in one[1][1] and '["second", {' in one[1][1]
    assert one[0] == two[0] and one[1] != two[1]
    assert json.dumps(json.loads(one[1][1]), sort_keys=True) == one[1][1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"thrid": 1}, "quant.scheme.thrid is not a setting of powers; choose with quant/scheme"),
        ({"third": 2}, "quant.scheme.third=2 is not allowed"),
        ({"finish": 1}, "quant.scheme.finish=1 is not allowed"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(QbenchError, match=says):
        Quant(scheme={"name": "powers", **arguments})


def test_what_phases_gives_is_one_sentence_whatever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    quantization = Quant().quantization
    assert quantization is not None
    scheme = Scheme(quantization)
    monkeypatch.setattr(Scheme, "phases", lambda self, start, end: start / 0)
    failed = rf"^scheme Scheme: phases failed at {__file__}:\d+ \(ZeroDivisionError: "
    with pytest.raises(QbenchError, match=failed):
        scheme.checked_phases(4, 10)
    monkeypatch.setattr(Scheme, "phases", lambda self, start, end: None)
    with pytest.raises(QbenchError, match=r"^scheme Scheme: phases gives None; expected PhaseEnd"):
        scheme.checked_phases(4, 10)
