"""The whole quick study."""

import pandas as pd
import pytest

from qbench.cli.main import main


@pytest.mark.slow
def test_the_sweep_gives_the_sixteen_rows_with_sound_figures(tmp_path):
    assert main(["sweep", "study=digits", f"out={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "table.csv").set_index("configuration")
    assert len(table) == 16
    assert set(table["status"]) == {"ok"}
    assert table.loc["baseline", "accuracy"] >= 97
    assert table.loc["baseline", "size_mb"] == pytest.approx(4 * table.loc["default", "size_mb"])
    # 32 bits are next to no quantization; 4 bits must cost something.
    assert abs(table.loc["quant.bits=32", "loss"] - table.loc["baseline", "loss"]) < 1e-3
    assert table.loc["quant.bits=4", "loss"] > table.loc["default", "loss"]
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    stems = ("fig2_delay", "fig3_op", "fig4_range", "fig5_placement")
    assert figures == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}
