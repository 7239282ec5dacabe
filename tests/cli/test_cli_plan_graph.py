import pytest

from qbench.cli import main


def _plan(capsys, *arguments):
    assert main(["plan", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_plan_has_a_line_a_run_with_its_steps(capsys):
    lines = _plan(capsys, "train.steps=350000")
    assert len(lines) == 1 + 16 + 1
    assert lines[1].split() == ["1", "baseline", "0", "350,000", "0"]
    assert lines[2].split() == ["2", "default", "0", "280,000", "70,000"]
    assert lines[12].split() == ["12", "quant.delay=0.4", "0", "140,000", "210,000"]
    # Baseline + 10 rows at 80 % + the five other delays, in units of 350,000 steps.
    assert f"{16 * 350_000:,} steps" in lines[-1]


def test_a_moved_default_is_the_level_all_others_vary_around(capsys):
    lines = _plan(capsys, "quant.bits=4")
    labels = [line.split()[1] for line in lines[1:-1]]
    assert "quant.bits=8" in labels
    assert "quant.bits=4" not in labels
    assert len(labels) == 16


def test_given_levels_replace_the_papers(capsys):
    lines = _plan(capsys, "quant.bits=8,2,3,4", "design.factors=[quant.bits,quant.delay]")
    labels = [line.split()[1] for line in lines[1:-1]]
    assert labels == [
        "baseline",
        "default",
        *(f"quant.bits={bits}" for bits in (2, 3, 4)),
        *(f"quant.delay={delay}" for delay in (0.4, 0.5, 0.6, 0.7, 0.9)),
    ]


def test_factorial_is_the_full_cross_product(capsys):
    lines = _plan(capsys, "design=factorial", "quant.bits=4,8,16", "quant.op=qdq_v2,fake_quant")
    assert len(lines) == 1 + 6 + 1


def test_a_group_can_be_a_factor(capsys):
    lines = _plan(capsys, "design.factors=[]", "model=resnet_digits,resnet20")
    assert [line.split()[1] for line in lines[1:-1]] == ["baseline", "default", "model=resnet20"]


def test_seeds_multiply_the_runs(capsys):
    lines = _plan(capsys, "seeds=[3,5]", "design.factors=[]")
    assert [line.split()[1:3] for line in lines[1:-1]] == [
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
    assert main(["graph", *overrides]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"quantization ops: {count}" in lines
    assert lines[-1] == "network ops: 9 Conv2D, 1 MatMul, 7 Relu, 3 residual Add"


def test_graph_says_op_bits_and_range(capsys):
    assert main(["graph", "quant.op=fake_quant", "quant.weight_bits=4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    kernel = next(line for line in lines if "stem kernel" in line)
    tensor = next(line for line in lines if "stem_relu" in line)
    op = "FakeQuantWithMinMaxVars"
    assert " ".join(kernel.split()) == f"conv stem kernel {op} 4 current minimum and maximum"
    assert " ".join(tensor.split()) == f"activation stem_relu {op} 8 moving average"
