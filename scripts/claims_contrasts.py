"""What each claim compares: differences in percentage points of accuracy, by study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean

BASELINE, DEFAULT = "baseline", "default"
DELAYS = {
    40: "quant.delay=0.4",
    50: "quant.delay=0.5",
    60: "quant.delay=0.6",
    70: "quant.delay=0.7",
    80: DEFAULT,
    90: "quant.delay=0.9",
}

Values = Mapping[str, float]
"""A metric by the label of the row."""

Contrasts = Mapping[str, Callable[[Values], float]]
"""Differences in percentage points by name."""


def mean_of_quantized(values: Values) -> float:
    """The mean of all quantized rows."""
    return fmean(value for row, value in values.items() if row != BASELINE)


def trend(values: Values) -> float:
    """The change from 40 to 90 % along the least-squares line through the six delays."""
    middle = fmean(DELAYS)
    spread = sum((delay - middle) ** 2 for delay in DELAYS)
    rise = sum((delay - middle) * values[row] for delay, row in DELAYS.items())
    return rise / spread * (max(DELAYS) - min(DELAYS))


def less(row: str, other: str) -> Callable[[Values], float]:
    """A row less another one."""
    return lambda values: values[row] - values[other]


PAPER: Contrasts = {
    "mean of the 15 quantized rows less baseline": lambda values: (
        mean_of_quantized(values) - values[BASELINE]
    ),
    "8 bits, QDQv2 (the default) less baseline": less(DEFAULT, BASELINE),
    "FakeQuant less baseline": less("quant.op=fake_quant", BASELINE),
    "FakeQuant less QDQv2": less("quant.op=fake_quant", DEFAULT),
    "half to even less half up": less(DEFAULT, "quant.rounding=half_up"),
    "4 bits less baseline": less("quant.bits=4", BASELINE),
    "16 bits less baseline": less("quant.bits=16", BASELINE),
    "32 bits less baseline": less("quant.bits=32", BASELINE),
    "delay 40 % less delay 80 %": less("quant.delay=0.4", DEFAULT),
    "line through the delays, 40 to 90 %": trend,
    "range measured by the op less range given": less(DEFAULT, "quant.range_given=true"),
    "adds quantized too less not": less("quant.placement=[conv,activation,add]", DEFAULT),
    "vgg less inception": less(DEFAULT, "data.preprocessing=inception"),
    "unsigned less signed": less("quant.signed=false", DEFAULT),
}
"""What each sentence of the paper compares, as a difference in percentage points."""


CONTRIB: Contrasts = {
    "8 bits as contrib.quantize inserted them, less float": less(DEFAULT, BASELINE),
    "the same less QDQv2 (the default)": less(DEFAULT, f"fashion {DEFAULT}"),
    "the same less FakeQuant alone": less(DEFAULT, "fashion quant.op=fake_quant"),
}
"""What TensorFlow 1's create_training_graph made of a network: results/contrib."""

DEEPER: Contrasts = {
    "8 bits less float": less(DEFAULT, BASELINE),
    "4 bits less float": less("quant.bits=4", BASELINE),
}
"""Twenty layers on the grid of int8 files: `study=cifar10_resnet20`."""


def mean_of(values: Values, *words: str) -> float:
    """The mean of the quantized rows with all of these changes.

    Args:
        values: of every row.
        words: changes as in labels, `quant.bits=4`; `quant.bits=` means: its default level.
    """

    def has(parts: list[str], word: str) -> bool:
        given = any(part.startswith(word) for part in parts)
        return not given if word.endswith("=") else word in parts

    labels = {row: row.split(" ") for row in values if row != BASELINE}
    return fmean(
        values[row] for row, parts in labels.items() if all(has(parts, word) for word in words)
    )


def rounding_at(bits: str) -> Callable[[Values], float]:
    """Half to even less half up, over all placements and delays."""
    return lambda values: (
        mean_of(values, bits, "quant.rounding=") - mean_of(values, bits, "quant.rounding=half_up")
    )


def change_at(bits: str, level: str) -> Callable[[Values], float]:
    """A level of a factor less its default level, over all levels of the other factors."""
    key = level.partition("=")[0]
    return lambda values: mean_of(values, bits, level) - mean_of(values, bits, f"{key}=")


_ADDS = "quant.placement=[conv,activation,add]"
FEW_BITS: Contrasts = {
    **{
        f"half to even less half up, {bits} bits": rounding_at(f"quant.bits={bits}")
        for bits in (6, 5, 4, 3)
    },
    **{
        f"adds quantized too less not, {bits} bits": change_at(f"quant.bits={bits}", _ADDS)
        for bits in (6, 5, 4, 3)
    },
    **{
        f"delay 40 % less delay 80 %, {bits} bits": change_at(
            f"quant.bits={bits}", "quant.delay=0.4"
        )
        for bits in (6, 5, 4, 3)
    },
}
"""Roundings, placements and delays below 8 bits: `study=interactions`."""

TIES: Contrasts = {
    "tied less untied, 8 bits": less("quant.tie_inputs=true", DEFAULT),
    "tied less untied, 4 bits": less("quant.bits=4 quant.tie_inputs=true", "quant.bits=4"),
}
"""Inputs of additions with one range or with a range each: `study=ties`."""

JACOB_BITS: Contrasts = {
    f"{bits}-bit weights, 8-bit activations, less the reverse": less(
        f"quant.weight_bits={bits}", f"quant.activation_bits={bits}"
    )
    for bits in (7, 6, 5, 4)
}
"""Below 0: fewer bits of weights cost more than fewer bits of activations."""


def _loss(other: str) -> Callable[[Values], float]:
    """What ReLU6 loses less what ReLU loses, to its own float network."""
    relu = f"{other} model.activation=relu" if other != DEFAULT else "model.activation=relu"
    baseline = "model.activation=relu quant.enabled=false"
    return lambda values: (values[BASELINE] - values[other]) - (values[baseline] - values[relu])


JACOB_ACTIVATION: Contrasts = {
    f"loss with ReLU6 less loss with ReLU, {bits} bits": _loss(
        DEFAULT if bits == 8 else f"quant.bits={bits}"
    )
    for bits in (8, 7, 5, 4)
}
"""Below 0: ReLU6 loses less."""
