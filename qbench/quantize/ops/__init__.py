"""The fake-quantization ops that a configuration can choose; one module each.

With n bits:

| op         | scale                                        | zero point | rounding   | clamps |
|------------|----------------------------------------------|------------|------------|--------|
| qdq_v2     | the smaller of q_min / low and q_max / high  | none       | selectable | (1)    |
| fake_quant | (high - low) / (2^n - 1), range holds 0 (2)  | yes        | half up    | always |

qdq_v2's codes q_min .. q_max are -2^(n-1) .. 2^(n-1) - 1 (signed) or 0 .. 2^n - 1 (unsigned). An
end of the range whose sign differs from the sign of its code does not count for the scale. (1) It
clamps only if the range is given. Without a range it measures x and clamps nothing, so unsigned
codes do not cut off negative values. (2) A range that does not hold 0 is widened until it does.

Importing this package registers these ops and imports no TensorFlow. You can add any other op to
`OPS`: training, conversion and packing use only its `Op` and know no op by name.

Sources: the kernels of TensorFlow's ops QuantizeAndDequantizeV2 and FakeQuantWithMinMaxVars, which
do the work here; Kwasniewska et al. 2019, section III-C. These ops do not compute equations 3 and 4
(rounding) of this paper.
"""

from qbench.quantize.ops import qdq_v2, fake_quant  # isort: skip  # qdq_v2 is listed first
from qbench.quantize.ops.grid import OpGrid
from qbench.quantize.ops.op import OPS, Op, roundings

__all__ = ["OPS", "Op", "OpGrid", "fake_quant", "qdq_v2", "roundings"]
