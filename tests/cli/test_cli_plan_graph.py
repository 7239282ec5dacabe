import pytest

from qbench.cli.main import main


def _plan(capsys, *arguments):
    assert main(["plan", "study=digits", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def _runs(lines):
    """The lines of the runs: between the heading and the blank line before the segments."""
    return lines[1 : lines.index("")]


def _tree(lines):
    """The lines of the segments: between their heading and the next blank line."""
    below = lines[lines.index("") + 1 :]
    assert below[0] == "segments (steps, in how many runs):"
    return below[1 : below.index("")]


def test_plan_has_a_line_a_run_with_its_steps(capsys):
    lines = _plan(capsys, "train.steps=350000")
    assert len(_runs(lines)) == 16
    assert lines[1].split() == ["1", "baseline", "0", "350,000", "0"]
    assert lines[2].split() == ["2", "default", "0", "280,000", "70,000"]
    assert lines[12].split() == ["12", "quant.delay=0.4", "0", "140,000", "210,000"]
    # Baseline + 10 rows at 80 % + the five other delays, in units of 350,000 steps.
    (summary,) = [line for line in lines if line.startswith("digits, ofat: ")]
    assert f"16 configurations, 16 runs, {16 * 350_000:,} steps;" in summary


def test_plan_has_the_tree_of_segments_below_the_runs(capsys):
    lines = _plan(capsys, "train.steps=350000", "design.factors=[quant.bits,quant.delay]")
    assert len(lines) == 1 + 10 + 2 + 16 + 1 + 2
    tree = [" ".join(line.split()) for line in _tree(lines)]
    assert tree[:4] == [
        "float 0 to 140,000 x10",
        "quantized 140,000 to 350,000 x1 quant.delay=0.4",
        "float 140,000 to 175,000 x9",
        "quantized 175,000 to 350,000 x1 quant.delay=0.5",
    ]
    assert tree[8:] == [
        "float 245,000 to 280,000 x6",
        "quantized 280,000 to 350,000 x1 default",
        *(f"quantized 280,000 to 350,000 x1 quant.bits={bits}" for bits in (4, 16, 32)),
        "float 280,000 to 315,000 x2",
        "quantized 315,000 to 350,000 x1 quant.delay=0.9",
        "float 315,000 to 350,000 x1 baseline",
    ]
    assert "longest run: 350,000" in lines[-1]


def test_without_sharing_every_run_has_segments_of_its_own(capsys):
    lines = _plan(capsys, "share=false", "design.factors=[quant.bits]")
    assert len(_runs(lines)) == 5
    assert [line.split()[4] for line in _tree(lines)] == ["x1"] * 9


def test_a_moved_default_is_the_level_all_others_vary_around(capsys):
    lines = _plan(capsys, "quant.bits=4")
    labels = [line.split()[1] for line in _runs(lines)]
    assert "quant.bits=8" in labels
    assert "quant.bits=4" not in labels
    assert len(labels) == 16


def test_given_levels_replace_the_papers(capsys):
    lines = _plan(capsys, "quant.bits=8,2,3,4", "design.factors=[quant.bits,quant.delay]")
    labels = [line.split()[1] for line in _runs(lines)]
    assert labels == [
        "baseline",
        "default",
        *(f"quant.bits={bits}" for bits in (2, 3, 4)),
        *(f"quant.delay={delay}" for delay in (0.4, 0.5, 0.6, 0.7, 0.9)),
    ]


def test_factorial_is_the_full_cross_product(capsys):
    lines = _plan(capsys, "design=factorial", "quant.bits=4,8,16", "quant.op=qdq_v2,fake_quant")
    assert len(_runs(lines)) == 6


def test_a_group_can_be_a_factor(capsys):
    lines = _plan(capsys, "design.factors=[]", "model=resnet_digits,resnet20")
    assert [line.split()[1] for line in _runs(lines)] == ["baseline", "default", "model=resnet20"]


def test_seeds_multiply_the_runs(capsys):
    lines = _plan(capsys, "seeds=[3,5]", "design.factors=[]")
    assert [line.split()[1:3] for line in _runs(lines)] == [
        ["baseline", "3"],
        ["baseline", "5"],
        ["default", "3"],
        ["default", "5"],
    ]


# The digits network: 9 convolutions, 1 dense layer, 7 ReLUs, 3 adds; the pooled tensor is the
# dense layer's input; of the adds' inputs 3 + 2 are batch norms and 1 is a ReLU.
GRAPHS = {
    "default": ([], "18 (10 conv kernel, 7 activation tensor, 1 conv tensor)"),
    "with adds": (
        ["quant.placement=[conv,activation,add]"],
        "23 (10 conv kernel, 7 activation tensor, 5 add tensor, 1 conv tensor)",
    ),
    "adds alone": (["quant.placement=[add]"], "6 (6 add tensor)"),
    "float": (["quant=none"], "0"),
}


@pytest.mark.parametrize(("overrides", "count"), GRAPHS.values(), ids=GRAPHS.keys())
def test_graph_counts_what_was_inserted(overrides, count, capsys):
    assert main(["graph", "study=digits", "threads=2", *overrides]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"quantization ops: {count}" in lines
    assert lines[-1] == "network ops: 9 Conv2D, 1 MatMul, 7 Relu, 3 residual Add"


def test_graph_says_op_bits_and_range(capsys):
    assert (
        main(["graph", "study=digits", "threads=2", "quant.op=fake_quant", "quant.weight_bits=4"])
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    kernel = next(line for line in lines if "stem kernel" in line)
    tensor = next(line for line in lines if "stem_relu" in line)
    op = "FakeQuantWithMinMaxVars"
    assert " ".join(kernel.split()) == f"conv stem kernel {op} 4 current minimum and maximum"
    assert " ".join(tensor.split()) == f"activation stem_relu {op} 8 moving average"


GATED = """
import keras
from keras import layers


def build(shape, classes):
    image = keras.Input(shape)
    x = layers.Conv2D(2, 3, activation="silu", name="conv")(image)
    gate = layers.Dense(2, activation="sigmoid", name="gate")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(classes)(layers.Flatten()(x * gate[:, None, None])))
"""


def test_graph_lists_prescribed_grids_and_gates(capsys, tmp_path):
    (tmp_path / "gated.py").write_text(GATED)
    model = f"model={tmp_path}/gated.py:build"
    assert main(["graph", "study=digits", "threads=2", "quant=deploy", model]) == 0
    said = capsys.readouterr().out
    for tensor in ("conv.silu gate", "gate.sigmoid"):
        (line,) = [line for line in said.splitlines() if f" {tensor} " in f" {line} "]
        assert "prescribed by the kernel" in line and "FakeQuantWithMinMaxArgs" in line
