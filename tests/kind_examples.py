"""For every kind of the table, networks in each form: from an image (6, 6, 4) to its output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import layers, ops

SHAPE = (6, 6, 4)
SEQUENCE = (36, 4)
Body = Callable[[Any], Any]


def convolved(x: Any, **options: Any) -> Any:
    """A tensor with both signs and a range of its own."""
    return layers.Conv2D(4, 3, padding="same", **options)(x)


def flat(x: Any) -> Any:
    return layers.Reshape(SEQUENCE)(x)


def volume(x: Any) -> Any:
    return layers.Reshape((6, 6, 2, 2))(x)


def activation(name: str) -> Body:
    return lambda x: layers.Activation(name)(x)


def operation(function: Callable[[Any], Any]) -> Body:
    return lambda x: function(x)


def two(function: Callable[[Any, Any], Any]) -> Body:
    return lambda x: function(x, convolved(x))


def three(kind: Any) -> Body:
    return lambda x: kind()([convolved(x), convolved(x), convolved(x)])


def twice(kind: Any, *given: Any) -> Body:
    def body(x: Any) -> Any:
        layer = kind(*given)
        return layer(layer(x))

    return body


# By kind, by the name of the class or function: a body. The first one is converted in every test.
EXAMPLES: dict[str, dict[str, Body]] = {
    "convolution": {
        "Conv2D": lambda x: layers.Conv2D(3, 3)(x),
        "Conv1D": lambda x: layers.Conv1D(3, 3, strides=2, padding="same")(flat(x)),
        "Conv2D dilated": lambda x: layers.Conv2D(3, 2, dilation_rate=2, activation="relu")(x),
        "Conv2D grouped": lambda x: layers.Conv2D(4, 3, groups=2)(x),
        "Conv1D causal": lambda x: layers.Conv1D(3, 3, padding="causal", dilation_rate=2)(flat(x)),
    },
    "depthwise convolution": {
        "DepthwiseConv2D": lambda x: layers.DepthwiseConv2D(3)(x),
        "DepthwiseConv2D dilated": lambda x: layers.DepthwiseConv2D(
            2, dilation_rate=2, padding="same", depth_multiplier=2, activation="relu"
        )(x),
        "DepthwiseConv1D": lambda x: layers.DepthwiseConv1D(3, strides=2, padding="same")(flat(x)),
        "DepthwiseConv1D normalized": lambda x: layers.BatchNormalization()(
            layers.DepthwiseConv1D(3, dilation_rate=2, depth_multiplier=2)(flat(x))
        ),
    },
    "separable convolution": {
        "SeparableConv2D": lambda x: layers.SeparableConv2D(
            3, 3, strides=2, padding="same", depth_multiplier=2
        )(x),
        "SeparableConv2D normalized": lambda x: layers.ReLU()(
            layers.BatchNormalization()(layers.SeparableConv2D(3, 3, use_bias=False)(x))
        ),
        "SeparableConv1D": lambda x: layers.SeparableConv1D(3, 3, activation="relu")(flat(x)),
    },
    "transposed convolution": {
        "Conv2DTranspose": lambda x: layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x),
        "Conv2DTranspose normalized": lambda x: layers.ReLU()(
            layers.BatchNormalization()(layers.Conv2DTranspose(3, 2, strides=2, use_bias=False)(x))
        ),
    },
    "dense layer": {
        "Dense": lambda x: layers.Dense(3)(layers.Flatten()(x)),
        "Dense of maps": lambda x: layers.Dense(3, activation="relu")(x),
        "Dense of sequences": lambda x: layers.Dense(3)(flat(x)),
        "Dense of maps called twice": twice(layers.Dense, 4),
    },
    "other products with kernels": {
        "Conv3D": lambda x: layers.Conv3D(2, 2)(volume(x)),
        "Conv1DTranspose": lambda x: layers.Conv1DTranspose(2, 2)(flat(x)),
        "Conv3DTranspose": lambda x: layers.Conv3DTranspose(2, 2)(volume(x)),
        "EinsumDense": lambda x: layers.EinsumDense("abcd,de->abce", (6, 6, 3))(x),
    },
    "addition": {
        "Add": two(lambda x, y: x + y),
        "layer Add": two(lambda x, y: layers.Add()([x, y])),
        "Add of a number": lambda x: x * 0.3 + 1.0,
        "layer Add of three": three(layers.Add),
    },
    "subtraction": {
        "Subtract": two(lambda x, y: x - y),
        "layer Subtract": two(lambda x, y: layers.Subtract()([x, y])),
        "Subtract from a number": operation(lambda x: 1.0 - x),
    },
    "product": {
        "Multiply": two(lambda x, y: x * y),
        "layer Multiply": two(lambda x, y: layers.Multiply()([x, y])),
        "Multiply by a number": lambda x: x * 0.3,
        "layer Multiply of three": three(layers.Multiply),
    },
    "average of tensors": {
        "layer Average": two(lambda x, y: layers.Average()([x, y])),
        "layer Average of three": three(layers.Average),
    },
    "maximum": {
        "Maximum": two(ops.maximum),
        "layer Maximum": two(lambda x, y: layers.Maximum()([x, y])),
        "Maximum of convolutions": lambda x: ops.maximum(convolved(x), convolved(x)),
        "layer Maximum of three": three(layers.Maximum),
    },
    "minimum": {
        "Minimum": two(ops.minimum),
        "layer Minimum": two(lambda x, y: layers.Minimum()([x, y])),
    },
    "division": {
        "Divide": lambda x: ops.divide(convolved(x), 3.0),
        "TrueDivide": lambda x: x / 3.0,
    },
    "concatenation": {
        "Concatenate": lambda x: ops.concatenate([x, x]),
        "layer Concatenate": lambda x: layers.Concatenate()([x, x]),
    },
    "stack": {"Stack": lambda x: ops.stack([x, x], axis=1)},
    "global average": {
        "Mean": lambda x: ops.mean(x, (1, 2)),
        "GlobalAveragePooling2D": lambda x: layers.GlobalAveragePooling2D(keepdims=True)(x),
        "GlobalAveragePooling1D": lambda x: layers.GlobalAveragePooling1D()(flat(x)),
        "GlobalAveragePooling3D": lambda x: layers.GlobalAveragePooling3D()(volume(x)),
        "GlobalAveragePooling2D before ReLU": lambda x: layers.ReLU()(
            layers.GlobalAveragePooling2D()(x)
        ),
    },
    "average pool": {
        "AveragePool": lambda x: ops.average_pool(x, 2),
        "AveragePooling2D": lambda x: layers.AveragePooling2D(2)(x),
        "AveragePooling1D": lambda x: layers.AveragePooling1D(2)(flat(x)),
    },
    "average pool of volumes": {
        "AveragePooling3D": lambda x: layers.AveragePooling3D(2)(volume(x))
    },
    "max pool": {
        "MaxPool": lambda x: ops.max_pool(x, 2),
        "MaxPooling2D": lambda x: layers.MaxPooling2D(2)(x),
        "MaxPooling1D": lambda x: layers.MaxPooling1D(2)(flat(x)),
    },
    "max pool of volumes": {"MaxPooling3D": lambda x: layers.MaxPooling3D(2)(volume(x))},
    "largest value": {
        "Max": lambda x: ops.max(x, 1),
        "GlobalMaxPooling2D": lambda x: layers.GlobalMaxPooling2D()(x),
        "GlobalMaxPooling1D": lambda x: layers.GlobalMaxPooling1D()(flat(x)),
    },
    "padding with 0": {
        "Pad": lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        "ZeroPadding2D": lambda x: layers.ZeroPadding2D(1)(x),
        "ZeroPadding1D": lambda x: layers.ZeroPadding1D(1)(flat(x)),
        "ZeroPadding3D": lambda x: layers.ZeroPadding3D(1)(volume(x)),
        "ZeroPadding2D before ReLU": lambda x: layers.ReLU()(layers.ZeroPadding2D(1)(convolved(x))),
    },
    "crop, slice": {
        "GetItem": lambda x: x[:, 1:5:2, :, 1:],
        "GetItem of one": lambda x: x[..., 0],
        "Slice": lambda x: ops.slice(x[:, :, :3], (0, 1, 1, 1), (1, 2, 2, 2)),
        "Cropping2D": lambda x: layers.Cropping2D(1)(x),
        "Cropping1D": lambda x: layers.Cropping1D(1)(flat(x)),
        "Cropping3D": lambda x: layers.Cropping3D(((1, 1), (1, 1), (0, 1)))(volume(x)),
        "Cropping2D before ReLU": lambda x: layers.ReLU()(layers.Cropping2D(1)(convolved(x))),
    },
    "split": {
        "Split": lambda x: ops.concatenate(ops.split(x, 2, axis=-1)[::-1], axis=1),
        "Split in part": lambda x: ops.split(x, [1, 3], axis=-1)[1],
    },
    "unstack": {
        "Unstack": lambda x: ops.concatenate(ops.unstack(x, 6, axis=1), axis=-1),
        "Unstack in part": lambda x: ops.unstack(x, 6, axis=1)[2],
    },
    "reshape": {
        "Reshape": lambda x: ops.reshape(x, (-1, 4, 36)),
        "layer Reshape": flat,
        "Flatten": lambda x: layers.Flatten()(x),
        "Ravel": ops.ravel,
        "ExpandDims": lambda x: ops.expand_dims(x, 1),
        "Squeeze": lambda x: ops.squeeze(x[:, :, :1], 2),
        "Flatten before ReLU": lambda x: layers.ReLU()(layers.Flatten()(convolved(x))),
    },
    "transposition": {
        "Transpose": lambda x: ops.transpose(x, (0, 2, 1, 3)),
        "Moveaxis": lambda x: ops.moveaxis(x, 1, 2),
        "Swapaxes": lambda x: ops.swapaxes(x, 1, 2),
        "Permute": lambda x: layers.Permute((2, 1, 3))(x),
    },
    "reversal": {"Flip": lambda x: ops.flip(x, 1)},
    "repetition": {
        "Tile": lambda x: ops.tile(x, (1, 2, 1, 1)),
        "Repeat": lambda x: ops.repeat(x, 2, 1),
        "UpSampling1D": lambda x: layers.UpSampling1D(2)(flat(x)),
        "RepeatVector": lambda x: layers.RepeatVector(2)(layers.Flatten()(x)),
        "UpSampling3D": lambda x: layers.UpSampling3D(2)(volume(x)),
    },
    "nearest resizing": {
        "UpSampling2D": lambda x: layers.UpSampling2D((2, 3))(x),
        "Resize": lambda x: ops.image.resize(x, (9, 11), interpolation="nearest"),
        "Resizing": lambda x: layers.Resizing(9, 5, interpolation="nearest")(x),
    },
    "bilinear resizing": {
        "UpSampling2D": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
        "Resize": lambda x: ops.image.resize(x, (9, 11)),
        "Resizing": lambda x: layers.Resizing(9, 5)(x),
    },
    "ReLU, ReLU6": {
        "Relu": operation(ops.relu),
        "Relu6": operation(ops.relu6),
        "ReLU": lambda x: layers.ReLU(6.0)(x),
        "relu": activation("relu"),
        "relu6": activation("relu6"),
    },
    "leaky ReLU": {
        "LeakyRelu": operation(ops.leaky_relu),
        "LeakyReLU": lambda x: layers.LeakyReLU(0.3)(x),
        "ReLU": lambda x: layers.ReLU(negative_slope=0.1)(x),
        "leaky_relu": activation("leaky_relu"),
    },
    "ReLU with slopes of its own": {
        "PReLU": lambda x: layers.PReLU("uniform", shared_axes=[1, 2])(convolved(x)),
        "PReLU of vectors": lambda x: layers.PReLU("uniform")(layers.Flatten()(x)),
        "PReLU of zeros": lambda x: layers.PReLU(shared_axes=[1, 2])(x),
    },
    "logistic": {"Sigmoid": operation(ops.sigmoid), "sigmoid": activation("sigmoid")},
    "tanh": {"Tanh": operation(ops.tanh), "tanh": activation("tanh")},
    "softmax": {
        "Softmax": operation(ops.softmax),
        "layer Softmax": lambda x: layers.Softmax()(x),
        "softmax": activation("softmax"),
    },
    "hard sigmoid": {
        "HardSigmoid": operation(ops.hard_sigmoid),
        "hard_sigmoid": activation("hard_sigmoid"),
    },
    "SiLU": {"Silu": operation(ops.silu), "silu": activation("silu")},
    "hard SiLU": {"HardSilu": operation(ops.hard_silu), "hard_silu": activation("hard_silu")},
    "GELU": {
        "Gelu": operation(ops.gelu),
        "Gelu exact": operation(lambda x: ops.gelu(x, approximate=False)),
        "gelu": activation("gelu"),
    },
    "other activations": {
        "ELU": lambda x: layers.ELU(0.5)(convolved(x)),
        "LeakyReLU": lambda x: layers.LeakyReLU(0.0)(convolved(x)),
        "ReLU": lambda x: layers.ReLU(4.0)(convolved(x)),
        "Celu": operation(ops.celu),
        "Elu": operation(ops.elu),
        "Glu": operation(ops.glu),
        "HardTanh": operation(ops.hard_tanh),
        "LeakyRelu": operation(lambda x: ops.leaky_relu(x, 0.0)),
        "Selu": operation(ops.selu),
        "Softplus": operation(ops.softplus),
        **{
            name: activation(name)
            for name in ("celu", "elu", "glu", "hard_tanh", "mish", "selu", "softplus")
        },
    },
    "identity": {"Identity": lambda x: layers.Identity()(x)},
    "layers that act in training alone": {
        "Dropout": lambda x: layers.Dropout(0.1)(x),
        "SpatialDropout1D": lambda x: layers.SpatialDropout1D(0.1)(flat(x)),
        "SpatialDropout2D": lambda x: layers.SpatialDropout2D(0.1)(x),
        "SpatialDropout3D": lambda x: layers.SpatialDropout3D(0.1)(volume(x)),
        "AlphaDropout": lambda x: layers.AlphaDropout(0.1)(x),
        "GaussianDropout": lambda x: layers.GaussianDropout(0.1)(x),
        "GaussianNoise": lambda x: layers.GaussianNoise(0.1)(x),
        "ActivityRegularization": lambda x: layers.ActivityRegularization(0.1)(x),
    },
}
