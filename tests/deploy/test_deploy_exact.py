"""Which tensors of a file are not those of the simulation, read from the file."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import unusual_networks as unusual
from deploy_examples import DEPLOY, exported_file, inputs_of, measured, quant, settled
from keras import layers, ops

from qbench.deploy.exactness import Comparer
from qbench.deploy.export import export_model
from qbench.deploy.lite import LiteFile, convert
from qbench.deploy.simulation import Simulation
from qbench.models import build_model
from qbench.models.separate import separated
from qbench.tasks.classification import Classification

TEN = Classification(10)
SHAPE = (8, 8, 3)
ONLY_IN_TRAINING = ("dropout", "spatial_dropout", "gaussian_noise")


def untied(image):
    """Branches of three ranges: the converter puts them all on the concatenation's grid."""
    one = layers.Conv2D(4, 1, activation="relu", name="one")(image)
    two = layers.Conv2D(4, 3, padding="same", name="two")(image)
    return layers.Concatenate(name="both")([one, two])


def dropped(image):
    x = layers.Dropout(0.3)(unusual.block(image, 4))
    y = layers.GaussianNoise(0.1)(layers.Conv2D(4, 3, padding="same", name="inner")(x))
    return layers.SpatialDropout2D(0.2)(layers.Add()([x, y]))


def shared_with_an_average_pool(x, *more):
    """A convolution and an average pool of one tensor, as in Inception; convolutions of more."""
    average = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    blocks = [unusual.block(each, 4) for each in (x, average, *more)]
    return unusual.block(layers.Concatenate()(blocks), 4)


def pooled(image):
    return shared_with_an_average_pool(layers.MaxPooling2D(2)(unusual.block(image, 4)))


def pooled_and_dropped(image):
    x = layers.MaxPooling2D(2)(unusual.block(image, 4))
    return shared_with_an_average_pool(layers.Dropout(0.5)(x))


def dropped_and_pooled(image):
    x = layers.Dropout(0.5)(unusual.block(image, 4))
    return shared_with_an_average_pool(layers.MaxPooling2D(2)(x))


def dropped_for_each(image):
    """The convolution and the average pool of one max pool, each behind a dropout of its own."""
    x = layers.MaxPooling2D(2)(unusual.block(image, 4))
    average = layers.AveragePooling2D(3, strides=1, padding="same")(layers.Dropout(0.5)(x))
    convolved = unusual.block(layers.Dropout(0.5)(x), 4)
    return unusual.block(layers.Concatenate()([convolved, unusual.block(average, 4)]), 4)


def dropped_only(image):
    return shared_with_an_average_pool(layers.Dropout(0.5)(unusual.block(image, 4)))


def enlarged(image):
    return shared_with_an_average_pool(layers.UpSampling2D(2)(unusual.block(image, 4)))


def first_part(image):
    one, two = ops.split(unusual.block(image, 4), 2, axis=-1)
    return shared_with_an_average_pool(one, two)


def last_part(image):
    one, two = ops.split(unusual.block(image, 4), 2, axis=-1)
    return shared_with_an_average_pool(two, one)


def only_part(image):
    """Nothing reads the other part, so that each part is cut out by itself."""
    return shared_with_an_average_pool(ops.split(unusual.block(image, 4), 2, axis=-1)[1])


def dropped_before(reader):
    """Dropout between an activation and an operator whose output is on the grid of its input."""

    def body(image):
        x = layers.Dropout(0.5)(unusual.block(image, 4))
        return unusual.block(layers.Concatenate()([reader(x), reader(x)]), 4)

    return body


def by_operations(image):
    """Padding, pools, transposition, slicing and stacking as operations of keras.ops."""
    x = ops.pad(unusual.block(image, 4), [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = ops.average_pool(unusual.block(ops.max_pool(x, 2), 4), 2)
    x = ops.transpose(x, (0, 2, 1, 3))[..., :4]
    return ops.reshape(x, (-1, *x.shape[1:3], 2, 2))[..., 0]


def upsampled(image):
    return unusual.block(layers.UpSampling2D(2)(unusual.block(image, 4, 2)), 4)


def gated(image):
    """Squeeze and excitation with a sigmoid inside a dense layer."""
    x = unusual.block(image, 4)
    gate = layers.Dense(4, activation="sigmoid", name="gate")(layers.GlobalAveragePooling2D()(x))
    return unusual.block(layers.Multiply(name="gated")([x, layers.Reshape((1, 1, 4))(gate)]), 4)


def slopes_twice(image):
    slopes = layers.PReLU("uniform", shared_axes=[1, 2])
    return slopes(layers.Conv2D(4, 3)(slopes(layers.Conv2D(4, 3)(image))))


def dense_twice(image):
    shared = layers.Dense(4)
    x = shared(layers.GlobalAveragePooling2D()(unusual.block(image, 4)))
    return layers.Reshape((1, 1, 4))(shared(x))


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(7)


def called_twice(image):
    relu = layers.ReLU()
    x = relu(layers.Conv2D(4, 3)(image))
    return relu(layers.Conv2D(4, 3)(x))


def network(body):
    image = keras.Input(SHAPE)
    return keras.Model(image, unusual.head(body(image), 5))


def compare(model, **values):
    """What differs, and what stays float, in the int8 file of a network."""
    chosen = quant(**{**DEPLOY, **values})
    averages = measured(settled(model), inputs_of(model))
    as_in_training(averages)
    content = convert(export_model(model, averages, chosen)[0], "int8")
    found = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
    graph = LiteFile(content, "builtin").graph()
    return found.differing(graph), found.float_tensors(graph), found.has_other_kernels(graph)


def as_in_training(averages):
    """Double the ranges of what dropout and noise make, as they do in training; how many it is."""
    rows = [k for k, name in enumerate(averages.tensors) if name.startswith(ONLY_IN_TRAINING)]
    ranges = averages.averages.numpy()
    ranges[rows] *= 2
    averages.averages.assign(ranges)
    return len(rows)


EXACT = [
    lambda: network(lambda image: unusual.block(image, 4)),
    lambda: network(dropped),
    lambda: network(dropped_before(layers.MaxPooling2D())),
    lambda: network(dropped_before(layers.UpSampling2D())),
    lambda: network(dropped_before(layers.GaussianNoise(0.1))),
    lambda: network(dropped_before(layers.AveragePooling2D(2))),
    lambda: network(dropped_before(layers.UpSampling2D(interpolation="bilinear"))),
    lambda: network(by_operations),
    lambda: network(upsampled),
    lambda: separated(network(gated)),
    lambda: network(called_twice),
    lambda: network(slopes_twice),
    lambda: network(dense_twice),
    lambda: unusual.concatenated_by_ops(SHAPE, 5),
    lambda: unusual.dropout(SHAPE, 5),
    lambda: unusual.prelu(SHAPE, 5),
    lambda: build_model("resnet8", {}, (32, 32, 3), TEN),
    lambda: build_model("mobilenet_v1", {"depth_multiplier": 0.125}, (32, 32, 3), TEN),
]


@pytest.mark.parametrize("build", EXACT)
def test_every_tensor_has_the_simulated_grid(build):
    assert compare(build()) == ([], [], False)


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_every_call_of_a_convolution_has_the_scales_of_its_kernel(granularity):
    def body(image):
        shared = layers.Conv2D(3, 3, padding="same")
        return layers.ReLU()(shared(layers.ReLU()(shared(image))))

    assert compare(network(body), granularity=granularity) == ([], [], False)


def test_a_concatenation_of_untied_branches_is_not_exact():
    differing, floats, _ = compare(network(untied))
    assert differing and set(differing) <= {"one", "two"}
    assert floats == []
    assert compare(network(untied), tie_inputs=True) == ([], [], False)


def test_what_a_file_leaves_out_is_not_called_moved():
    chosen, model = quant(**DEPLOY), network(dropped_before(layers.MaxPooling2D()))
    averages, content = exported_file(settled(model), chosen)
    assert as_in_training(averages) == 1
    found = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
    assert found.moved(LiteFile(content, "builtin").graph()) == []


@pytest.mark.parametrize(
    "body",
    [
        *(pooled, pooled_and_dropped, dropped_and_pooled, dropped_for_each, dropped_only),
        *(enlarged, first_part, last_part, only_part),
    ],
)
def test_what_is_passed_to_an_average_pool_and_others_is_on_a_grid(body):
    keras.utils.clear_session()
    assert compare(network(body), tie_inputs=True) == ([], [], False)


def test_branches_with_dropout_are_tied():
    """They share the range of what the file has: that before the dropout."""

    def body(image):
        dropped = [layers.Dropout(0.5)(unusual.block(image, 4, dilation_rate=k)) for k in (1, 2)]
        return unusual.block(layers.Concatenate()(dropped), 4)

    assert compare(network(body), tie_inputs=True) == ([], [], False)


def test_what_a_kernel_prescribes_is_concatenated_with_tied_branches():
    def body(image):
        x = unusual.block(image, 4)
        return layers.Concatenate()([layers.Conv2D(4, 1)(x), layers.Softmax()(x)])

    assert compare(network(body), tie_inputs=True) == ([], [], False)


@pytest.mark.parametrize(
    ("build", "layer", "operators"),
    [
        (unusual.normalization_first, "batch_normalization", "MUL, ADD"),
        (unusual.normalization_after_activation, "batch_normalization_1", "MUL, ADD"),
        (unusual.layer_normalization, "layer_normalization", "RSQRT"),
    ],
)
def test_float_tensors_are_named_with_their_operators(build, layer, operators):
    keras.utils.clear_session()
    differing, floats, _ = compare(build(SHAPE, 5))
    assert layer in differing
    assert any(part.startswith(f"{layer} (") and operators in part for part in floats)


def test_kernels_that_only_the_converter_quantizes_are_seen():
    keras.utils.clear_session()
    assert compare(unusual.own_layer(SHAPE, 5)) == (["own_convolution kernel"], [], True)


@pytest.mark.parametrize(
    "values",
    [
        {"granularity": "tensor"},
        {"weight_range": "op", "granularity": "tensor"},
        {"bits": 7},
        {"weight_bits": 4},
        {"op": "qdq_v2", "range_given": True},
    ],
    ids=str,
)
def test_grids_of_other_configurations_are_theirs(values):
    """The simulated steps are looked for, not those of eight bits a channel."""
    differing, floats, _ = compare(network(lambda image: unusual.block(image, 4)), **values)
    kernels = 2 * ("weight_range" in values)  # the op's grid has the code -128, the file's has not
    assert floats == []
    assert [name.partition(" ")[2] for name in differing] == ["kernel"] * kernels


def test_another_grid_than_the_simulated_one_is_named():
    """The file of one set of ranges against the simulation of another."""
    chosen = quant(**DEPLOY)
    model = settled(network(lambda image: unusual.block(image, 4)))
    averages, content = exported_file(model, chosen)
    graph = LiteFile(content, "builtin").graph()
    row = averages.tensors.index("image")
    ranges = averages.averages.numpy()
    ranges[row] *= 1.001
    averages.averages.assign(ranges)
    assert Comparer(model, Simulation(model, averages, chosen), averages.tensors).differing(
        graph
    ) == ["image"]
    kernel = model.layers[1].kernel
    kernel.assign(kernel * 1.001)
    changed = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
    assert changed.differing(graph) == ["image", f"{model.layers[1].name} kernel"]


def test_a_float_file_has_nothing_of_the_simulation():
    model = settled(network(lambda image: unusual.block(image, 4)))
    averages = measured(model, inputs_of(model))
    chosen = quant(**DEPLOY)
    graph = LiteFile(convert(model, "float"), "builtin").graph()
    differing = Comparer(model, Simulation(model, averages, chosen), averages.tensors).differing(
        graph
    )
    assert set(averages.tensors) - {"image"} <= set(differing)


def dense_then_relu(image):
    """The file names what a dense layer makes after the product, not after the activation."""
    x = layers.ReLU()(layers.Dense(8)(layers.Flatten()(image)))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(8)(x)))
    return layers.Dropout(0.2)(layers.Activation("relu")(layers.Dense(8)(x)))


def grouped(image):
    return layers.ReLU()(layers.Conv2D(4, 3, groups=2)(unusual.block(image, 4)))


def thrice(image):
    shared, x = layers.Conv2D(4, 3, padding="same"), unusual.block(image, 4)
    for _ in range(3):
        x = layers.ReLU()(shared(x))
    return x


@pytest.mark.parametrize("body", [grouped, thrice])
def test_kernels_without_a_name_are_found_by_their_steps(body):
    assert compare(network(body)) == ([], [], False)


def test_activations_behind_dense_layers_are_found():
    image = keras.Input(SHAPE)
    model = keras.Model(image, layers.Dense(5)(dense_then_relu(image)))
    assert compare(model) == ([], [], False)


def resized(image):
    x = layers.Resizing(11, 11, name="larger")(unusual.block(image, 4))
    return unusual.block(layers.ReLU()(x), 4)


def upsampled_linearly(image):
    x = layers.UpSampling2D(2, interpolation="bilinear", name="larger")(unusual.block(image, 4))
    return layers.ReLU()(x)


@pytest.mark.parametrize("body", [resized, upsampled_linearly])
def test_what_computes_on_its_inputs_grid_is_simulated_on_it(body):
    assert compare(network(body)) == ([], [], False)


def test_numbers_that_the_file_quantizes_are_named_as_constants():
    def body(image):
        x = unusual.block(image, 4)
        return layers.ReLU()(x + factors * unusual.block(x, 4))

    factors = 0.1  # a grid of its own holds one number exactly
    assert compare(network(body)) == ([], [], False)
    factors = keras.ops.convert_to_tensor(np.float32([0.1, 0.2, 0.3, 0.4]))
    differing, floats, others = compare(network(body))
    assert (differing, floats, others) == (["multiply_1 constant"], [], True)


def test_what_the_converter_moves_is_named_for_approximate_files_too():
    chosen = quant(placement=("conv", "activation"), bits=4)
    model = settled(network(untied))
    averages, content = exported_file(model, chosen)
    found = Comparer(model, Simulation(model, averages, chosen), averages.tensors)
    moved = found.moved(LiteFile(content, "builtin").graph())
    assert moved and set(moved) <= {"one", "two"}
