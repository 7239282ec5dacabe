"""LiteRT inference in integers alone, bit for bit as LiteRT's reference kernels do it.

Jacob et al. 2018, section 2 and appendix A, in numpy. `arithmetic` holds the fixed-point arithmetic
with its two tie rules, `graph` reads a file, `node` and `windows` are what operators have in
common, `products` and `pointwise` are the operators, and `IntegerFile` runs a file. What a file
holds as float32, its scales, becomes integers when the file is read; between the input's codes and
the output's there is no floating point.
"""

from qbench.deploy.integer.arithmetic import (
    Multiplier,
    RealMultiplier,
    doubling_high_multiply,
    rounding_shift,
)
from qbench.deploy.integer.graph import Graph, Operator, Tensor, read_graph, read_operators
from qbench.deploy.integer.reference import OPERATORS, IntegerFile

__all__ = [
    "OPERATORS",
    "Graph",
    "IntegerFile",
    "Multiplier",
    "Operator",
    "RealMultiplier",
    "Tensor",
    "doubling_high_multiply",
    "read_graph",
    "read_operators",
    "rounding_shift",
]
