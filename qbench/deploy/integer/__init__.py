"""Integer-only LiteRT inference in numpy, bit for bit equal to LiteRT's reference kernels.

The method is that of Jacob et al. 2018, section 2 and appendix A. `arithmetic` holds the
fixed-point arithmetic with its two tie rules. `graph` reads a file. `node` and `windows` hold the
code that several operators share. `products` and `pointwise` hold the operators. `IntegerFile` runs
a file. The scales in a file are float32; they are converted to integers when the file is read. All
steps from the input codes to the output codes use integers only.
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
