"""HDF5 files from strangers: they lead nowhere else, end, and hold numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from untrusted_files import refusal


def _hdf5(path: Path, fill: Callable[[Any], None]) -> Path:
    with h5py.File(path, "w") as file:
        fill(file.create_group("layers/conv2d/vars"))
    return path


def _outside(path: Path) -> Callable[[Any], None]:
    return lambda group: group.create_dataset(
        "0", (4,), "f4", external=[(str(path), 0, h5py.h5f.UNLIMITED)]
    )


def test_hdf5_leads_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(100))
    path = _hdf5(tmp_path / "a.h5", _outside(secret))
    assert "layers/conv2d/vars/0 are in another file" in refusal(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)

    def link(group: Any) -> None:
        group["0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")

    said = "has a link at layers/conv2d/vars/0, which leads elsewhere"
    assert said in refusal(_hdf5(tmp_path / "b.h5", link))

    def loop(group: Any) -> None:
        group["again"] = group

    assert "has /layers/conv2d/vars/again in two places" in refusal(_hdf5(tmp_path / "c.h5", loop))


def test_hdf5_that_would_be_read_without_end_is_refused(tmp_path: Path) -> None:
    """Groups that double at each level, and an array that is named thousands of times."""

    def doubled(group: Any) -> None:
        for _ in range(25):
            below = group.create_group("a")
            group["b"] = below
            group = below

    assert "in two places, as Keras writes none" in refusal(_hdf5(tmp_path / "a.h5", doubled))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.attrs["layer_names"] = ["l"]
        file["l/k"] = np.zeros(3, np.float32)
        file["l"].attrs["weight_names"] = ["k"] * 100
    assert "names weights of l twice" in refusal(tmp_path / "b.h5")


def test_hdf5_declares_no_more_than_it_may_hold(tmp_path: Path) -> None:
    def huge(group: Any) -> None:
        group.create_dataset("0", (1 << 40,), "f4", chunks=(1 << 20,), compression="gzip")

    assert "declares 4,398,046,511,104 bytes" in refusal(_hdf5(tmp_path / "a.h5", huge))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.array([1.0, np.nan], np.float32), "the weights of conv2d are not finite"),
        (np.array([b"text"]), "holds no numbers"),
    ],
)
def test_weights_are_numbers(tmp_path: Path, value: Any, says: str) -> None:
    def fill(group: Any) -> None:
        group.attrs["name"] = "conv2d"
        group["0"] = value

    assert says in refusal(_hdf5(tmp_path / "a.h5", fill))
