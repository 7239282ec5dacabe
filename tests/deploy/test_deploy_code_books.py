"""Kernels of code books in packed forms, in float32 files and in the counts of records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from deploy_examples import depthwise, measured, network, residual
from keras import layers
from toy_schemes import no_loss

from qbench.base.errors import NotConvertible, QbenchError
from qbench.config.groups import Choice
from qbench.config.quant import Quant
from qbench.deploy.baked import BakedConvolution
from qbench.deploy.export import export_model
from qbench.deploy.file_kind import check_file, kind_of
from qbench.deploy.kernel_facts import kernel_facts, positions
from qbench.deploy.packed import BookCodes, identical, unpack
from qbench.deploy.packing import contents, packed_file
from qbench.models.flatten import flattened
from qbench.quantize.powers import FROZEN
from qbench.training.scheme_state import SchemeState

TRAIN: Any = None


def quant(name: str, **values: Any) -> Quant:
    given = {"activation_bits": "float", "scheme": Choice(name=name), **values}
    return Quant(**given)


def finished(name: str, build: Any = residual, **values: Any) -> Any:
    """A network whose phases have all begun: model, averages, settings, and the scheme's part."""
    chosen, model = quant(name, **values), network(build)
    averages = measured(model)
    state = SchemeState(chosen.chosen_scheme, model, TRAIN)
    state.enter(chosen.chosen_scheme.names, averages, 0, 0, no_loss)
    return model, averages, chosen, state


SETTINGS: list[tuple[str, dict[str, Any], int, int]] = [
    *(("inq", {"bits": bits}, bits, 2 ** (bits - 1) + 1) for bits in (2, 3, 5, 8)),
    ("inq", {"bits": 9}, 9, 257),
    ("twn", {}, 2, 3),
    ("twn", {"granularity": "channel", "fold_batch_norm": True}, 2, 3),
    ("bwn", {}, 1, 2),
    ("bwn", {"granularity": "channel"}, 1, 2),
]


@pytest.mark.parametrize("build", [residual, depthwise])
@pytest.mark.parametrize(("name", "values", "bits", "count"), SETTINGS)
def test_codes_stand_for_the_kernels_of_the_simulation(
    name: str, values: dict[str, Any], bits: int, count: int, build: Any
) -> None:
    model, averages, chosen, state = finished(name, build, **values)
    packed = contents(model, averages, chosen, state.states)
    graph, _ = export_model(model, averages, chosen, on_grids=False, states=state.states)
    baked = [one.baked for one in graph.layers if isinstance(one, BakedConvolution)]
    assert len(packed.layers) == len(baked) > 2 and packed.tensors == ()
    for layer, plain in zip(packed.layers, baked, strict=True):
        kernel = layer.kernel
        assert isinstance(kernel, BookCodes) and kernel.bits == bits
        assert len(kernel.levels) <= count and (name != "inq" or bits < 9) == (
            len(kernel.levels) == count
        )
        expected = plain.kernel.reshape(kernel.codes.shape)
        np.testing.assert_allclose(kernel.values, expected, rtol=2e-7)
        if name == "inq":
            fractions, _ = np.frexp(np.abs(kernel.levels))
            assert set(fractions.tolist()) == {0.0, 0.5}
    read = unpack(packed_file(model, averages, chosen, state.states))
    assert identical(read, packed)


def test_the_packed_form_has_the_bits_of_the_codes() -> None:
    """For each kernel: codes, code book and scales; beside them biases and the head of the file."""
    sizes = {}
    for bits in (2, 3, 5):
        model, averages, chosen, state = finished("inq", bits=bits)
        sizes[bits] = len(packed_file(model, averages, chosen, state.states))
        kernels = [one.kernel for one in contents(model, averages, chosen, state.states).layers]
        own = sum(-(-one.codes.size * bits // 8) + 4 * one.levels.size for one in kernels)
        rest = sizes[bits] - own
        assert rest == sizes[2] - sum(-(-one.codes.size * 2 // 8) + 4 * 3 for one in kernels)
    assert sizes[2] < sizes[3] < sizes[5]


def test_a_weight_outside_the_code_book_is_refused() -> None:
    model, averages, chosen, state = finished("inq", bits=4)
    kernel = model.get_layer("left").kernel
    value = kernel.numpy()
    value[0, 0, 0, 0] = 0.3
    kernel.assign(value)
    with pytest.raises(
        QbenchError, match=r"left kernel: a weight is 0\.3, which is not in the code"
    ):
        contents(model, averages, chosen, state.states)


def test_a_float32_file_holds_the_weights_and_says_why() -> None:
    for name, values in (("inq", {"bits": 4}), ("twn", {}), ("bwn", {}), ("uniform", {"bits": 4})):
        chosen = quant(name, **values)
        check_file(chosen)
        kind = kind_of(chosen)
        assert (kind.name, kind.export) == ("float", "float")
        assert kind.note.startswith("float32 kernels and values of the simulation; LiteRT computes")
    with pytest.raises(NotConvertible, match="activation_bits=8: LiteRT has no kernels"):
        check_file(quant("twn", activation_bits=8))


def test_first_and_last_kernels_of_8_bits_are_on_grids() -> None:
    model, averages, chosen, state = finished("bwn", first_last="8")
    packed = contents(model, averages, chosen, state.states)
    kinds = [type(one.kernel).__name__ for one in packed.layers]
    assert kinds == ["Codes", "BookCodes", "BookCodes", "Codes"]
    for one in state.entered_kernels():
        assert one.quantizer.bits == (8 if one.layer.name in ("stem", "logits") else 1)


def test_incremental_steps_leave_kernels_of_8_bits_alone() -> None:
    *_, state = finished("inq", bits=3, first_last="8")
    frozen = {one.layer.name: one.state.arrays()[FROZEN] for one in state.entered_kernels()}
    assert not frozen["stem"].any() and not frozen["logits"].any()
    assert frozen["left"].all() and frozen["right"].all()


def test_weights_and_their_uses_are_counted_by_what_they_are() -> None:
    """By hand: stem 8x8 positions, left and right 4x4, logits 1."""
    times = {"stem": 64, "left": 16, "right": 16, "logits": 1}
    size = {"stem": 72, "left": 144, "right": 16, "logits": 20}
    uses = sum(times[name] * size[name] for name in size)
    acts = {"inq": "shift", "twn": "sign", "bwn": "sign", "uniform": "multiplication"}
    for name, act in acts.items():
        model, _, _, state = finished(name, bits=3)
        zeros = {one.layer.name: int((one.quantized == 0).sum()) for one in state.entered_kernels()}
        facts = kernel_facts(model, state.entered_kernels())
        assert facts["weights"] == facts["coded"] == 252 and facts["uses"] == uses
        bits = {"inq": 3, "twn": 2, "bwn": 1, "uniform": 3}[name]
        assert facts["read_bits"] == 252 * bits + 4 * 32  # a scale for each kernel
        assert facts["zero"] == sum(zeros.values())
        nonzero = sum(times[one] * (size[one] - zeros[one]) for one in size)
        assert facts["used_as"] == {act: nonzero}
        assert "mostly_zero" not in facts


def test_kernels_that_stay_float_multiply_and_mostly_zero_ones_are_named() -> None:
    model, _, _, state = finished("inq", bits=3, first_last="float")
    facts = kernel_facts(model, state.entered_kernels())
    assert (facts["weights"], facts["coded"]) == (252, 160)
    assert facts["read_bits"] == 160 * 3 + 2 * 32 + 92 * 32
    assert facts["used_as"]["multiplication"] == 64 * 72 + 20
    small = replace(
        quant("inq", bits=3), scheme=Choice(name="inq", arguments={"max_weight": 1000.0})
    )
    state = SchemeState(small.chosen_scheme, model, TRAIN)
    state.enter(small.chosen_scheme.names, measured(model), 0, 0, no_loss)
    facts = kernel_facts(model, state.entered_kernels())
    assert facts["mostly_zero"] == [f"{one}/kernel" for one in ("stem", "left", "right", "logits")]
    assert facts["used_as"] == {"shift": 0} and facts["zero"] == 252


@pytest.mark.parametrize(
    ("layer", "shape", "times"),
    [
        (layers.Conv2D(3, 3, strides=2, padding="same"), (8, 6, 2), 12),
        (layers.Conv1D(3, 3), (8, 2), 6),
        (layers.DepthwiseConv2D(3), (8, 6, 2), 24),
        (layers.SeparableConv2D(3, 3), (8, 6, 2), 24),
        (layers.Conv2DTranspose(3, 3, strides=2), (4, 5, 2), 20),
        (layers.Dense(3), (7,), 1),
        (layers.Dense(3), (4, 7), 4),
        (layers.EinsumDense("abc,cd->abd", (None, 5)), (4, 7), 4),
        (layers.EinsumDense("...c,cd->...d", (4, 5)), (4, 7), 4),
        (layers.EinsumDense("abc,bcd->abd", (4, 5)), (4, 7), 1),
        (layers.Conv2D(3, 3), (None, 6, 2), None),
    ],
)
def test_how_often_a_layer_uses_a_weight(layer: Any, shape: Any, times: Any) -> None:
    image = keras.Input(shape)
    keras.Model(image, layer(image))
    assert positions(layer, image.shape) == times


def test_each_call_uses_the_weights_with_the_input_that_it_gets() -> None:
    """A model inside the network may declare no sides, or be called with several."""
    image, inside = keras.Input((8, 8, 1)), keras.Input((None, None, 1))
    base = keras.Model(inside, layers.Conv2D(1, 3, padding="same")(inside))
    half = layers.MaxPooling2D(2)(base(image))
    model = flattened(keras.Model(image, layers.Dense(5)(layers.Flatten()(base(half)))))
    facts = kernel_facts(model, ())
    assert facts["uses"] == 9 * (64 + 16) + 16 * 5
    assert facts["used_as"] == {"multiplication": facts["uses"]}


def test_uses_are_left_out_if_a_shape_is_unknown() -> None:
    image = keras.Input((None, 6, 2))
    assert kernel_facts(keras.Model(image, layers.Conv2D(3, 3)(image)), ()) == {
        "weights": 54,
        "coded": 0,
        "zero": 0,
        "read_bits": 54 * 32,
    }


def test_a_scale_for_each_channel_is_read_too() -> None:
    for name in ("twn", "uniform"):
        weight_range = {"weight_range": "symmetric_narrow"} if name == "uniform" else {}
        *_, state = finished(name, bits=2, granularity="channel", **weight_range)
        every = {one.layer.name: one for one in state.entered_kernels()}
        scales = {key: one.quantizer.scales(one.layer, one.variable) for key, one in every.items()}
        filters = {key: one.variable.shape[-1] for key, one in every.items()}
        assert scales == filters | {"logits": 1}  # a dense kernel has one
