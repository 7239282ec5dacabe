"""Random networks, drawn from a grammar of layers and operations: functions of (shape, classes).

A network begins with a convolution. Then rules are drawn: each turns the present tensor into the
next one, perhaps with an earlier tensor of the same shape. The end makes logits. Tensors are maps
(H, W, C), sequences (T, C) and vectors (C,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import keras
from keras import layers, ops

# Larger tensors are not made bigger, so that every network stays tiny.
_SIDE, _CHANNELS, _VALUES = 12, 12, 800


@dataclass
class Drawing:
    """The state of one network that is drawn.

    Attributes:
        random: draws everything.
        made: the tensors so far; the last one is the present one.
        rules: the names of the rules that were drawn.
    """

    random: Random
    made: list[Any] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)

    def pick(self, *values: Any) -> Any:
        return self.random.choice(values)

    def chance(self, share: float = 0.5) -> bool:
        return self.random.random() < share

    def other(self, x: Any) -> Any:
        """Another tensor of this shape: an earlier one, or one made from this one."""
        alike = [one for one in self.made if one.shape == x.shape and one is not x]
        if alike and self.chance(0.6):
            return self.random.choice(alike)
        if len(x.shape) == 4:
            return layers.Conv2D(x.shape[-1], self.pick(1, 3), padding="same")(x)
        return layers.Dense(x.shape[-1])(x)


Rule = Callable[[Drawing, Any], Any]
MAPS: dict[str, Rule] = {}
SEQUENCES: dict[str, Rule] = {}
VECTORS: dict[str, Rule] = {}


def rule(*places: dict[str, Rule]) -> Callable[[Rule], Rule]:
    def add(function: Rule) -> Rule:
        for place in places:
            place[function.__name__] = function
        return function

    return add


def _channels(draw: Drawing) -> int:
    return draw.pick(2, 3, 4, 6)


INSIDE = (None, None, None, "relu", "relu6", "silu", "sigmoid", "tanh", "hard_silu", "gelu", "elu")


@rule(MAPS)
def convolution(draw, x):
    wide = min(x.shape[1:3])
    options = {"kernel_size": draw.pick(1, 2, 3), "padding": "same"}
    if wide >= 4 and draw.chance(0.4):
        options |= draw.pick({"strides": 2}, {"dilation_rate": 2}, {"padding": "valid"})
    if x.shape[-1] % 2 == 0 and draw.chance(0.2):
        options |= {"groups": 2}
    bias, width = draw.chance(), draw.pick(2, 4, 6)
    activation = draw.pick(*INSIDE)
    return layers.Conv2D(width, use_bias=bias, activation=activation, **options)(x)


@rule(MAPS)
def normalized_convolution(draw, x):
    kind = draw.pick(layers.Conv2D, layers.DepthwiseConv2D, layers.Conv2DTranspose)
    width = () if kind is layers.DepthwiseConv2D else (_channels(draw),)
    x = kind(*width, 3, padding="same", use_bias=draw.chance(0.3))(x)
    x = layers.BatchNormalization(scale=draw.chance(0.8), center=draw.chance(0.8))(x)
    return draw.pick(layers.ReLU(), layers.ReLU(6.0), layers.Activation("silu"), ops.relu)(x)


@rule(MAPS)
def depthwise(draw, x):
    options = draw.pick({}, {"strides": 2}, {"depth_multiplier": 2}, {"activation": "relu"})
    return layers.DepthwiseConv2D(draw.pick(2, 3), padding="same", **options)(x)


@rule(MAPS)
def transposed(draw, x):
    if max(x.shape[1:3]) > _SIDE // 2:
        return layers.Conv2DTranspose(_channels(draw), 3, padding="same")(x)
    options = draw.pick({"padding": "same"}, {"padding": "valid"}, {"activation": "relu"})
    return layers.Conv2DTranspose(_channels(draw), draw.pick(2, 3), strides=2, **options)(x)


@rule(MAPS)
def separable(draw, x):
    options = draw.pick({}, {"strides": 2}, {"depth_multiplier": 2}, {"activation": "silu"})
    return layers.SeparableConv2D(_channels(draw), 3, padding="same", **options)(x)


@rule(MAPS, SEQUENCES)
def convolution_of_sequences(draw, x):
    if len(x.shape) == 4:
        x = layers.Reshape((-1, x.shape[-1]))(x)
    options = draw.pick({}, {"strides": 2}, {"dilation_rate": 2, "padding": "causal"})
    options = {"padding": "same", **options}
    causal = options["padding"] == "causal"
    kind = layers.SeparableConv1D if draw.chance(0.3) and not causal else layers.Conv1D
    return kind(_channels(draw), draw.pick(1, 3), **options)(x)


@rule(MAPS, SEQUENCES, VECTORS)
def dense(draw, x):
    return layers.Dense(_channels(draw), activation=draw.pick(*INSIDE))(x)


NAMED = (
    *("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "hard_sigmoid", "silu", "hard_silu"),
    *("gelu", "elu", "selu", "softplus", "mish", "hard_tanh", "celu"),
)


@rule(MAPS, SEQUENCES, VECTORS)
def activation(draw, x):
    name = draw.pick(*NAMED, *NAMED[:9])  # those with integer operators more often
    if draw.chance() and hasattr(ops, name):
        return getattr(ops, name)(x)
    return layers.Activation(name)(x)


@rule(MAPS, SEQUENCES, VECTORS)
def activation_layer(draw, x):
    shared = list(range(1, len(x.shape) - 1))
    return draw.pick(
        layers.ReLU(),
        layers.ReLU(6.0),
        layers.ReLU(negative_slope=0.1),
        layers.LeakyReLU(0.2),
        layers.ELU(),
        layers.PReLU(shared_axes=shared or None),
        layers.ReLU(4.0),
    )(x)


@rule(MAPS, SEQUENCES, VECTORS)
def normalization(draw, x):
    return draw.pick(
        layers.BatchNormalization(), layers.BatchNormalization(), layers.LayerNormalization()
    )(x)


@rule(MAPS, SEQUENCES, VECTORS)
def arithmetic(draw, x):
    y = draw.other(x)
    return draw.pick(
        lambda: x + y,
        lambda: x - y,
        lambda: x * y,
        lambda: layers.Add()([x, y]),
        lambda: layers.Subtract()([y, x]),
        lambda: layers.Multiply()([x, y]),
        lambda: layers.Average()([x, y]),
        lambda: layers.Maximum()([x, y]),
        lambda: ops.minimum(x, y),
        lambda: draw.pick(layers.Add, layers.Multiply, layers.Average, layers.Maximum)()([x, y, x]),
    )()


@rule(MAPS, SEQUENCES, VECTORS)
def residual(draw, x):
    return draw.pick(layers.ReLU(), ops.relu6, layers.Identity())(layers.Add()([draw.other(x), x]))


@rule(MAPS, SEQUENCES, VECTORS)
def with_a_number(draw, x):
    number = draw.pick(0.3, 2.0, -1.5)
    return draw.pick(
        lambda: x * number,
        lambda: number * x,
        lambda: x + number,
        lambda: number - x,
        lambda: x - number,
        lambda: x / number,
        lambda: -x,
    )()


@rule(MAPS)
def squeeze_and_excitation(draw, x):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(2, 1, activation=draw.pick("relu", "silu"))(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation=draw.pick("sigmoid", "hard_sigmoid"))(gate)
    return draw.pick(lambda: x * gate, lambda: layers.Multiply()([x, gate]))()


@rule(MAPS, SEQUENCES, VECTORS)
def joined(draw, x):
    if x.shape[-1] > _CHANNELS // 2:
        return x
    y = draw.other(x)
    return draw.pick(
        lambda: ops.concatenate([x, y], axis=-1),
        lambda: layers.Concatenate()([y, x]),
        lambda: layers.Concatenate()([x, layers.ReLU()(x)]),
        lambda: ops.mean(ops.stack([x, y], axis=1), axis=1),
    )()


@rule(MAPS, SEQUENCES)
def joined_along(draw, x):
    if x.shape[1] > _SIDE // 2:
        return x
    return ops.concatenate([draw.other(x), x], axis=1)


@rule(MAPS)
def pool(draw, x):
    size = draw.pick(2, 3)
    if min(x.shape[1:3]) < size:
        return x
    kind = draw.pick(layers.MaxPooling2D, layers.AveragePooling2D)
    operation = draw.pick(ops.max_pool, ops.average_pool)
    if draw.chance(0.3):
        return operation(x, size, 2, padding="same")
    return kind(size, draw.pick(1, 2), padding=draw.pick("same", "valid"))(x)


@rule(SEQUENCES)
def pool_of_sequences(draw, x):
    if x.shape[1] < 2:
        return x
    return draw.pick(layers.MaxPooling1D(2), layers.AveragePooling1D(2))(x)


@rule(MAPS)
def enlarged(draw, x):
    if max(x.shape[1:3]) > _SIDE // 2:
        return x
    height, width = x.shape[1] + 3, 2 * x.shape[2]
    way = draw.pick("nearest", "bilinear")
    return draw.pick(
        lambda: layers.UpSampling2D(2, interpolation=way)(x),
        lambda: layers.Resizing(height, width, interpolation=way)(x),
        lambda: ops.image.resize(x, (height, width), interpolation=way),
        lambda: ops.repeat(x, 2, axis=draw.pick(1, 2)),
        lambda: ops.tile(x, (1, 1, 2, 1)),
    )()


@rule(MAPS)
def moved(draw, x):
    choices = [
        lambda: layers.ZeroPadding2D(((0, 1), (1, 0)))(x),
        lambda: ops.pad(x, [[0, 0], [1, 1], [0, 1], [0, 0]]),
        lambda: layers.Permute((2, 1, 3))(x),
        lambda: ops.transpose(x, (0, 2, 1, 3)),
        lambda: ops.swapaxes(x, 1, 2),
        lambda: ops.flip(x, axis=2),
    ]
    if min(x.shape[1:3]) > 2:
        choices += [
            lambda: layers.Cropping2D(((1, 0), (0, 1)))(x),
            lambda: x[:, 1:, ::2],
            lambda: ops.concatenate([x[:, :1], x[:, 1:] * 0.5], axis=1),
        ]
    return draw.random.choice(choices)()


@rule(SEQUENCES)
def moved_sequences(draw, x):
    return draw.pick(
        lambda: layers.ZeroPadding1D(1)(x),
        lambda: layers.Permute((2, 1))(x) if x.shape[1] <= _CHANNELS else x,
        lambda: x[:, ::2],
        lambda: layers.UpSampling1D(2)(x) if x.shape[1] <= _SIDE else x,
    )()


@rule(MAPS, SEQUENCES, VECTORS)
def parted(draw, x):
    if x.shape[-1] % 2 or x.shape[-1] < 4:
        return x
    one, other = ops.split(x, 2, axis=-1)
    return draw.pick(
        lambda: one * ops.sigmoid(other),
        lambda: ops.concatenate([other, ops.relu(one)], axis=-1),
        lambda: one + other,
        lambda: other,
    )()


@rule(MAPS, SEQUENCES, VECTORS)
def for_training_alone(draw, x):
    return draw.pick(layers.Dropout(0.2), layers.GaussianNoise(0.1), layers.Identity())(x)


@rule(MAPS, SEQUENCES)
def called_twice(draw, x):
    shared = layers.Dense(x.shape[-1], activation=draw.pick(None, "relu", "silu"))
    if len(x.shape) == 4 and draw.chance():
        shared = layers.Conv2D(x.shape[-1], 3, padding="same")
    return shared(shared(x))


@rule(MAPS)
def inner_model(draw, x):
    image = keras.Input(x.shape[1:])
    y = layers.Conv2D(x.shape[-1], 1, activation=draw.pick(None, "relu", "silu"))(image)
    model = keras.Model(image, draw.pick(lambda: y, lambda: image + y)())
    return model(model(x)) if draw.chance() else model(x)


@rule(MAPS)
def as_sequence(draw, x):
    shape = (x.shape[1] * x.shape[2], x.shape[3])
    return draw.pick(layers.Reshape(shape), lambda y: ops.reshape(y, (-1, *shape)))(x)


@rule(SEQUENCES)
def softmax(draw, x):
    return draw.pick(ops.softmax, layers.Softmax())(x)


def _as_vector(draw: Drawing, x: Any) -> Any:
    if len(x.shape) == 4:
        return draw.pick(
            layers.GlobalAveragePooling2D(),
            layers.GlobalAveragePooling2D(),
            layers.GlobalMaxPooling2D(),
            layers.Flatten(),
            lambda y: ops.mean(y, axis=(1, 2)),
            lambda y: ops.max(y, axis=(1, 2)),
        )(x)
    if len(x.shape) == 3:
        return draw.pick(
            layers.GlobalAveragePooling1D(), layers.GlobalMaxPooling1D(), layers.Flatten()
        )(x)
    return x


def _step(draw: Drawing) -> None:
    x = draw.made[-1]
    rules = {4: MAPS, 3: SEQUENCES, 2: VECTORS}[len(x.shape)]
    name = draw.random.choice(list(rules))
    y = rules[name](draw, x)
    if y is not x:
        draw.made.append(y)
        draw.rules.append(name)


def drawn(seed: int) -> tuple[Callable[[Sequence[int], int], Any], list[str]]:
    """The builder of a network, and a list that holds the names of its rules once it was built."""
    rules: list[str] = []

    def build(shape: Sequence[int], classes: int) -> Any:
        draw = Drawing(Random(seed))
        image = keras.Input(shape)
        first = layers.Conv2D(4, 3, strides=draw.pick(1, 2), padding="same", activation="relu")
        draw.made = [image, first(image)] if draw.chance(0.8) else [image]
        for _ in range(draw.random.randint(2, 6)):
            _step(draw)
        x = _as_vector(draw, draw.made[-1])
        draw.made.append(x)
        if draw.chance(0.3):
            _step(draw)
        rules[:] = draw.rules
        return keras.Model(image, layers.Dense(classes)(draw.made[-1]))

    return build, rules
