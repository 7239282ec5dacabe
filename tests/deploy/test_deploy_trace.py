"""Files against their simulation, tensor by tensor."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from deploy_examples import DEPLOY, depthwise, images, measured, network, quant, residual
from integer_networks import flat
from keras import layers, ops

from qbench.deploy import trace
from qbench.deploy.convert import fixed
from qbench.deploy.export import export_model
from qbench.deploy.inputs import Inputs
from qbench.deploy.lite import TRACEABLE, LiteFile, convert
from qbench.quantize.analysis import analyse

TENSORS = ["image", "stem_relu", "left_bn", "right", "sum_relu", "mean", "logits"]


def traced(chosen, spoil=None, kernels="reference", build=residual, size=64):
    model = network(build)
    averages = measured(model)
    graph, _ = export_model(model, averages, chosen, chosen.enabled)
    kind = "int8" if chosen.enabled else "float"
    file = LiteFile(convert(graph, kind), kernels, keep_all=True)
    if spoil:
        spoil(model)
    simulated = trace.simulation(model, fixed(chosen), averages)
    batches = [Inputs(*[images()[k : k + size]] * 3) for k in range(0, 64, size)]
    return trace.compare(simulated, file, batches, trace.names_in_file(model))


@pytest.mark.parametrize("kernels", TRACEABLE)
@pytest.mark.parametrize("values", [DEPLOY, {}], ids=str)
def test_every_tensor_is_found_and_agrees(values, kernels):
    compared = traced(quant(**values), kernels=kernels)
    rows = compared.rows
    assert [row.name for row in rows] == TENSORS
    assert all(row.mean < 0.6 for row in rows)
    if values == DEPLOY:
        assert all(row.largest < 2.1 for row in rows)
        assert rows[0].largest == pytest.approx(0, abs=1e-3)
    # Max pooling passes on what it reads, on the same grid.
    assert (compared.missing, compared.tensors, compared.unmatched) == ([], 8, 1)


@pytest.mark.parametrize("name", ["stem_relu", "right", "sum_relu", "logits"])
def test_the_first_tensor_that_differs_is_named(name):
    """A bias that is larger in the simulation than in the file."""
    layer = {"stem_relu": "stem_bn", "sum_relu": "left_bn"}.get(name, name)

    def spoil(model):
        found = model.get_layer(layer)
        bias = getattr(found, "bias", None)
        bias = found.beta if bias is None else bias
        bias.assign(np.asarray(bias) + 0.5)

    first = trace.first_apart(traced(quant(**DEPLOY), spoil).rows)
    assert first is not None
    assert first.name == {"sum_relu": "left_bn"}.get(name, name)


def test_none_differs_where_all_are_within_a_step():
    rows = [trace.Compared("a", 0.1, 1.0, 0.1, 1.0), trace.Compared("b", 0.1, 0.0, 0.0, 0.0)]
    assert trace.first_apart(rows) is None
    assert trace.first_apart([*rows, trace.Compared("c", 0.1, 2.0, 0.1, 1.0)]).name == "c"


def test_a_float_file_has_no_steps():
    rows = traced(quant(enabled=False)).rows
    assert [row.name for row in rows] == TENSORS
    assert all(row.step == 0 and row.largest < 1e-3 for row in rows)


def test_batches_add_up():
    """Largest, mean and share are those of all images at once, but for the order of additions."""
    whole, parts = traced(quant(**DEPLOY)), traced(quant(**DEPLOY), size=10)
    for one, other in zip(whole.rows, parts.rows, strict=True):
        assert (other.name, other.step) == (one.name, one.step)
        assert other.largest == pytest.approx(one.largest, abs=1e-3)
        assert other.mean == pytest.approx(one.mean, abs=1e-3)
        assert other.apart == pytest.approx(one.apart, abs=0.2)


# A network, its tensors, and how many others its file has: a tensor on the grid of what it is
# concatenated to, a pool on its input's grid, a reshape.
NETWORKS = {
    "depthwise": (depthwise, 5, 0),
    "flatten": (flat, 6, 3),
}


@pytest.mark.parametrize("values", [DEPLOY, pytest.param({}, marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize(("build", "tensors", "others"), NETWORKS.values(), ids=NETWORKS)
def test_other_networks_are_found_whole(build, tensors, others, values):
    """Whatever Keras calls their layers, `re_lu` and `re_lu_1` among them."""
    keras.backend.clear_session()
    compared = traced(quant(**values), build=build)
    assert compared.missing == []
    assert (len(compared.rows), compared.unmatched) == (tensors, others)
    assert all(row.mean < 1.2 for row in compared.rows)
    if values == DEPLOY:
        assert all(row.largest < 2.1 for row in compared.rows)
        # Averages of four codes are often ties, which an integer pool rounds away from code 0.
        until = -1 if build is flat else None
        assert all(row.mean < 0.4 for row in compared.rows[:until])


def test_tensors_of_another_network_are_missing():
    """A file that lacks what the simulation has is not passed over in silence."""
    model = network()
    averages = measured(model)
    graph, _ = export_model(model, averages, quant(**DEPLOY))
    file = LiteFile(convert(graph, "int8"), "reference", keep_all=True)
    known = trace.simulation(model, fixed(quant(**DEPLOY)), averages)

    def simulated(inputs):
        found = known(inputs)
        return {"elsewhere": found["logits"], **found, "mean": found["mean"][:, :1]}

    compared = trace.compare(
        simulated, file, [Inputs(*[images(4)] * 3)], trace.names_in_file(model)
    )
    assert compared.missing == ["elsewhere", "mean"]
    assert (len(compared.rows), compared.tensors, compared.unmatched) == (6, 8, 2)


def called_twice(image):
    """One convolution and one activation, each called two times."""
    convolution, relu = layers.Conv2D(2, 3, padding="same", name="conv"), layers.ReLU(name="relu")
    x = relu(convolution(relu(convolution(image))))
    return layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))


def dropped(image):
    """Two dropouts, which no file contains, each behind another kind of tensor."""
    x = layers.ReLU(name="relu")(layers.Conv2D(2, 3, padding="same", name="conv")(image))
    x = layers.Dropout(0.5, name="one")(x)
    x = layers.Dropout(0.5, name="two")(x + layers.Conv2D(2, 3, padding="same", name="c")(x))
    return layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))


def dropped_behind_a_second_call(image):
    """Dropout, which no file contains, behind the second call of an activation."""
    x, relu = image, layers.ReLU(name="relu")
    for name in ("one", "two"):
        x = relu(layers.Conv2D(2, 3, padding="same", name=name)(x))
    x = layers.Conv2D(2, 1, name="last")(layers.Dropout(0.5, name="drop")(x))
    return layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))


def kernels_twice(image):
    """A convolution, a folded normalization and a dense layer, each called two times, linear."""
    convolution, norm = layers.Conv2D(2, 3, name="conv"), layers.BatchNormalization(name="bn")
    x = norm(convolution(norm(convolution(image))))
    dense = layers.Dense(2, name="dense")
    x = dense(dense(layers.GlobalAveragePooling2D(name="mean")(x)))
    return layers.Dense(5, name="logits")(x)


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (called_twice, ["image", "relu", "relu.2", "mean", "logits"]),
        (dropped, ["image", "relu", "one", "c", "two", "mean", "logits"]),
        (
            dropped_behind_a_second_call,
            ["image", "relu", "relu.2", "drop", "last", "mean", "logits"],
        ),
        (kernels_twice, ["image", "bn", "bn.2", "mean", "dense", "dense.2", "logits"]),
    ],
)
def test_each_call_of_a_layer_is_found(build, names):
    compared = traced(quant(**DEPLOY), build=build)
    assert [row.name for row in compared.rows] == names
    assert compared.missing == []
    assert all(row.largest < 3.1 for row in compared.rows)


def test_identities_of_integers_and_of_lists_are_passed_over():
    def build(x):
        codes = layers.Identity(name="codes")(ops.cast(x, "int32"))
        one, two = layers.Identity(name="pair")([x, ops.cast(codes, "float32")])
        x = layers.Conv2D(2, 3, name="conv")(one + two)
        return layers.Dense(5)(layers.GlobalAveragePooling2D()(x))

    model = network(build)
    found = trace.names_in_file(model)
    assert found["codes"] == ["codes.grid", "codes", "codes.baked"]
    assert "pair.2" not in found
    assert "image" in analyse(model, fixed(quant(**DEPLOY))).tensors
