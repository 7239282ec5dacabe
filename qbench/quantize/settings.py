"""The settings of simulated quantization that every scheme knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.base import allowed, checks
from qbench.base.allowed import Allowed
from qbench.base.setting import QUANTIZED, Group, setting
from qbench.quantize.ops import OPS, roundings
from qbench.quantize.placement import PLACEMENTS

WEIGHT_RANGES = ("op", "narrow", "symmetric_narrow")
GRANULARITIES = ("tensor", "channel")
FIRST_LAST = ("same", "8", "float")
FLOAT = "float"
"""The value of `quant.activation_bits` that leaves activations float."""
FLOAT_BITS = 32


def _cell_of_bits(quant: Any) -> str:
    weights, activations = quant.bits_of_weights, quant.bits_of_activations
    if quant.float_activations:
        return f"w{weights}/{FLOAT}"
    return str(weights) if weights == activations else f"w{weights}/a{activations}"


def _ties_are_rare(quant: Any) -> bool:
    """Whether the rule for ties hardly counts.

    With up to 8 bits a scaled float32 has 16 bits or more below the point, and about one value of
    a million is a tie. With 16 bits many are.
    """
    activations = 0 if quant.float_activations else quant.bits_of_activations
    bits = max(quant.bits_of_weights, activations)
    return quant.rounding in ("half_to_even", "half_up") and bits <= 8


def _bits_or_float() -> Allowed:
    def read(key: str, value: Any) -> Any:
        whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 62
        if not whole and value not in (FLOAT, None):
            raise checks.wrong(key, value, f"a whole number from 1 to 62, {FLOAT} or null")
        return value

    return Allowed(read, lambda: f"1 to 62, `{FLOAT}`, or null")


def _number_as_text(value: Any) -> Any:
    """`8` as text, because YAML reads it as a number."""
    return str(value) if isinstance(value, int) else value


@dataclass(frozen=True, kw_only=True)
class QuantSettings(Group, prefix="quant"):
    """`quant` without the choice of the scheme. Null bit widths mean `bits`.

    `qbench.config.quant.Quant` adds the scheme.
    """

    enabled: bool = setting(
        True,
        check=allowed.switch(),
        effect=QUANTIZED,
        help="whether the run is quantized; false is the float baseline",
    )
    op: str = setting(
        "qdq_v2",
        check=allowed.one_of(OPS),
        effect=QUANTIZED,
        column="op",
        place=1,
        levels=("qdq_v2", "fake_quant"),
        show=lambda quant: OPS[quant.op].label,
        figure=("fig3_op", "fake-quantization op"),
        help="the op that quantizes: QuantizeAndDequantizeV2, FakeQuantWithMinMaxVars, or"
        " your own ([docs](own.md)) as `FILE.py:NAME`",
    )
    rounding: str = setting(
        "half_to_even",
        check=allowed.one_of(roundings),
        effect=QUANTIZED,
        column="rounding",
        place=2,
        levels=("half_to_even", "half_up"),
        same=_ties_are_rare,
        help="how values halfway between two codes are rounded; qdq_v2 only",
    )
    bits: int = setting(
        8,
        check=allowed.whole(1, 62),
        effect=QUANTIZED,
        column="bits",
        place=3,
        levels=(8, 4, 16, 32),
        show=_cell_of_bits,
        shown=True,
        help="bits of quantized tensors. qdq_v2 takes 1 to 61 signed bits or 1 to 62 unsigned"
        " bits, fake_quant takes 2 to 16. One signed bit has no positive code, and its training"
        " diverges",
    )
    weight_bits: int | None = setting(
        None,
        check=allowed.whole(1, 62).or_null,
        effect=QUANTIZED,
        help="bits of kernels; null means `quant.bits`",
    )
    activation_bits: int | str | None = setting(
        None,
        check=_bits_or_float(),
        effect=QUANTIZED,
        help="bits of every other quantized tensor; null means `quant.bits`. `float`: only kernels"
        " are quantized, and all other tensors stay float32",
    )
    signed: bool = setting(
        True,
        check=allowed.switch(),
        effect=QUANTIZED,
        column="signedness",
        place=5,
        levels=(True, False),
        show=lambda quant: "signed" if quant.signed else "unsigned",
        help="whether codes are signed; qdq_v2 only. Unsigned codes have no negative values; see"
        " [ranges](#ranges)",
    )
    placement: tuple[str, ...] = setting(
        ("conv", "activation"),
        check=allowed.list_of(PLACEMENTS),
        effect=QUANTIZED,
        column="placement",
        place=6,
        levels=(("conv", "activation"), ("conv", "activation", "add")),
        show=lambda quant: "+".join(quant.placement),
        figure=("fig5_placement", "placement of fake quantization"),
        help="which tensors are quantized; see [placement](#placement)",
    )
    range_given: bool = setting(
        False,
        check=allowed.switch(),
        effect=QUANTIZED,
        column="range_given",
        place=7,
        levels=(False, True),
        show=lambda quant: "yes" if quant.range_given else "no",
        figure=("fig4_range", "choice of the minimum and maximum"),
        help="whether the op gets a range (true) or measures it (false); qdq_v2 only; see"
        " [ranges](#ranges)",
    )
    weight_range: str = setting(
        "op",
        check=allowed.one_of(WEIGHT_RANGES),
        effect=QUANTIZED,
        neutral="op",
        help="the range of kernels. `op`: as the op chooses it. `narrow`: the same range without"
        " the lowest code, as in Jacob et al. 2018. `symmetric_narrow`: -m .. m without the lowest"
        " code, as LiteRT needs it ([deployment](deployment.md)). `narrow` and `symmetric_narrow`"
        " need 2 bits or more; with qdq_v2 `narrow` needs signed codes",
    )
    granularity: str = setting(
        "tensor",
        check=allowed.one_of(GRANULARITIES),
        effect=QUANTIZED,
        neutral="tensor",
        help="`tensor`: one range for each kernel. `channel`: one range for each output channel of"
        " a kernel. qbench refuses `channel` with qdq_v2, `quant.signed=false` and"
        " `quant.weight_range=op`",
    )
    first_last: str = setting(
        "same",
        check=allowed.one_of(FIRST_LAST, spelled=_number_as_text),
        effect=QUANTIZED,
        neutral="same",
        help="bits of the first and the last kernel, and of image and output if they are"
        " quantized. `same`: as everywhere else. `float`: not quantized",
    )
    fold_batch_norm: bool = setting(
        False,
        check=allowed.switch(),
        effect=QUANTIZED,
        neutral=False,
        help="fold batch normalization into the kernels and quantize the folded kernels; see"
        " [deployment](deployment.md)",
    )
    freeze_batch_norm: bool = setting(
        False,
        check=allowed.switch(),
        effect=QUANTIZED,
        neutral=False,
        help="use no batch statistics after quantization has started",
    )
    tie_inputs: bool = setting(
        False,
        check=allowed.switch(),
        effect=QUANTIZED,
        neutral=False,
        help="tensors that are added or concatenated share one range; needs moving averages",
    )
    ema_decay: float = setting(
        0.999,
        check=allowed.number(0, 1, open_end=True),
        help="decay of the moving averages of ranges. Float steps update these averages too",
    )
    delay: float = setting(
        0.8,
        check=allowed.number(0, 1),
        effect=QUANTIZED,
        column="delay_pct",
        place=8,
        levels=(0.8, 0.4, 0.5, 0.6, 0.7, 0.9),
        show=lambda quant: f"{100 * quant.delay:g}",
        figure=("fig2_delay", "quantization delay"),
        help="share of the steps that are trained as float first; quantization starts at step"
        " ceil(delay x steps)",
    )

    @property
    def bits_of_weights(self) -> int:
        """Bits of kernels."""
        return self.bits if self.weight_bits is None else self.weight_bits

    @property
    def bits_of_activations(self) -> int:
        """Bits of every other quantized tensor; 32 if these tensors stay float."""
        if isinstance(self.activation_bits, str):
            return FLOAT_BITS
        return self.bits if self.activation_bits is None else self.activation_bits

    @property
    def float_activations(self) -> bool:
        """Whether only kernels are quantized."""
        return self.activation_bits == FLOAT
