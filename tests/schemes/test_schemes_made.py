"""Schemes that cannot be made, or that training would confuse: refused before anything trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from qbench.base.errors import QbenchError
from qbench.config.quant import Quant
from qbench.quantize.scheme import scheme_of
from qbench.schemes import Scheme, SchemeKind


@dataclass(frozen=True)
class Held(Scheme):
    """Holds anything."""

    held: Any = None


class Unequal(Scheme):
    """Equals nothing but itself, so its variables would be made anew in every step."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _boom(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom.")


FAILED = rf"failed at {__file__}:\d+ \(RuntimeError: boom\)\.$"
DIFFER = "equal arguments give schemes that differ or have no hash"
# How it is made, whether it refuses, the end of the sentence.
WRONG: dict[str, tuple[Any, Any, str]] = {
    "build": (_boom, None, f"build {FAILED}"),
    "no scheme": (lambda quant: 3, None, "build gives int; expected a subclass of Scheme"),
    "refuses": (lambda quant: Held(scheme_of(quant)), _boom, f"refuses {FAILED}"),
    "a list": (lambda quant: Held(scheme_of(quant), [1]), None, DIFFER),
    "identity": (lambda quant: Unequal(scheme_of(quant)), None, DIFFER),
    "a number": (lambda quant: Held(scheme_of(quant), float("nan")), None, DIFFER),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_scheme_that_training_would_confuse_is_one_sentence(case: str) -> None:
    build, refuses, said = WRONG[case]
    kind = SchemeKind(build, refuses=refuses) if refuses else SchemeKind(build)
    with pytest.raises(QbenchError, match=rf"^quant\.scheme=own: {said}"):
        kind.impossible("own", Quant(), {})


def test_a_scheme_that_can_be_used_is_made_of_its_arguments() -> None:
    kind = SchemeKind(lambda quant, held: Held(scheme_of(quant), held), {"held": 1})
    assert kind.impossible("own", Quant(), {"held": 2}) is None
    assert kind.made("own", Quant(), {"held": 2}) == Held(Quant().quantization, 2)
    refuses = SchemeKind(kind.build, kind.defaults, refuses=lambda quant, held: f"not {held}.")
    assert refuses.impossible("own", Quant(), {"held": 2}) == "not 2."
