"""Effects of crossed designs: by hand, and against statsmodels."""

from __future__ import annotations

import itertools
from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from qbench.base.errors import QbenchError
from qbench.statistics.factorial import Effects, effects

Cells = dict[tuple[int, ...], dict[int, float]]


def cells(levels: tuple[int, ...], seeds: int = 3, lacking: Any = ()) -> Cells:
    """Values by chance, with a shift of each seed."""
    random = np.random.default_rng(0)
    return {
        cell: {}
        if cell in lacking
        else {seed: float(random.normal() + 10 * seed) for seed in range(seeds)}
        for cell in itertools.product(*map(range, levels))
    }


def by_parts(found: Effects) -> dict[Any, Any]:
    return {one.parts: one for one in found.effects}


def test_effects_by_hand() -> None:
    # First factor: +2 at the default of the second one, +6 at its other level.
    own: Cells = {
        (0, 0): {0: 10.0, 1: 20.0},
        (1, 0): {0: 12.0, 1: 22.0},
        (0, 1): {0: 11.0, 1: 21.0},
        (1, 1): {0: 17.0, 1: 27.5},
    }
    found = by_parts(effects((2, 2), own))
    assert found[(0, 1),].by_seed == pytest.approx((4.0, 4.25))
    assert found[(0, 1),].estimate == pytest.approx(4.125)
    assert found[(1, 1),].by_seed == pytest.approx((3.0, 3.25))
    assert found[(0, 1), (1, 1)].by_seed == pytest.approx((4.0, 4.5))
    reach = t.ppf(1 - 0.05 / 3 / 2, 1) * (0.25 / sqrt(2)) / sqrt(2)
    bounds = found[(0, 1),].low, found[(0, 1),].high
    assert bounds == pytest.approx((4.125 - reach, 4.125 + reach))


def test_a_level_is_compared_with_the_default_level_over_all_others() -> None:
    own = {(i, j): {0: 10.0 * i * i + j + i * j} for i in range(3) for j in range(2)}
    found = by_parts(effects((3, 2), own))
    assert {parts: one.estimate for parts, one in found.items()} == pytest.approx(
        {
            ((0, 1),): 10.5,
            ((0, 2),): 41.0,
            ((1, 1),): 2.0,
            ((0, 1), (1, 1)): 1.0,
            ((0, 2), (1, 1)): 2.0,
        }
    )


def test_a_spread_below_the_step_of_the_values_is_not_believed() -> None:
    own = {(i, j): {0: 10.0 + 2 * i, 1: 20.0 + 2 * i} for i in range(2) for j in range(2)}
    assert all(one.low is None for one in effects((2, 2), own).effects)
    found = by_parts(effects((2, 2), own, resolution=0.5))
    # Weights of 1/2 and -1/2 for four runs, norm 1: half a step over sqrt(2), two seeds.
    reach = t.ppf(1 - 0.05 / 3 / 2, 1) * 0.25 / sqrt(2) / sqrt(2)
    bounds = found[(0, 1),].low, found[(0, 1),].high
    assert bounds == pytest.approx((2 - reach, 2 + reach))
    assert found[(0, 1),].deviation == 0


def test_one_seed_has_no_interval() -> None:
    found = effects((2, 2, 2), cells((2, 2, 2), seeds=1))
    assert all(one.low is None and one.pooled is None for one in found.effects)
    assert all(one.estimate is not None for one in found.effects)


def test_a_seed_without_all_combinations_is_left_out() -> None:
    own = cells((2, 2))
    complete = effects((2, 2), {cell: {0: one[0], 2: one[2]} for cell, one in own.items()})
    del own[0, 1][1]
    found = effects((2, 2), own)
    assert found.left_out == (1,) and found.seeds == (0, 2)
    assert found.effects == complete.effects
    for seed in (0, 2):
        del own[1, 1][seed]
    with pytest.raises(QbenchError, match="need a seed with a value for every combination"):
        effects((2, 2), own)


def test_effects_that_the_runs_cannot_show_have_no_value() -> None:
    found = effects((2, 2), cells((2, 2), lacking=[(1, 1)]))
    assert [one.estimate for one in found.effects] == [None] * 3
    three = effects((2, 2, 2), cells((2, 2, 2), lacking=[(1, 1, 0), (1, 1, 1)]))
    shown = {one.parts for one in three.effects if one.estimate is not None}
    # The third factor is crossed with three of the four combinations of the others.
    assert shown == {((2, 1),), ((0, 1), (2, 1)), ((1, 1), (2, 1))}
    assert three.family == 3 and three.lacking == ((1, 1, 0), (1, 1, 1))


def test_a_fraction_names_what_it_mixes() -> None:
    # Three factors in four runs; the third level is minus the product of the others.
    chosen = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    own = {cell: {0: float(k), 1: float(k * k)} for k, cell in enumerate(chosen)}
    found = effects((2, 2, 2), own)
    assert [one.term for one in found.effects] == [(0,), (1,), (2,)]
    assert [one.aliases for one in found.effects] == [
        ((-1, (1, 2)),),
        ((-1, (0, 2)),),
        ((-1, (0, 1)),),
    ]
    assert found.effects[0].by_seed == (2.0, 6.0)  # (2 + 3 - 0 - 1) / 2, (4 + 9 - 0 - 1) / 2
    assert found.degrees == 3


@pytest.mark.parametrize(
    ("levels", "lacking"), [((2, 2, 2), ()), ((3, 2), ()), ((2, 2, 2), [(1, 1, 1)])]
)
def test_pooled_intervals_are_those_of_statsmodels(levels: Any, lacking: Any) -> None:
    from statsmodels.regression.linear_model import OLS

    own = cells(levels, lacking=lacking)
    found = effects(levels, own)
    runs = [(cell, seed, value) for cell, one in own.items() for seed, value in one.items()]
    every = [parts for one in found.effects for parts in [one.parts]]

    def row(cell: Any, seed: int) -> list[float]:
        """Seeds, then levels and pairs of levels as 0 and 1."""
        blocks = [float(seed == number) for number in range(3)]
        return blocks + [float(all(cell[f] == x for f, x in parts)) for parts in every]

    model = OLS([value for *_, value in runs], [row(cell, seed) for cell, seed, _ in runs]).fit()
    assert model.df_resid == found.degrees
    for one in found.effects:
        others = [range(n) for factor, n in enumerate(levels) if factor not in one.term]
        count = np.prod([len(other) for other in others])
        weights = {
            cell: np.prod([(cell[f] == x) * 1.0 - (cell[f] == 0) for f, x in one.parts]) / count
            for cell in own
        }
        asked = sum(weight * np.array(row(cell, 0)) for cell, weight in weights.items())
        test = model.t_test(asked)
        assert one.estimate == pytest.approx(test.effect.item())
        bounds = test.conf_int(alpha=0.05 / found.family)[0]
        assert one.pooled == pytest.approx(tuple(bounds))
