"""Code books: the values of kernels that lie on no grid of equal steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbench.base.errors import QbenchError

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CodeBook:
    """The values that the weights of a kernel can have: scales * levels[code].

    Attributes:
        levels: (n,) float32, ascending; the code of a level is its index.
        scales: (1,) or (channels,) float32, one factor for the kernel or for each output channel.
    """

    levels: Floats
    scales: Floats

    def codes(self, name: str, columns: Any) -> NDArray[np.int32]:
        """The code of each weight.

        Args:
            name: the name of the kernel, for the message.
            columns: the quantized kernel, (n, channels) float32.

        Returns:
            (n, channels) int32.

        Raises:
            QbenchError: a weight is none of the values of its channel.
        """
        found = np.zeros(np.shape(columns), np.int32)
        known = np.zeros(np.shape(columns), bool)
        for code, level in enumerate(self.levels):
            same = np.asarray(columns) == level * self.scales
            found[same & ~known] = code
            known |= same
        if not known.all():
            value = float(np.asarray(columns)[~known][0])
            raise QbenchError(
                f"{name}: a weight is {value:.6g}, which is not in the code book that the scheme"
                " says it has."
            )
        return found
