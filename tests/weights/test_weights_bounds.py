"""Networks in files from strangers: no larger than their file, however they are described."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import pytest
from keras import layers
from untrusted_files import Edit, changed, edited, refusal
from weights_files import SHAPE, from_file, saved

from qbench.base.errors import QbenchError
from qbench.models.saved.bounds import check_computed


def _built_on(config: Any) -> None:
    config["config"]["layers"][1]["build_config"]["input_shape"] = [None, 8, 8, 10**6]


def _reads_numbers(config: Any) -> None:
    config["config"]["layers"][3]["inbound_nodes"] = [{"args": [[1.0, 2.0]], "kwargs": {}}]


# Numbers that do no harm where nothing refuses them, so that these tests can fail.
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (changed(1, kernel_size=[2000, 2000]), "(stem) with an array of 16,000,000 values; all"),
        (changed(1, filters=10**6), "(stem) with an array of 9,000,000 values; all the weights"),
        (changed(4, kernel_size=[8, 8], depth_multiplier=10**5), "(depth) with an array of"),
        (changed(-1, units=10**6), "(logits) with an array of 4,000,000 values; all the weights"),
        (_built_on, "(stem) with an array of 36,000,000 values; all the weights in the file are 1"),
        (changed(0, batch_shape=[None, 10**5, 10**5, 1]), "0,000 values of one image up to"),
        (changed(3, unroll=True), "a layer (ReLU) with unroll=True, which is not for images"),
        (_reads_numbers, "a layer (ReLU) that reads no tensor of another"),
    ],
)
def test_a_network_is_not_larger_than_its_file(
    tmp_path: Path, good: Path, edit: Edit, says: str
) -> None:
    assert says in refusal(edited(good, tmp_path / "a.keras", edit))


def test_many_layers_that_are_large_together(tmp_path: Path, good: Path) -> None:
    """Each of them has fewer values than are allowed beside the file's."""

    def edit(config: Any) -> None:
        for layer in config["config"]["layers"]:
            layer.pop("build_config", None)
        changed(1, filters=3000)(config)

    assert "values; all the weights in the file are 142" in refusal(
        edited(good, tmp_path / "a.keras", edit)
    )


def test_the_older_format_has_the_bound_too(tmp_path: Path, old: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(old.read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        changed(1, kernel_size=[2000, 2000])(config)
        file.attrs["model_config"] = json.dumps(config)
    assert "(stem) with an array of 16,000,000 values" in refusal(path)


def test_layers_without_weights_cannot_grow_an_image_without_end(tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    x = layers.Dense(10)(layers.Flatten()(layers.MaxPooling2D(8)(layers.UpSampling2D(8)(image))))
    path = saved(tmp_path, "b.keras", keras.Model(image, x))

    def edit(config: Any) -> None:
        for at in (1, 2):
            given = config["config"]["layers"][at]["config"]
            given |= {k: [3000, 3000] for k in ("size", "pool_size", "strides") if k in given}

    assert from_file(path).output.shape == (None, 10)
    said = refusal(edited(path, tmp_path / "a.keras", edit))
    assert "its network computes 576,000,064 values of one image up to up_sampling2d" in said


def _repeated(x: Any, times: int) -> Any:
    return keras.ops.mean(keras.ops.repeat(x, times, axis=0), axis=0)


def _broadcast(x: Any, times: int) -> Any:
    mean = keras.ops.mean(x, axis=0)
    return keras.ops.mean(keras.ops.broadcast_to(mean, (times, *mean.shape)), axis=0)


def _patches(x: Any, side: int) -> Any:
    return keras.ops.image.extract_patches(x, side)


@pytest.mark.parametrize(
    ("operation", "few", "many", "says"),
    [
        (_repeated, 2, 10**7, "values of one image up to repeat"),
        (_broadcast, 2, 10**7, "values of one image up to broadcast_to"),
        (_patches, 8, 160, "values of one image up to extract_patches"),
    ],
)
def test_operations_on_a_batch_are_bounded_too(
    operation: Callable[[Any, int], Any], few: int, many: int, says: str
) -> None:
    """Where a batch is made larger, and where Keras makes a table that is no output."""

    def bounded(side: int, number: int) -> None:
        image = keras.Input((side, side, 1))
        check_computed(keras.Model(image, operation(image, number)), (side, side, 1))

    bounded(max(few, 8), few)
    with pytest.raises(QbenchError, match=says):
        bounded(max(8, min(many, 160)), many)


def test_a_size_that_only_computing_shows_is_refused() -> None:
    image = keras.Input(SHAPE)
    counts = keras.ops.bincount(keras.ops.cast(layers.Flatten()(image), "int32"), minlength=10)
    with pytest.raises(QbenchError, match=r"layer \(bincount\w*\) whose output has a size that is"):
        check_computed(keras.Model(image, counts), SHAPE)


def test_a_network_has_some_thousand_layers_at_most(tmp_path: Path, good: Path) -> None:
    def edit(config: Any) -> None:
        inner = config["config"]["layers"]
        inner += [inner[3]] * 5000

    assert "its network has 5,0" in refusal(edited(good, tmp_path / "a.keras", edit))


def test_keras_is_as_before_after_a_refusal(tmp_path: Path, good: Path) -> None:
    original = keras.Layer.add_weight
    refusal(edited(good, tmp_path / "a.keras", changed(1, filters=10**6)))
    assert keras.Layer.add_weight is original
