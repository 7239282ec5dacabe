"""The interface of a quantization scheme, and the registry of schemes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from qbench.base.buildable import Buildable
from qbench.base.errors import QbenchError
from qbench.base.foreign import called
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
    def validation_images(self) -> int:
        """The most validation images whose loss `enter` asks for; 0 if it asks for none.

        Data without validation images are refused then.
        """
        return 0

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

    def holds(self, phase: str, layer: Any) -> bool:
        """Whether the steps of a phase change no weight of a layer.

        Moving statistics are no weights that steps change. A scheme without variables is not asked:
        its steps change all weights.
        """
        return False

    def check(self, model: Any) -> Sequence[str]:
        """Check before training that a network has what the scheme needs.

        Args:
            model: the float model, with a state of its own.

        Returns:
            Lines about the network that a person should know.

        Raises:
            QbenchError: the network lacks something.
        """
        return ()

    def computes_features_once(self, phase: str) -> bool:
        """Whether the steps of a phase may read what held layers compute, made once in inference.

        Then the moving averages of ranges stay as they are in this phase. Training does it where
        the held layers give the same for an image in every step: without augmentation, random
        layers before the trained ones, and quantized activations.
        """
        return False

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
            QbenchError: a name is not unique, the ends are not whole numbers in order, or `phases`
                failed.
        """
        found, again = self._listed(start, end), self._listed(0, 0)
        names, ends = [phase.name for phase in found], [phase.end for phase in found]
        if len({FLOAT, *names}) <= len(names) or names != [phase.name for phase in again]:
            raise QbenchError(
                f"{self._title}: its phases are {', '.join(map(str, names))}; expected names that"
                f" differ, are the same for every start and end, and are not {FLOAT}."
            )
        whole = all(type(end) is int for end in ends)
        if not whole or sorted(ends) != ends or not ends or ends[0] < start or ends[-1] != end:
            raise QbenchError(
                f"{self._title}: its phases of {start} to {end} end at {ends}; expected whole"
                " numbers in order, the last one at the end."
            )
        return found

    @property
    def _title(self) -> str:
        return f"scheme {type(self).__name__}"

    def _listed(self, start: int, end: int) -> tuple[PhaseEnd, ...]:
        given: Any = called(f"{self._title}: phases", self.phases, start, end)
        try:
            return tuple(PhaseEnd(*phase) for phase in given)
        except TypeError as error:
            raise QbenchError(
                f"{self._title}: phases gives {given!r}; expected PhaseEnd(name, end) for each."
            ) from error


def _hash(scheme: Scheme) -> int | None:
    try:
        return hash(scheme)
    except TypeError:
        return None


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
        early_steps: by how many steps the quantized steps begin before ceil(delay x steps).
        lacks: the settings of `quant` that have no effect with this scheme, without `quant.`; or a
            function of the settings of `quant` that returns them.
        weight_bits: the bits of a kernel's codes, or a function of the scheme's arguments that
            returns them; None if `quant` chooses them.
        refuses: `(quant, **arguments)` -> a sentence about what the scheme cannot do in this
            configuration, or None.
        neutral: by argument that is newer than records of the scheme, the value that gives the old
            behaviour, in its stored form. It is left out of identities, so that ids stay.
    """

    first_phase: Mapping[str, str] = field(default_factory=dict)
    early_steps: int = 0
    lacks: frozenset[str] | Callable[[Any], frozenset[str]] = frozenset()
    weight_bits: int | Callable[..., int] | None = None
    refuses: Callable[..., str | None] = _nothing
    neutral: Mapping[str, Any] = field(default_factory=dict)

    def counted(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that count in an identity: all but those with their neutral value."""
        return {
            name: value
            for name, value in self.arguments(given).items()
            if name not in self.neutral or value != self.neutral[name]
        }

    def lacking(self, quant: Any) -> frozenset[str]:
        """The settings of `quant` that have no effect beside these settings, without `quant.`."""
        return self.lacks(quant) if callable(self.lacks) else self.lacks

    def own_bits(self, given: Mapping[str, Any]) -> int | None:
        """The bits of a kernel's codes with these arguments; None if `quant` chooses them."""
        if callable(self.weight_bits):
            return self.weight_bits(**self.arguments(given))
        return self.weight_bits

    def made(self, name: str, quant: Any, given: Mapping[str, Any]) -> Scheme:
        """The scheme of a configuration.

        Args:
            name: its name in the configuration.
            quant: the settings of `quant`.
            given: the given arguments.

        Raises:
            QbenchError: `build` failed, or made something else.
        """
        title = f"quant.scheme={name}"
        found = called(f"{title}: build", self.build, quant, **self.arguments(given))
        if not isinstance(found, Scheme):
            raise QbenchError(
                f"{title}: build gives {type(found).__name__}; expected a subclass of Scheme."
            )
        return found

    def impossible(self, name: str, quant: Any, given: Mapping[str, Any]) -> str | None:
        """What the scheme cannot do in a configuration, in a sentence; None if it can be used.

        The arguments are those of `made`.

        Raises:
            QbenchError: `refuses` or `build` failed, or equal arguments give schemes that differ.
                Training looks up the variables of a scheme by the scheme, and would lose them.
        """
        title, arguments = f"quant.scheme={name}", self.arguments(given)
        refused = called(f"{title}: refuses", self.refuses, quant, **arguments)
        if refused:
            return refused
        one, other = (self.made(name, quant, given) for _ in range(2))
        if one != other or _hash(one) is None or _hash(one) != _hash(other):
            raise QbenchError(
                f"{title}: equal arguments give schemes that differ or have no hash; make it a"
                " frozen dataclass that holds no lists."
            )
        return None

    def arguments_in(self, scheme: Scheme, phase: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that count in a phase of this scheme, or in a phase before it."""
        so_far = scheme.names[: scheme.names.index(phase) + 1]
        return {
            name: value
            for name, value in self.counted(given).items()
            if self.first_phase.get(name, so_far[0]) in so_far
        }


SCHEMES: Registry[SchemeKind] = Registry("quant.scheme.name", SchemeKind)
