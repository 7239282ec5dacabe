"""Data sets. Importing this package registers them all and imports no TensorFlow."""

from qbench.data import cifar10, digits, idx
from qbench.data.dataset import DATASETS, Dataset, Source, load
from qbench.data.validation import split

__all__ = ["DATASETS", "Dataset", "Source", "cifar10", "digits", "idx", "load", "split"]
