"""Small networks for the rewriter, schemes for them, and counting in their graphs."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from qbench.config.quant import Quant
from qbench.quantize.ops import OPS
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import rewrite
from qbench.quantize.scheme import scheme_of

SHAPE = (8, 8, 2)
PLACEMENTS = [
    chosen for n in (1, 2, 3) for chosen in combinations(("conv", "activation", "add"), n)
]
OP_TYPES = {kind for name in OPS.names() for kind in OPS[name].graph_ops}


def scheme(placement=("conv", "activation", "add"), **quant):
    return scheme_of(Quant(placement=placement, **quant))


def averages_of(model, decay=0.5):
    return RangeAverages(rewrite(model, None).tensors, decay)


def quantized(model, placement=("conv", "activation", "add"), averages=None, **quant):
    return rewrite(model, scheme(placement, **quant), averages or averages_of(model))


def network(build, shape=SHAPE):
    """A model of fresh layers; `build` maps the image to the output."""
    keras.utils.set_random_seed(7)
    image = keras.Input(shape)
    return keras.Model(image, build(image))


def images(count=4, shape=SHAPE, seed=3):
    values = np.random.default_rng(seed).normal(size=(count, *shape))
    return tf.constant(values, tf.float32)


def output(view, x, training=False):
    return view.model([x], training=training)[0].numpy()


def graph_of(view, shape=SHAPE, training=False):
    function = tf.function(lambda x: view.model([x], training=training)[0])
    return function.get_concrete_function(tf.TensorSpec((None, *shape), tf.float32)).graph


def op_types(graph):
    """How often each op type stands in a graph, in the functions that it calls too."""
    definition = graph.as_graph_def()
    counts = Counter(node.op for node in definition.node)
    for function in definition.library.function:
        counts.update(node.op for node in function.node_def)
    return counts


def ops_inserted(graph):
    counts = op_types(graph)
    return sum(counts[op_type] for op_type in OP_TYPES)


def readers(graph, name):
    """Types of the ops that read the output of a graph's quantization op `name`."""
    found = [op for op in graph.get_operations() if op.type in OP_TYPES and name in op.name]
    (op,) = found
    return sorted(reader.type for reader in op.outputs[0].consumers())


def inserted(view):
    """(placement, tensor) in the order of insertion."""
    return [(insertion.placement, insertion.tensor) for insertion in view.insertions]


def residual(image):
    """The network that is drawn by hand in test_rewrite_tensors.py."""
    a = layers.ReLU(name="relu_a")(layers.Conv2D(3, 3, padding="same", name="conv_a")(image))
    b = layers.Conv2D(3, 3, padding="same", name="conv_b")(a)
    b = layers.BatchNormalization(name="bn_b")(b)
    c = layers.ReLU(name="relu_c")(layers.Add(name="add_c")([b, a]))
    c = layers.MaxPooling2D(name="pool_c")(c)
    d = layers.Conv2D(2, 1, name="conv_d")(c)
    return layers.Dense(3, name="logits")(layers.Flatten(name="flatten")(d))
