"""The rows of shipped studies that beside the default ones cross or restrict factors."""

from __future__ import annotations

from math import prod

import pytest

from qbench.cli.main import main
from qbench.planning.plan import Plan
from qbench.planning.segments import Tree


def _planned(monkeypatch: pytest.MonkeyPatch, study: str) -> Plan:
    plans: list[Plan] = []
    monkeypatch.setattr(
        "qbench.planning.forecast.print_forecast", lambda plan, *_: plans.append(plan)
    )
    assert main(["plan", f"study={study}"]) == 0
    return plans[0]


@pytest.mark.parametrize(
    ("study", "labels", "seeds", "steps"),
    [
        ("cifar10_resnet20", ["baseline", "default", "quant.bits=4"], 3, 16_800),
        ("cifar10_resnet8_long", ["baseline", "default"], 3, 56_160),
    ],
)
def test_few_rows_on_the_grid_of_int8_files(
    study: str, labels: list[str], seeds: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _planned(monkeypatch, study)
    assert [row.label for row in plan.rows] == labels
    assert len(plan.settings.seeds) == seeds
    assert plan.settings.base.quant.placement == ("deploy",)
    # The float runs are converted as well: quantized after training, for comparison.
    assert len(plan.deployed) == len(plan.runs)
    assert plan.settings.deploy.calibration == "representative"
    assert Tree([plan.phases(run, None) for run in plan.runs]).steps_shared == steps


@pytest.mark.parametrize(
    ("study", "bits", "seeds", "steps", "ensembles"),
    [
        # A float trunk for each seed, and half of the 4,000 steps for each quantized row.
        ("vgg", (8, 2, 3, 4, 5, 6, 7, 9), 3, 3 * (4000 + 8 * 2000), 0),
        ("vgg_ensembles", (8, 4), 9, 9 * (4000 + 2 * 2000), 3 * 6 * 9),
        ("vgg_large", (8, 4), 5, 5 * (4000 + 2 * 2000), 0),
        ("vgg16", (8, 2, 3, 4, 5, 6, 7, 9), 1, 370_000 + 8 * 74_000, 0),
    ],
)
def test_powers_of_two_beside_float(
    study: str,
    bits: tuple[int, ...],
    seeds: int,
    steps: int,
    ensembles: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = _planned(monkeypatch, study)
    assert [row.label for row in plan.rows][:2] == ["baseline", "default"]
    quantized = [row.experiment.quant for row in plan.rows[1:]]
    assert tuple(quant.bits for quant in quantized) == bits
    assert {(quant.scheme.name, quant.activation_bits) for quant in quantized} == {("inq", "float")}
    assert len(plan.settings.seeds) == seeds
    assert plan.settings.stats.reference == "baseline"  # the claim is about gains over float
    assert sum(len(row.runs) for row in plan.derived) == ensembles
    assert Tree([plan.phases(run, None) for run in plan.runs]).steps_shared == steps


def test_the_small_networks_of_imagenet_each_have_a_float_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = _planned(monkeypatch, "vgg_small")
    found = [
        (row.experiment.model.arguments["convolutions"], quant.enabled and quant.bits)
        for row in plan.rows
        for quant in [row.experiment.quant]
    ]
    assert sorted(found) == [(5, False), (5, 4), (5, 8), (8, False), (8, 4), (8, 8)]


@pytest.mark.parametrize(
    ("study", "levels", "steps"),
    [
        (
            "interactions",
            {
                "quant.bits": (8, 6, 5, 4, 3),
                "quant.rounding": ("half_to_even", "half_up"),
                "quant.placement": (("conv", "activation"), ("conv", "activation", "add")),
                "quant.delay": (0.8, 0.6, 0.4),
            },
            80_000,
        ),
        ("ties", {"quant.tie_inputs": (False, True), "quant.bits": (8, 4)}, 5_760),
    ],
)
def test_all_combinations_and_a_float_row(
    study: str, levels: dict[str, tuple[object, ...]], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _planned(monkeypatch, study)
    assert len(plan.rows) == 1 + prod(map(len, levels.values()))
    assert [row.reason for row in plan.rows] == [None] * len(plan.rows)
    assert plan.settings.seeds == tuple(range(8))
    quantized = [row.experiment.quant for row in plan.rows if row.experiment.quant.enabled]
    for key, expected in levels.items():
        name = key.removeprefix("quant.")
        assert {getattr(quant, name) for quant in quantized} == set(expected)
    assert len(set(quantized)) == len(quantized)
    assert Tree([plan.phases(run, None) for run in plan.runs]).steps_shared == steps


def test_ranges_that_are_tied_are_averages_of_the_inputs_of_adds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quant = _planned(monkeypatch, "ties").settings.base.quant
    assert quant.range_given and "add" in quant.placement
