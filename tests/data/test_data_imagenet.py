"""`data=imagenet` and `data=imagenet_tfds` on small files in the layout of ILSVRC 2012."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from image_files import noise, write
from PIL import Image

from qbench.base.paths import config_folder
from qbench.cli.hydra_app import settings_of
from qbench.config.groups import Data
from qbench.data import load_chosen

CLASSES = ("n01440764", "n01443537", "n02105855")
pytestmark = pytest.mark.usefixtures("own_cache")


def _chosen(*overrides: str) -> Data:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return settings_of(compose("config", overrides=list(overrides))).base.data


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Two training images and one validation image of each class, of several sizes and modes."""
    top = tmp_path / "ILSVRC2012"
    for label, name in enumerate(CLASSES):
        for number in range(2):
            image = noise(10 * label + number, 20 + number, 30 + 4 * label)
            write(top / "train" / name / f"{name}_{number}.JPEG", image, format="JPEG")
        file = f"ILSVRC2012_val_{label + 1:08}.JPEG"
        write(top / "val" / name / file, noise(500 + label, 24, 18), format="JPEG")
    # As in the published set: grey files, files in CMYK, and a PNG with a wrong name.
    write(top / "train" / CLASSES[0] / "grey.JPEG", noise(900, channels=1), format="JPEG")
    cmyk = Image.fromarray(noise(901, 16, 16)).convert("CMYK")
    write(top / "train" / CLASSES[1] / "cmyk.JPEG", cmyk, format="JPEG")
    write(top / "train" / CLASSES[2] / "n02105855_2933.JPEG", noise(902), format="PNG")
    return top


def test_a_folder_of_two_links_to_the_published_layout(published: Path, tmp_path: Path) -> None:
    links = tmp_path / "imagenet"
    links.mkdir()
    (links / "train").symlink_to(published / "train")
    (links / "test").symlink_to(published / "val")
    data = load_chosen(_chosen("data=imagenet", f"data.dir={links}"))
    assert data.class_names == CLASSES
    assert data.train_images.shape == (8, 224, 224, 3)
    assert data.test_images.shape == (3, 224, 224, 3)
    assert sorted(data.train_labels.tolist()) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert sorted(data.test_labels.tolist()) == [0, 1, 2]


def test_the_middle_square_is_taken(published: Path, tmp_path: Path) -> None:
    for number, part in enumerate(("train", "test")):
        for label, name in enumerate(CLASSES):
            wide = np.zeros((10, 30, 3), np.uint8)
            wide[:, 10:20] = 200 + 10 * number + label  # all of the middle square
            write(tmp_path / "wide" / part / name / "one.png", wide)
    chosen = _chosen("data=imagenet", f"data.dir={tmp_path / 'wide'}")
    assert np.asarray(load_chosen(chosen).train_images).min() == 200


def test_the_data_set_of_tensorflow_datasets_is_named_with_its_labelled_splits() -> None:
    chosen = _chosen("data=imagenet_tfds")
    assert chosen.name == "tfds" and chosen.resolution == 224
    given = chosen.arguments
    assert given["dataset"] == "imagenet2012" and given["fit"] == "crop"
    assert list(given["splits"]) == ["train", "validation"]
