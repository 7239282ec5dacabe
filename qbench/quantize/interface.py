"""The interfaces of quantizers: of a tensor of the network, and of kernels.

A scheme provides the quantizers. `Quantizer` and `KernelQuantizer` are those of uniform
quantization. Quantizers are frozen dataclasses, so equal quantizers give one compiled step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from qbench.base.errors import QbenchError
from qbench.quantize.code_book import CodeBook
from qbench.quantize.ops.grid import OpGrid

MULTIPLICATION, SHIFT, SIGN = "multiplication", "shift", "sign"
"""How a weight that is not 0 acts on its input: it multiplies, it shifts bits, or it is a sign. A
kernel of signs multiplies once for each output, by its scale."""
LEARNED = "learned"
"""The source of a range that training learns; see `qbench.quantize.quantizer` for the others."""


class _Quantizing(ABC):  # noqa: B024
    """The members that both kinds of quantizer have.

    Attributes:
        op: the name of the quantization in listings and messages.
        bits: number of bits of a code.
        source: where the range comes from, as listings print it.
    """

    if TYPE_CHECKING:  # fields of the dataclasses; a property here would become their default

        @property
        def op(self) -> str: ...
        @property
        def bits(self) -> int: ...
        @property
        def source(self) -> str: ...

    @property
    def bits_allowed(self) -> tuple[int, int]:
        """Smallest and largest number of bits, both included."""
        return 1, 62

    @property
    def graph_ops(self) -> tuple[str, ...]:
        """TensorFlow's op types; see `qbench.quantize.ops.Op.graph_ops`."""
        return ()

    @property
    def has_grid(self) -> bool:
        """Whether the quantized values lie on grids of equal steps."""
        return False

    def require_grid(self) -> Callable[..., OpGrid]:
        """The function that computes a grid from the ends of a range.

        Raises:
            QbenchError: the values lie on no grid.
        """
        raise QbenchError(
            f"{self.op}: its values lie on no grid of equal steps; no integer file and no packed"
            " form can be made of them."
        )

    def require_codes(self) -> None:
        """Check that its values are codes: on grids of equal steps, or of a code book.

        Raises:
            QbenchError: they are not.
        """
        self.require_grid()

    def with_state(self, state: Mapping[str, Any]) -> Self:
        """The quantizer of one kernel or tensor.

        Args:
            state: the values of its variables by name: tensors in a step, arrays in a conversion.
                It is empty if the scheme keeps no variables for it.
        """
        return self

    def with_bits(self, bits: int) -> Self:
        """The same quantizer with another number of bits."""
        changed: Any = self
        result: Self = replace(changed, bits=bits)
        return result


class TensorQuantizing(_Quantizing):
    """Fake-quantizes a tensor of the network; see `_Quantizing` for its attributes."""

    @abstractmethod
    def __call__(self, x: Any, low: Any, high: Any, *, name: str | None = None) -> Any:
        """Quantize and dequantize x.

        Args:
            x: float32 of any shape.
            low: the smaller end of the range, () float32; its meaning depends on `source`.
            high: the larger end of the range, () float32.
            name: the name of the op.
        """

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of its own range; None if the range of the tensor is the averaged one."""
        return None

    @property
    def takes_own_range(self) -> bool:
        """Whether `given` computes the same bits from exactly the range of x."""
        return False

    def given(self, x: Any, low: Any, high: Any, *, name: str | None = None) -> Any:
        """Like a call, but with these ends for every source."""
        return self(x, low, high, name=name)

    def with_fixed_range(self) -> TensorQuantizing:
        """The same quantizer, with a moving average in place of a range that it measures."""
        return self

    def grid(self, low: float, high: float) -> OpGrid:
        """The grid of the quantized values of a tensor with this range.

        Raises:
            QbenchError: the values lie on no grid.
        """
        return self.require_grid()(low, high)


class KernelQuantizing(_Quantizing):
    """Fake-quantizes kernels of layers; see `_Quantizing` for its attributes.

    Attributes:
        symmetric: whether the grids are symmetric and leave out the lowest code, as in LiteRT.
        multiplies_by: MULTIPLICATION, SHIFT or SIGN.
    """

    if TYPE_CHECKING:

        @property
        def symmetric(self) -> bool:
            """See the class."""

    multiplies_by: str = MULTIPLICATION

    @abstractmethod
    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        """The quantized value.

        Args:
            layer: the owner of the kernel.
            kernel: the variable.
            value: the kernel's value or a value in place of it, in the kernel's shape, float32.
            name: the name of the op.
        """

    def measured(self, value: Any) -> Mapping[str, Any]:
        """The values that a training step stores before it quantizes.

        Args:
            value: the value that a call quantizes.

        Returns:
            Tensors by the names of variables in the kernel's state, which are `measured`.
        """
        return {}

    def scales(self, layer: Any, kernel: Any) -> int:
        """Number of scales of a kernel's codes."""
        return 1

    def side_bits(self, layer: Any, kernel: Any) -> int:
        """Bits beside the codes, such as scales of vectors, for the theoretical size."""
        return 0

    def book(self, layer: Any, kernel: Any, value: Any) -> CodeBook | None:
        """The code book of a kernel; arguments as in a call.

        None if its values lie on the grids of `grids`.
        """
        return None

    def grids(self, layer: Any, kernel: Any, value: Any) -> list[OpGrid]:
        """The grid of each output channel, or one grid for the kernel; arguments as in a call.

        Raises:
            QbenchError: the values lie on no grid.
        """
        grid = self.require_grid()
        return [grid(float(value.min()), float(value.max()))]


class CodeBookQuantizing(KernelQuantizing):
    """Quantizes kernels to the values of code books."""

    def require_codes(self) -> None:
        """Its values are codes of a code book."""
