"""The interface of a quantization scheme, and the registry of schemes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from qbench.base.buildable import Buildable
from qbench.base.registry import Registry
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.states import StateVariable
from qbench.schemes.phases import FLOAT, PhaseEnd

if TYPE_CHECKING:
    from qbench.quantize.entry import PixelQuantizer
    from qbench.schemes.entry import Entry


@dataclass(frozen=True)
class Scheme:
    """How kernels and ranges of tensors become codes, and in which phases.

    A scheme is a frozen dataclass. Runs whose schemes are equal use the same variables and compiled
    steps. The methods here are those of a scheme with one phase and without variables.

    Attributes:
        quantization: the quantization of the finished network: in evaluation and in files.
    """

    quantization: QuantizationScheme

    @property
    def rate(self) -> float:
        """The factor of the learning rate for the variables of the scheme that training changes."""
        return 1.0

    @property
    def reads_averages(self) -> bool:
        """Whether results depend on the moving averages of ranges."""
        return True

    @property
    def weight_bits(self) -> int:
        """Bits of a weight for the theoretical size."""
        return self.quantization.weight_bits

    def phases(self, start: int, end: int) -> tuple[PhaseEnd, ...]:
        """The phases of the quantized steps, in order.

        Args:
            start: the first quantized step.
            end: the step after the last one; equal to `start` if there are no quantized steps.

        Returns:
            The phases; the last one ends at `end`. Their names are the same for every start and
            end. A phase may have no steps: then it begins together with the next phase, and after
            the last step before the evaluation.
        """
        return (PhaseEnd("quantized", end),)

    def in_phase(self, phase: str) -> QuantizationScheme:
        """The quantization in the steps of a phase."""
        return self.quantization

    def quantization_in(self, phase: str) -> QuantizationScheme:
        """The result of `in_phase`, with the image of the finished network."""
        return replace(self.in_phase(phase), image=self.quantization.image)

    def of_pixels(self, image: PixelQuantizer | None) -> Self:
        """The same scheme for a network that reads raw pixels; None changes nothing."""
        if image is None:
            return self
        return replace(self, quantization=replace(self.quantization, image=image))

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        """The variables to keep for a quantized kernel of a layer; `kernel` is its variable."""
        return ()

    def tensor_state(self, tensor: str) -> Sequence[StateVariable]:
        """The variables to keep for a quantized tensor; tensors with one range have one state."""
        return ()

    def enter(self, phase: str, entry: Entry) -> None:
        """Set variables of the scheme, and kernels, before the first step of a phase.

        The new values may follow only from the phase and from `entry`. A run that continues inside
        a phase does not enter it again.
        """

    def trains(self, phase: str, state: Mapping[str, Any]) -> Any:
        """The values of a kernel that the steps of a phase change.

        Args:
            phase: the name of the phase.
            state: the variables of the kernel, as tensors by name. A kernel without variables is
                not asked about: its steps change all values.

        Returns:
            A bool tensor of the kernel's shape, or None for all values. The gradient of the other
            values is 0, and no update changes their bits.
        """
        return None

    def in_file(self) -> str | None:
        """One sentence why no LiteRT file can hold such a network; None if a file can."""
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the phases, in order."""
        return tuple(phase.name for phase in self.phases(0, 0))

    def checked_phases(self, start: int, end: int) -> tuple[PhaseEnd, ...]:
        """The result of `phases`, checked.

        Raises:
            ValueError: a name is not unique, or the ends are not in order.
        """
        found = tuple(PhaseEnd(*phase) for phase in self.phases(start, end))
        names, ends = [phase.name for phase in found], [phase.end for phase in found]
        if len({FLOAT, *names}) <= len(names) or names != list(self.names):
            raise ValueError(f"{type(self).__name__}: its phases are {', '.join(names)}")
        if sorted(ends) != ends or not ends or ends[0] < start or ends[-1] != end:
            raise ValueError(f"{type(self).__name__}: its phases of {start} to {end} end at {ends}")
        return found


def _nothing(*_: Any, **__: Any) -> None:
    return None


@dataclass(frozen=True)
class SchemeKind(Buildable):
    """A scheme that a configuration can choose, with its arguments.

    `build(quant, **arguments)` makes the `Scheme` from the settings of `quant`
    (`qbench.quantize.settings.QuantSettings`).

    Attributes:
        first_phase: by argument, the first phase that depends on it. Phases before it are shared by
            runs that differ only in this argument. An argument without an entry counts from the
            first quantized step on.
        lacks: the settings of `quant` that have no effect with this scheme, without `quant.`.
        refuses: `(quant, **arguments)` -> a sentence about what the scheme cannot do in this
            configuration, or None.
    """

    first_phase: Mapping[str, str] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()
    refuses: Callable[..., str | None] = _nothing

    def arguments_in(self, scheme: Scheme, phase: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that count in a phase of this scheme, or in a phase before it."""
        so_far = scheme.names[: scheme.names.index(phase) + 1]
        return {
            name: value
            for name, value in self.arguments(given).items()
            if self.first_phase.get(name, so_far[0]) in so_far
        }


SCHEMES: Registry[SchemeKind] = Registry("quant.scheme.name", SchemeKind)
