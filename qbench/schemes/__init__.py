"""The quantization schemes that a configuration can choose; one module each.

A scheme says how kernels and ranges of tensors become codes, and in which phases of the quantized
steps. Importing this package registers its schemes and imports no TensorFlow. You can add any other
scheme to `SCHEMES`.
"""

from qbench.schemes import bwn, contrib, few_digits, inq, qsq, twn, uniform
from qbench.schemes.scheme import SCHEMES, Scheme, SchemeKind

__all__ = [
    "SCHEMES",
    "Scheme",
    "SchemeKind",
    "bwn",
    "contrib",
    "few_digits",
    "inq",
    "qsq",
    "twn",
    "uniform",
]
