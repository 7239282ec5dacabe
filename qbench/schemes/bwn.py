"""Binary weights: a sign with a scale for each kernel or filter, in one phase.

Rastegari et al. 2016 ("XNOR-Net", binary-weight networks).
"""

from __future__ import annotations

from qbench.quantize.settings import QuantSettings
from qbench.quantize.signs import BinaryQuantizer
from qbench.schemes import weights
from qbench.schemes.scheme import SCHEMES, Scheme, SchemeKind

NAME = "bwn"
BITS = 1


def build(quant: QuantSettings) -> Scheme:
    """The scheme of these settings; `quant.enabled` is true."""
    kernel = BinaryQuantizer(per_channel=quant.granularity == "channel")
    return weights.Weights(weights.quantization_with(quant, kernel))


def refuses(quant: QuantSettings) -> str | None:
    """The reason why these settings cannot be combined, or None."""
    return weights.refuses(quant, NAME)


SCHEMES.add(NAME, SchemeKind(build, lacks=weights.lacks_bits, weight_bits=BITS, refuses=refuses))
