"""LiteRT inference in integers only, bit for bit equal to LiteRT's reference kernels.

Jacob et al. 2018, section 2 and appendix A, in numpy. `arithmetic` holds the fixed-point arithmetic
with its two tie rules. `graph` reads a file. `node` and `windows` hold what operators have in
common. `products` and `pointwise` are the operators. `IntegerFile` runs a file. The scales of a
file are float32; they become integers when the file is read. Between the codes of the input and the
codes of the output there is no floating point.
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
