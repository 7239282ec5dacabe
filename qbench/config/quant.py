"""The group `quant` of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from qbench.base.setting import QUANTIZED, setting
from qbench.config.groups import Choice, chosen_from
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.settings import QuantSettings
from qbench.schemes import SCHEMES, Scheme, uniform

_UNIFORM = Choice(name=uniform.NAME)


@dataclass(frozen=True, kw_only=True)
class Quant(QuantSettings, prefix="quant"):
    """`quant`: simulated quantization."""

    scheme: Choice = setting(
        _UNIFORM,
        check=chosen_from(SCHEMES),
        effect=QUANTIZED,
        neutral=_UNIFORM,
        help="how kernels and ranges become codes, and in which phases, with the arguments of the"
        " scheme; choose it with `quant/scheme=NAME`",
    )

    @property
    def bits_of_weights(self) -> int:
        """Bits of kernels: those of the scheme, if it leaves no choice."""
        fixed = SCHEMES[self.scheme.name].own_bits(self.scheme.arguments)
        return super().bits_of_weights if fixed is None else fixed

    @cached_property
    def chosen_scheme(self) -> Scheme | None:
        """The scheme, made from its arguments; None if the run is not quantized."""
        if not self.enabled:
            return None
        chosen = self.scheme
        return SCHEMES[chosen.name].made(chosen.name, self, chosen.arguments)

    @cached_property
    def refused(self) -> str | None:
        """What the scheme says against these settings; None if they can be combined."""
        chosen = self.scheme
        return SCHEMES[chosen.name].impossible(chosen.name, self, chosen.arguments)

    @property
    def quantization(self) -> QuantizationScheme | None:
        """The quantization of the finished network; None if the run is not quantized."""
        scheme = self.chosen_scheme
        return scheme.quantization if scheme else None
