"""How images become the input of a network and of a file: the settings about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.base import allowed, checks
from qbench.base.allowed import Allowed
from qbench.base.setting import QUANTIZED, Group, setting
from qbench.data.augmentation import AUGMENTATIONS
from qbench.data.augmentation import canonical as canonical_augmentation
from qbench.data.preprocessing import PREPROCESSING, canonical, check_name
from qbench.data.slim import SLIM

NO_AUGMENTATION = "none"


def preprocessings() -> Allowed:
    """A name in PREPROCESSING, or `keras:` and the name of a network."""
    named_ones = allowed.one_of(PREPROCESSING)

    def read(key: str, value: Any) -> Any:
        if isinstance(value, str):
            check_name(key, value)
        return named_ones.read(key, value)

    return Allowed(
        read, lambda: f"{named_ones.describe()}, `keras:NETWORK`", registry=PREPROCESSING.key
    )


def augmentations() -> Allowed:
    """A truth value, or the name of an augmentation."""

    def read(key: str, value: Any) -> Any:
        names = (NO_AUGMENTATION, *AUGMENTATIONS.names())
        if not isinstance(value, bool) and not (isinstance(value, str) and value in names):
            raise checks.wrong(key, value, f"true or false, or {', '.join(names)}")
        return value

    def describe() -> str:
        return ", ".join(f"`{name}`" for name in (NO_AUGMENTATION, *AUGMENTATIONS.names()))

    return Allowed(read, lambda: f"true, false, {describe()}")


def counted(preprocessing: str, augmentation: str | None) -> Any:
    """What identities say of an augmentation.

    It is true for the augmentation that comes with the preprocessing, and false for None.
    """
    if augmentation is None:
        return False
    found = canonical_augmentation(augmentation)
    own = PREPROCESSING[canonical(preprocessing)].augment
    return found == canonical_augmentation(own) or found


def slim_refused(chosen: Any) -> str | None:
    """Why slim's preprocessing cannot make the images of a group `data`, or None.

    Args:
        chosen: the group; without a `slim_image_size` nothing is refused.
    """
    if chosen.slim_image_size is None:
        return None
    key = f"data.slim_image_size={chosen.slim_image_size}"
    if chosen.resolution is not None:
        return f"{key}: data.resolution={chosen.resolution} sets another size; set one of the two."
    if chosen.preprocessing not in SLIM:
        return (
            f"{key}: slim has no data.preprocessing={chosen.preprocessing}; expected"
            f" {' or '.join(SLIM)}."
        )
    own = PREPROCESSING[chosen.preprocessing].augment
    if chosen.augmentation not in (None, own):
        return (
            f"{key}: data.augment={chosen.augmentation} is not part of slim's"
            f" {chosen.preprocessing}; expected true, false or {own}."
        )
    return None


FILE_INPUTS = ("float32", "uint8", "int8")


@dataclass(frozen=True, kw_only=True)
class FileInput(Group, prefix="deploy"):
    """`deploy.input`: the part of the group `deploy` that belongs to a run."""

    input: str = setting(
        "float32",
        check=allowed.one_of(FILE_INPUTS),
        effect=QUANTIZED,
        neutral="float32",
        help="what an int8 file takes. `float32`: what the network reads, as codes of the image's"
        " grid. `uint8`, `int8`: raw pixels p, as p or as p - 128; the quantized phase then rounds"
        " the image to whole pixels, and its grid is that of the pixels"
        " ([deployment](deployment.md#raw-pixels))",
    )

    @property
    def takes_pixels(self) -> bool:
        """Whether int8 files take raw pixels."""
        return self.input != "float32"
