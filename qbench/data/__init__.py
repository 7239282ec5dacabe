"""Data sets. Importing this package registers them all and imports no TensorFlow."""

from qbench.data import cifar10, digits, idx
from qbench.data.dataset import Dataset, load, load_chosen
from qbench.data.source import DATASETS, Choice, Chosen, Source, source_of
from qbench.data.validation import split

__all__ = [
    "DATASETS",
    "Choice",
    "Chosen",
    "Dataset",
    "Source",
    "cifar10",
    "digits",
    "idx",
    "load",
    "load_chosen",
    "source_of",
    "split",
]
