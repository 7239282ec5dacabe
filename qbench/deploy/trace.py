"""A converted file against its simulation, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from qbench.deploy.lite import INPUT, OUTPUT, FileTensor, LiteFile
from qbench.quantize.folding import foldable
from qbench.quantize.ranges import RangeAverages
from qbench.quantize.rewrite import Rewriter
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.tensors import IMAGE
from qbench.quantize.walk import functional

Values = NDArray[np.float32]
# XNNPACK computes without leaving intermediate tensors.
TRACEABLE = ("builtin", "reference")
_NOISE = 0.01  # of float32, in steps


@dataclass(frozen=True)
class Compared:
    """A tensor of the network in the simulation and in the file.

    Attributes:
        name: the layer whose output it is.
        step: the scale of the file's grid; 0 for float32.
        largest: the largest difference, in steps (of a float file: in the tensor's own unit).
        mean: the mean difference, in the same unit.
        apart: the share of values, in percent, that differ by more than half a step (of a float
            file: at all).
    """

    name: str
    step: float
    largest: float
    mean: float
    apart: float


def simulated(
    model: Any, scheme: QuantizationScheme | None, averages: RangeAverages, inputs: Values
) -> dict[str, Values]:
    """Every tensor whose range was gathered, as the simulation has it.

    Args:
        model: the trained float model.
        scheme: of the simulation, with fixed ranges; None for a float run.
        averages: the run's.
        inputs: network inputs (N, H, W, C).

    Returns:
        By the name of the tensor, in the order of the averages; quantized where it is quantized.
    """
    rewriter = Rewriter(scheme, averages)
    view = rewriter.run(functional(model)).model
    tensors = [tensor.quantized or tensor for tensor in rewriter.gathered]
    every = keras.Model(view.inputs, [tensor.value for tensor in tensors])
    found = every(inputs, training=False)
    return {
        tensor.name: np.asarray(value)
        for tensor, value in zip(rewriter.gathered, found, strict=True)
    }


def compare(
    expected: Mapping[str, Values],
    file: LiteFile,
    inputs: Values,
    made_by: Mapping[str, Sequence[str]],
    batch: int = 20,
) -> list[Compared]:
    """The tensors that file and simulation both have, in the order of the network.

    Args:
        expected: by name; see `simulated`.
        file: kept open with all its tensors (`LiteFile(..., keep_all=True)`).
        inputs: network inputs (N, H, W, C).
        made_by: other names that a tensor may have in the file; see `names_in_file`.
        batch: how many to run at once.
    """
    parts = [file.tensors(inputs[k : k + batch]) for k in range(0, len(inputs), batch)]
    rows = []
    for name, values in expected.items():
        at = _index(parts[0], (name, *made_by.get(name, ())))
        if at is None or parts[0][at].values.shape[1:] != values.shape[1:]:
            continue
        got = np.concatenate([part[at].values for part in parts])
        rows.append(_compared(name, values, got, parts[0][at].scale))
    return rows


def _compared(name: str, expected: Values, got: Values, step: float) -> Compared:
    apart = np.abs(got - expected) / (step or 1.0)
    share = 100.0 * float(np.mean(apart > (0.5 if step else 0.0)))
    return Compared(name, step, float(apart.max()), float(apart.mean()), share)


def names_in_file(model: Any) -> dict[str, list[str]]:
    """The layers of the exported graph that make what a layer of the network makes."""
    folds = foldable(model)
    found = {op.name: [f"{op.name}.baked"] for op in model.operations}
    found |= {norm.name: [f"{name}.baked"] for name, norm in folds.items()}
    found[IMAGE] = [INPUT]
    found[model.outputs[0]._keras_history.operation.name].append(OUTPUT)
    return found


def _index(tensors: Sequence[FileTensor], names: Sequence[str]) -> int | None:
    """The tensor of the file that one of these layers has made.

    Keras numbers the scope of a layer that is called again, as every layer of the exported graph is
    when it is traced.
    """
    for wanted in (made for name in names for made in (f"{name}_1", name)):
        for at, tensor in enumerate(tensors):
            if wanted in tensor.layers:
                return at
    return None


def first_apart(rows: Sequence[Compared], steps: float = 1.0) -> Compared | None:
    """The first tensor with a difference of more than so many steps."""
    return next((row for row in rows if row.largest > steps + _NOISE), None)
