"""Two quantization schemes as a user could add them.

`powers` freezes more and more weights at powers of two, in three phases. `learned` has one trained
step size for each kernel and for each tensor (Esser et al. 2020, without their gradient scale).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from qbench.quantize.interface import LEARNED, KernelQuantizing, TensorQuantizing
from qbench.quantize.ops import OpGrid
from qbench.quantize.scheme import scheme_of
from qbench.quantize.states import StateVariable
from qbench.schemes import SCHEMES, Scheme, SchemeKind
from qbench.schemes.phases import PhaseEnd
from qbench.schemes.uniform import impossible_bits

NO_FILE = "quant.scheme.name=powers: its kernels are powers of two, which no LiteRT kernel reads."


@dataclass(frozen=True)
class Unchanged(KernelQuantizing):
    """Passes kernels on: frozen weights are powers of two already, the others are float."""

    op: str = "powers"
    bits: int = 5
    source: str = "powers of two"
    symmetric: bool = False

    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        return tf.identity(value, name=name)


def to_power(x: Any) -> Any:
    """The nearest power of two on a logarithmic scale, with the sign of x; 0 stays."""
    exponent = np.round(np.log2(np.maximum(np.abs(x), 1e-20)))
    return np.where(x == 0, 0.0, np.sign(x) * np.exp2(exponent)).astype(np.float32)


@dataclass(frozen=True)
class Powers(Scheme):
    """Shares of each kernel, the largest weights first, become powers of two and stay."""

    second: float = 0.75
    third: float = 0.875
    finish: bool = False

    def phases(self, start: int, end: int) -> tuple[PhaseEnd, ...]:
        third = (end - start) // 3
        middle = end if self.finish else start + 2 * third
        return PhaseEnd("half", start + third), PhaseEnd("second", middle), PhaseEnd("third", end)

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        return (StateVariable("frozen", tuple(kernel.shape), dtype="bool"),)

    def enter(self, phase: str, entry: Any) -> None:
        shares = (0.0, 0.5, self.second, self.third)
        at = self.names.index(phase)
        for kernel in entry.kernels:
            value, frozen = kernel.value, kernel.state.arrays()["frozen"]
            before, after = (round(share * value.size) for share in shares[at : at + 2])
            order = np.argsort(np.where(frozen, -1.0, np.abs(value)), axis=None, kind="stable")
            chosen = np.zeros(value.size, bool)
            chosen[order[value.size - (after - before) :]] = True
            chosen = chosen.reshape(value.shape)
            kernel.set(np.where(chosen, to_power(value), value))
            kernel.state.set("frozen", chosen | frozen)

    def trains(self, phase: str, state: Mapping[str, Any]) -> Any:
        return tf.logical_not(state["frozen"])

    def in_file(self) -> str | None:
        return NO_FILE


def _powers(quant: Any, **arguments: Any) -> Scheme:
    quantization = scheme_of(quant)
    assert quantization is not None
    kernel = Unchanged()
    edge = quantization.edge_kernel and kernel
    return Powers(replace(quantization, kernel=kernel, edge_kernel=edge), **arguments)


def lsq(x: Any, step: Any, lowest: int, highest: int) -> Any:
    """Values on the grid of a step size. Rounding passes gradients through."""
    codes = tf.clip_by_value(x / step, float(lowest), float(highest))
    return tf.grad_pass_through(tf.round)(codes) * step


class _Learned:
    """What both quantizers of `learned` share; `step` is None until the state is known."""

    bits: int
    step: Any

    @property
    def has_grid(self) -> bool:
        return True

    @property
    @abstractmethod
    def codes(self) -> tuple[int, int]:
        """The smallest and the largest code."""

    def require_grid(self) -> Callable[..., OpGrid]:
        low, high = self.codes
        return lambda *_: OpGrid(float(self.step), 0, low, high - low + 1)

    def with_state(self, state: Mapping[str, Any]) -> Any:
        changed: Any = self
        return replace(changed, step=state["step"])


@dataclass(frozen=True)
class LearnedKernel(_Learned, KernelQuantizing):
    bits: int
    step: Any = None
    op: str = "learned"
    source: str = LEARNED
    symmetric: bool = True

    @property
    def codes(self) -> tuple[int, int]:
        return 1 - 2 ** (self.bits - 1), 2 ** (self.bits - 1) - 1

    def __call__(self, layer: Any, kernel: Any, value: Any, name: str | None = None) -> Any:
        return lsq(value, self.step, *self.codes)


@dataclass(frozen=True)
class LearnedTensor(_Learned, TensorQuantizing):
    bits: int
    step: Any = None
    op: str = "learned"
    source: str = LEARNED

    @property
    def codes(self) -> tuple[int, int]:
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1

    @property
    def ends(self) -> tuple[float, float] | None:
        low, high = self.codes
        return None if self.step is None else (low * float(self.step), high * float(self.step))

    def __call__(self, x: Any, low: Any, high: Any, *, name: str | None = None) -> Any:
        return lsq(x, self.step, *self.codes)


@dataclass(frozen=True)
class Learned(Scheme):
    multiplier: float = 0.1

    @property
    def rate(self) -> float:
        return self.multiplier

    def kernel_state(self, layer: Any, kernel: Any) -> Sequence[StateVariable]:
        return (StateVariable("step", initial=1.0, trained=True),)

    def tensor_state(self, tensor: str) -> Sequence[StateVariable]:
        return (StateVariable("step", initial=1.0, trained=True),)

    def enter(self, phase: str, entry: Any) -> None:
        kernel, tensor = self.quantization.kernel, self.quantization.activation
        for one in entry.kernels:
            highest = 2 ** (kernel.bits - 1) - 1
            one.state.set("step", max(float(np.abs(one.read).max()), 1e-6) / highest)
        for other in entry.tensors:
            highest = 2 ** (tensor.bits - 1) - 1
            other.state.set("step", max(-other.low, other.high, 1e-6) / highest)


def _learned(quant: Any, **arguments: Any) -> Scheme:
    quantization = scheme_of(quant)
    assert quantization is not None
    kernel, tensor = LearnedKernel(quant.bits_of_weights), LearnedTensor(quant.bits_of_activations)
    changed = replace(
        quantization,
        kernel=kernel,
        activation=tensor,
        edge_kernel=quantization.edge_kernel and kernel,
        edge=quantization.edge and tensor,
    )
    return Learned(changed, **arguments)


def _refused(quant: Any, multiplier: float) -> str | None:
    if quant.delay == 0:
        return "quant.delay=0: learned needs float steps, whose ranges give the first step sizes."
    return impossible_bits(quant, _learned(quant).quantization)


TOYS: dict[str, SchemeKind] = {
    "powers": SchemeKind(
        _powers,
        {"second": 0.75, "third": 0.875, "finish": False},
        {"second": (0, 1), "third": (0, 1)},
        first_phase={"second": "second", "third": "third", "finish": "third"},
    ),
    "learned": SchemeKind(
        _learned,
        {"multiplier": 0.1},
        lacks=frozenset({"op", "rounding", "signed", "range_given", "weight_range", "granularity"}),
        refuses=_refused,
    ),
}


def register() -> None:
    """Add the toys to the schemes that a configuration can choose."""
    for name, kind in TOYS.items():
        SCHEMES.add(name, kind)


@contextmanager
def registered() -> Iterator[None]:
    """The toys can be chosen inside this context."""
    register()
    try:
        yield
    finally:
        for name in TOYS:
            del SCHEMES._items[name]


def write_choices(folder: Path) -> str:
    """Write the file of each toy below a folder; returns the flag that makes Hydra read it."""
    group = folder / "quant" / "scheme"
    group.mkdir(parents=True)
    for name, kind in TOYS.items():
        lines = [f"{key}: {str(value).lower()}" for key, value in kind.defaults.items()]
        (group / f"{name}.yaml").write_text("\n".join([f"name: {name}", *lines, ""]))
    return f"--config-dir={folder}"


def no_loss() -> float:
    """Stands for the loss on validation images, for schemes that do not ask for it."""
    raise AssertionError("a scheme asked for the loss on validation images")
