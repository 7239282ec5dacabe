"""How rows are compared: checked before training; rows that compute the same are known."""

from __future__ import annotations

from typing import Any

import config_examples as examples
import pytest

from qbench.base.errors import QbenchError
from qbench.cli.main import main
from qbench.cli.overrides import read
from qbench.planning.alike import alike_rows
from qbench.planning.designs import Row
from qbench.planning.identity import identity
from qbench.planning.stats import Stats, check_stats


def _rows(*changes: dict[str, Any]) -> list[Row]:
    base = examples.settings().base
    return [Row(str(number), one, base.with_values(one)) for number, one in enumerate(changes)]


def test_rounding_of_few_bits_computes_the_same() -> None:
    rows = _rows(
        {},
        {"quant.rounding": "half_up"},
        {"quant.bits": 16},
        {"quant.rounding": "half_up", "quant.bits": 16},
        {"quant.rounding": "half_up", "quant.weight_bits": 16},
        {"quant.delay": 0.5},
        {"quant.rounding": "half_up", "quant.delay": 0.5},
    )
    found = {label: known["alike"] for label, known in alike_rows(rows).items()}
    assert found == {"0": "0", "1": "0", "5": "5", "6": "5"}


def test_rows_of_other_data_do_not_compute_the_same() -> None:
    rows = _rows({}, {"quant.rounding": "half_up", "data.dir": "elsewhere"})
    assert alike_rows(rows) == {}


def test_a_comparison_counts_in_no_identity() -> None:
    other = examples.settings({"stats.reference": "baseline", "stats.margin": 2})
    assert identity(other.base) == identity(examples.settings().base)
    assert other.stats == Stats(reference="baseline", margin=2.0)


@pytest.mark.parametrize(
    ("chosen", "labels", "expected"),
    [
        (None, ["baseline", "default", "a"], "default"),
        (None, ["baseline", "a"], "baseline"),
        (None, ["a", "b"], "a"),
        (None, [], None),
        ("b", ["a", "b"], "b"),
        ("c", ["a", "b"], None),
    ],
)
def test_the_reference_of_a_table(
    chosen: str | None, labels: list[str], expected: str | None
) -> None:
    assert Stats(reference=chosen).reference_among(labels) == expected


def test_a_reference_that_is_no_row_is_refused() -> None:
    with pytest.raises(QbenchError, match=r"stats\.reference=c is .* row of the table: a, b\."):
        check_stats(Stats(reference="c"), ["a", "b"], [0])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["stats.reference=quant.bits=5"], "stats.reference=quant.bits=5 is not allowed"),
        (["stats.method=dunnett", "seeds=range(7)"], "not allowed with 7 seeds"),
        (["stats.margin=0.1,0.5"], "stats.margin: takes one value; it is not a factor."),
    ],
)
def test_a_plan_refuses_what_its_table_does_not_allow(
    overrides: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *overrides]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["quant.bits=4", "quant.placement=[conv,activation,add]"])
def test_a_row_is_typed_as_the_table_names_it(typed: str) -> None:
    assert read(f"stats.reference={typed}") == read(f'stats.reference="{typed}"')
    assert read(f"stats.reference={typed}")[1] == typed


def test_a_plan_takes_a_row_of_its_table() -> None:
    chosen = ["stats.reference=quant.bits=4", "stats.method=dunnett", "seeds=range(8)"]
    assert main(["plan", *chosen]) == 0
