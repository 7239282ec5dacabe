"""Data sets. Importing this package registers them all and imports no TensorFlow."""

from qbench.data import (
    cifar10,
    csv_file,
    digits,
    fashion_part,
    idx,
    image_folder,
    npz_file,
    tfds_builder,
)
from qbench.data.dataset import Dataset, load, load_chosen
from qbench.data.source import DATASETS, Chosen, DataChoice, Source, source_of
from qbench.data.validation import split

__all__ = [
    "DATASETS",
    "Chosen",
    "DataChoice",
    "Dataset",
    "Source",
    "cifar10",
    "csv_file",
    "digits",
    "fashion_part",
    "idx",
    "image_folder",
    "load",
    "load_chosen",
    "npz_file",
    "source_of",
    "split",
    "tfds_builder",
]
