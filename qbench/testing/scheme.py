"""Checks that a scheme keeps its contract: first as a value, then on a small network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from qbench.config.quant import Quant
from qbench.quantize.scheme import QuantizationScheme
from qbench.quantize.settings import QuantSettings
from qbench.schemes import SCHEMES, Scheme, SchemeKind
from qbench.testing.assertions import calling, is_sentence, see
from qbench.testing.networks import start

NAME = "checked_scheme"
_SPANS = ((0, 0), (0, 1), (0, 10), (5, 5), (5, 10), (7, 8), (400, 1000))


def check_scheme(
    kind: SchemeKind, quant: Mapping[str, Any] | None = None, /, **arguments: Any
) -> None:
    """Check that a scheme keeps the contract of `qbench.schemes.scheme.Scheme`.

    A small network is trained for a few steps of each phase, with momentum and weight decay.

    Args:
        kind: the scheme that a configuration can choose.
        quant: settings of `quant` that differ from their defaults, without `quant.`.
        arguments: arguments of the scheme; the others have their defaults.

    Raises:
        AssertionError: the scheme breaks the contract; the message says what was found and what
            is expected.
    """
    see(
        isinstance(kind, SchemeKind),
        f"the scheme is of type {type(kind).__name__}; expected a SchemeKind.",
    )
    start()
    settings = Quant(**(quant or {}))
    with SCHEMES.lent(NAME, kind):
        with calling("reading the arguments"):
            kind.check("quant.scheme", NAME, arguments)
            chosen = kind.arguments(arguments)
            refused = kind.refuses(settings, **chosen)
        see(refused is None, f"the scheme refuses these settings: {refused}")
        with calling("build"):
            scheme, twin = (kind.build(settings, **chosen) for _ in range(2))
        _check_equality(scheme, twin)
        _check_values(scheme)
        _check_phases(scheme)
        _check_kind(kind, scheme, settings)
        from qbench.testing.scheme_steps import check_steps

        with calling("training a small network"):
            check_steps({"name": NAME, **arguments}, quant or {}, scheme.names)


def _check_equality(scheme: Any, twin: Any) -> None:
    """Check equality: qbench looks up variables and compiled steps by their scheme."""
    see(isinstance(scheme, Scheme), f"build gives {type(scheme).__name__}; expected a Scheme.")
    see(scheme == twin, "two schemes with equal arguments differ; make it a frozen dataclass.")
    try:
        same = hash(scheme) == hash(twin)
    except TypeError as error:
        raise AssertionError(f"the scheme has no hash ({error}); hold tuples, no lists.") from error
    see(same, "two equal schemes have different hashes.")
    see(scheme != object(), "the scheme equals any object.")


def _check_values(scheme: Scheme) -> None:
    bits, rate, said = scheme.weight_bits, scheme.rate, scheme.in_file()
    see(_is_number(bits) and bits > 0, f"weight_bits is {bits!r}; expected a positive number.")
    see(_is_number(rate) and rate >= 0, f"rate is {rate!r}; expected a number of 0 or more.")
    averages, images = scheme.reads_averages, scheme.validation_images
    see(isinstance(averages, bool), f"reads_averages is {averages!r}; expected a truth value.")
    see(
        type(images) is int and images >= 0,
        f"validation_images is {images!r}; expected a whole number of 0 or more.",
    )
    see(
        said is None or is_sentence(said),
        f"in_file gives {said!r}; expected None or one sentence.",
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and bool(np.isfinite(value))


def _check_phases(scheme: Scheme) -> None:
    with calling("phases"):
        for start, end in _SPANS:
            scheme.checked_phases(start, end)
    for phase in scheme.names:
        see(isinstance(phase, str) and phase.strip(), f"a phase is {phase!r}; expected a name.")
        with calling(f"in_phase({phase!r})"):
            given = scheme.in_phase(phase)
        see(
            isinstance(given, QuantizationScheme),
            f"in_phase({phase!r}) gives {type(given).__name__}; expected a QuantizationScheme.",
        )


def _check_kind(kind: SchemeKind, scheme: Scheme, settings: Quant) -> None:
    known = {one.name for one in fields(QuantSettings)}
    with calling("lacks"):
        other = sorted(set(kind.lacking(settings)) - known)
    see(not other, f"lacks has {other}; expected settings of quant without 'quant.'.")
    for argument, phase in kind.first_phase.items():
        see(
            argument in kind.defaults and phase in scheme.names,
            f"first_phase has {argument}: {phase}; expected an argument and one of the phases"
            f" {', '.join(scheme.names)}.",
        )
