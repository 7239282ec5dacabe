"""A setting declared once, at the dataclass field that stores it.

    bits: int = setting(8, check=allowed.whole(1, 62), effect=QUANTIZED, column="bits", help="...")

All code that needs to know a setting reads this declaration: checks, factors, identities, columns
of tables, the defaults that Hydra composes and docs/configuration.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, Final, Literal

from qbench.base.allowed import Allowed, Read
from qbench.base.checks import show as as_typed

Effect = Literal["from the first step", "quantized phase", "evaluation", "never"]
"""When a setting begins to change a run; this decides which training steps runs can share."""
FIRST_STEP: Final = "from the first step"
QUANTIZED: Final = "quantized phase"
EVALUATION: Final = "evaluation"
NEVER: Final = "never"

UNSET: Final = object()
"""Stands for a missing value, because None is a possible value."""

_METADATA = "qbench"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The declaration of a setting.

    Attributes:
        key: dotted configuration key.
        check: the values that are allowed.
        help: what the setting means, in Markdown, for docs/configuration.md.
        default: the value if no file and no override gives one; UNSET if a file must give it.
        effect: when the setting begins to change a run.
        neutral: for a setting that is newer than the first records, the value that gives the old
            behaviour. At this value the setting is left out of identities, so that records keep
            their ids. UNSET if there is none.
        counts_as: makes the value that stands in identities, from the group that holds the setting;
            None for the value itself. Values that mean the same computation count as one.
        applies: says whether the setting has an effect, from the group that holds it; None if it
            always has one. Without an effect it is left out of identities.
        same: says, from the group that holds the setting, whether all its values compute the same
            except for events that are rare enough to be chance; None if they never do.
        column: its column in tables; empty if it has none.
        place: its place among columns and factors; None comes after all places.
        levels: the paper's levels, the default first; empty if the paper does not vary it.
        show: makes the setting's cell in a table, from the group that holds the setting; None to
            show the value as it is typed.
        shown: whether its cell is shown even in rows in which it has no effect.
        figure: file name and title of its loss figure, if the paper has one.
    """

    key: str = ""
    check: Allowed
    help: str
    default: Any = UNSET
    effect: Effect = FIRST_STEP
    neutral: Any = UNSET
    counts_as: Callable[[Any], Any] | None = None
    applies: Callable[[Any], bool] | None = None
    same: Callable[[Any], bool] | None = None
    column: str = ""
    place: int | None = None
    levels: tuple[Any, ...] = ()
    show: Callable[[Any], str] | None = None
    shown: bool = False
    figure: tuple[str, str] | None = None

    @property
    def group(self) -> str:
        """The key without its last part; empty at the top of the configuration."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    def cell(self, group: Any) -> str:
        """The setting's value as tables print it, from the group that holds the setting."""
        return self.show(group) if self.show else as_typed(getattr(group, self.name))


def setting(default: Any = UNSET, *, check: Allowed, help: str, **more: Any) -> Any:
    """A dataclass field that is a setting; without a default, a file must give its value.

    Args:
        default: the value if no file and no override gives one.
        check: the values that are allowed.
        help: what the setting means, in Markdown.
        more: other attributes of a `Setting`; `key` only if it differs from the name of the field.
    """
    declared = Setting(check=check, help=help, default=default, **more)
    given = MISSING if default is UNSET else default
    return field(default=given, metadata={_METADATA: declared})


class Group:
    """A frozen dataclass of settings, which checks each value when it is stored.

    A subclass gives the key of its group: `class Quant(Group, prefix="quant")`.
    """

    prefix: ClassVar[str] = ""

    def __init_subclass__(cls, prefix: str = "") -> None:
        """Stores the key of the group."""
        cls.prefix = prefix

    def __post_init__(self) -> None:
        """Checks every value and stores it in its stored form."""
        group: Any = type(self)
        values = vars(self)
        for name, key, read in _readers(group):
            value = values[name]
            stored = read(key, value)
            if stored is not value:
                object.__setattr__(self, name, stored)


def declared(group: type[Group]) -> tuple[Setting, ...]:
    """The settings of a group, in the order of its fields."""
    return tuple(found for _, found in _fields(group))


@cache
def _readers(group: Any) -> tuple[tuple[str, str, Read], ...]:
    """Field, key and reader of every setting of a group."""
    return tuple((name, found.key, found.check.read) for name, found in _fields(group))


def _fields(group: Any) -> list[tuple[str, Setting]]:
    prefix = f"{group.prefix}." if group.prefix else ""
    found = [(e.name, e.metadata[_METADATA]) for e in fields(group) if _METADATA in e.metadata]
    return [(name, replace(one, key=one.key or f"{prefix}{name}")) for name, one in found]
