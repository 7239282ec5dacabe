"""Quality-scalable quantization (Khaliq and Hafiz): kernels as powers of two times scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qbench.base import allowed, checks
from qbench.base.allowed import Allowed
from qbench.base.errors import QbenchError
from qbench.base.patterns import EVERY, listed
from qbench.codes.levels import bits_of, check_phi
from qbench.codes.scales import LEAST_SQUARES, SCALES
from qbench.codes.threshold_search import DELTAS, GAMMAS
from qbench.codes.vectors import CHANNELS, DIRECTIONS
from qbench.quantize.settings import QuantSettings
from qbench.quantize.states import StateVariable
from qbench.schemes import weights
from qbench.schemes.scalable_kernel import DELTA, GAMMA, NAME, ScalableKernel, is_dense
from qbench.schemes.scheme import SCHEMES, Scheme, SchemeKind
from qbench.schemes.searched_kernel import SearchedKernel

if TYPE_CHECKING:
    from qbench.schemes.entry import Entry

NOTHING, DENSE, ALL = "nothing", "dense", "all"
SEARCH, DEPTH = "search", "depth"
DISTANCE, LOSS = "distance", "loss"
_IMAGES = 1000
"""The most validation images whose loss chooses thresholds."""


@dataclass(frozen=True)
class QualityScalable(weights.Weights):
    """Kernels as scalable codes, with or without quantization of other tensors.

    Attributes:
        retrain: what the quantized steps train. `nothing`: all kernels become values of codes when
            quantization begins. `dense`: only the kernels of other layers do, and dense layers are
            trained with codes of each step. `all`: all layers are.
        gamma: the threshold to 0 in units of sigma; None if it is searched.
        delta: the threshold to 4 in units of sigma; None if it is searched.
        search: what chooses thresholds: `distance`, that of equation 5, or `loss`, that of
            validation images.
    """

    retrain: str = NOTHING
    gamma: float | None = None
    delta: float | None = None
    search: str = DISTANCE

    @property
    def validation_images(self) -> int:
        """The most images whose loss chooses thresholds."""
        return _IMAGES if self.search == LOSS else 0

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        """The thresholds."""
        return StateVariable(GAMMA, initial=0.5), StateVariable(DELTA, initial=1.5)

    def enter(self, phase: str, entry: Entry) -> None:
        """Choose thresholds, and set the kernels that stay as they are to values of codes.

        The thresholds of each kernel are those of the least distance. If the loss chooses, the
        kernels of the network are gone through once, in its order, and each gets the pair of the
        grid with the least loss; the codes of all others stay as they are then.
        """
        grid = self._grid
        # The first and the last kernel may be uniform.
        chosen = [one for one in entry.kernels if isinstance(one.quantizer, ScalableKernel)]
        kernels = [SearchedKernel(self._kernel, one) for one in chosen]
        for kernel in kernels:
            kernel.set(kernel.nearest(*grid))
        if self.search == LOSS:
            least = entry.loss()
            for kernel in kernels:
                least = kernel.improve(least, *grid, entry.loss)

    @property
    def _grid(self) -> tuple[Sequence[float], Sequence[float]]:
        """The values of gamma and of delta that are tried."""
        return (
            GAMMAS if self.gamma is None else (self.gamma,),
            DELTAS if self.delta is None else (self.delta,),
        )

    def holds(self, phase: str, layer: Any) -> bool:
        """Whether the kernels of a layer are values of codes."""
        return self._kernel.is_fixed(layer)

    def check(self, model: Any) -> Sequence[str]:
        """That it has the named layers, and dense ones to train; which vectors run across filters.

        Raises:
            QbenchError: a name matches no layer with a quantized kernel, or nothing is left to
                train.
        """
        from qbench.quantize.analysis import analyse
        from qbench.quantize.traits import kernels

        how = self._kernel
        if self.retrain == DENSE and not any(
            one.trainable_variables and is_dense(one) for one in model.layers
        ):
            raise QbenchError(
                f"quant.scheme.retrain={DENSE}: the network {model.name} has no dense layer to"
                f" train; set quant.scheme.retrain={ALL} or {NOTHING}."
            )
        plan = analyse(model, self.quantization)
        chosen = {name for name, (_, one) in plan.kernels.items() if one == how}
        turned = [
            layer.name
            for layer in model.layers
            if layer.name in chosen
            and any(how.cut(layer, kernel)[1].along != how.along for kernel in kernels(layer))
        ]
        said = f"too few channels for a vector, so vectors run across filters: {listed(turned)}"
        return [said] if turned else []

    def computes_features_once(self, phase: str) -> bool:
        """Whether dense layers alone are trained."""
        return self.retrain == DENSE

    def in_file(self) -> str | None:
        """No LiteRT kernel reads the codes."""
        return (
            f"quant.scheme.name={NAME}: LiteRT has no kernels for codes with a scale for each"
            " vector; docs/quality-scalable.md says how they are written."
        )

    @property
    def _kernel(self) -> ScalableKernel:
        kernel = self.quantization.kernel
        assert isinstance(kernel, ScalableKernel)
        return kernel


_FIXED = {NOTHING: "all", DENSE: "features", ALL: "none"}


def build(
    quant: QuantSettings,
    phi: int,
    length: str,
    along: str,
    scale: str,
    gamma: str,
    delta: str,
    search: str,
    retrain: str,
    layers: tuple[str, ...],
) -> Scheme:
    """The scheme of these settings; `quant.enabled` is true."""
    number = None if length == DEPTH else int(length)
    kernel = ScalableKernel(phi, number, along, scale, _FIXED[retrain])
    quantization = replace(weights.quantization_with(quant, kernel), layers=layers)
    return QualityScalable(
        quantization,
        retrain,
        gamma=None if gamma == SEARCH else float(gamma),
        delta=None if delta == SEARCH else float(delta),
        search=search,
    )


def refuses(quant: QuantSettings, retrain: str, **arguments: Any) -> str | None:
    """The reason why these settings cannot be combined, or None."""
    if quant.fold_batch_norm:
        return f"quant.fold_batch_norm=true: {NAME} codes the kernels themselves; set it to false."
    said = f"quant.scheme.retrain={retrain}"
    if retrain == NOTHING and quant.delay < 1:
        return f"quant.delay={quant.delay:g}: {said} trains no quantized step; set quant.delay=1."
    if retrain != NOTHING and quant.delay == 1:
        return f"quant.delay=1: {said} needs quantized steps; set quant.delay below 1."
    if retrain == DENSE and not quant.freeze_batch_norm:
        return (
            f"quant.freeze_batch_norm=false: {said} keeps all other layers as they are; set"
            " quant.freeze_batch_norm=true."
        )
    return _refuses_search(quant, **arguments) or weights.refuses(quant, NAME)


def _refuses_search(
    quant: QuantSettings, phi: int, gamma: str, delta: str, search: str, **others: Any
) -> str | None:
    """Why there is nothing to search, or no loss to search by; None if there is."""
    if search == LOSS and quant.delay == 0 and not quant.float_activations:
        return (
            f"quant.delay=0: quant.scheme.search={LOSS} reads ranges of activations, and no float"
            " step has measured them; set quant.delay above 0, or quant.activation_bits=float."
        )
    if search == LOSS and gamma != SEARCH and (delta != SEARCH or phi < 4):
        given = "gamma leaves" if phi < 4 else "gamma and delta leave"
        return (
            f"quant.scheme.search={LOSS}: quant.scheme.{given} nothing to search; set"
            f" quant.scheme.gamma={SEARCH}."
        )
    return None


def lacks(quant: QuantSettings) -> frozenset[str]:
    """The settings of `quant` without effect beside these settings."""
    more = frozenset() if quant.first_last == "8" else frozenset({"granularity"})
    return weights.lacks_bits(quant) | more


def _or_word(word: str, described: str, kind: type, check: Any) -> Allowed:
    """A word or a number of a kind; it is stored as text, equal numbers as the same."""

    def read(key: str, value: Any) -> Any:
        if isinstance(value, str) and value != word:
            value = _number(value)
        if isinstance(value, str) and value != word:
            raise checks.wrong(key, value, f"{word} or {described}")
        if value == word:
            return word
        check(key, value)
        return str(kind(value))

    return Allowed(read, lambda: f"`{word}`, or {described}")


def _number(text: str) -> Any:
    """The number that a text says, or the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _layers() -> Allowed:
    """One or more patterns; one that matches every name stands for all."""
    patterns = allowed.patterns()

    def read(key: str, value: Any) -> Any:
        found = patterns.read(key, value)
        if not found:
            raise checks.wrong(key, [], "a list of names such as [conv1,conv2]")
        return EVERY if EVERY[0] in found else found

    return Allowed(read, patterns.describe, patterns.kind)


def _phi(key: str, value: Any) -> Any:
    check_phi(value, key)
    return int(value)


SCHEMES.add(
    NAME,
    SchemeKind(
        build,
        {
            "phi": 4,
            "length": "16",
            "along": CHANNELS,
            "scale": LEAST_SQUARES,
            "gamma": SEARCH,
            "delta": SEARCH,
            "search": DISTANCE,
            "retrain": NOTHING,
            "layers": EVERY,
        },
        checks={
            "phi": Allowed(_phi, lambda: "1, 2 or 4"),
            "length": _or_word(
                DEPTH, "whole number from 1", int, lambda k, v: checks.whole(k, v, 1)
            ),
            "along": allowed.one_of(DIRECTIONS),
            "scale": allowed.one_of(SCALES),
            "gamma": _or_word(
                SEARCH, "number from 0 to 1", float, lambda k, v: checks.number(k, v, 0, 1)
            ),
            "delta": _or_word(SEARCH, "number from 1", float, lambda k, v: checks.number(k, v, 1)),
            "search": allowed.one_of((DISTANCE, LOSS)),
            "retrain": allowed.one_of((NOTHING, DENSE, ALL)),
            "layers": _layers(),
        },
        lacks=lacks,
        weight_bits=lambda phi, **others: bits_of(phi),
        refuses=refuses,
        neutral={"search": DISTANCE, "layers": EVERY},
    ),
)
