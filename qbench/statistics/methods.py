"""The methods of comparison."""

from __future__ import annotations

from typing import Literal

Method = Literal["paired", "dunnett"]
PAIRED: Method = "paired"
DUNNETT: Method = "dunnett"
METHODS = (PAIRED, DUNNETT)
LEVEL = 0.95
FEW = 5  # below this number of seeds, intervals show only large effects
LEAST_OF_DUNNETT = 8
