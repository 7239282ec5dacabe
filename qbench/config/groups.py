"""The groups `data` and `eval` of an experiment; the other groups have modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qbench.base import allowed, checks
from qbench.base.allowed import Allowed
from qbench.base.setting import EVALUATION, NEVER, UNSET, Group, declared, setting
from qbench.config.inputs import NO_AUGMENTATION, augmentations, counted, preprocessings
from qbench.data import DATASETS
from qbench.data.preprocessing import PREPROCESSING, canonical
from qbench.data.slim import LARGEST
from qbench.data.source import check_arguments

G = TypeVar("G", bound=Group)


@dataclass(frozen=True, kw_only=True)
class Data(Group, prefix="data"):
    """`data`: the images and their preparation. Without a resolution they keep their size.

    Attributes:
        arguments: the arguments of the data set, such as `data.fit` of `data=image_folder`. They
            are not part of a run's identity, because the hash of the pixels and targets is.
    """

    name: str = setting(
        check=allowed.name(registry="data.name"),
        help="the name of the data set's reader; choose it with `data=NAME`, or your own"
        " ([docs](own.md)) with `data=FILE.py:NAME`",
    )
    dir: str | None = setting(
        None,
        check=allowed.text_or_null("folder"),
        effect=NEVER,
        help="folder that holds the [files](#files) or [your own](data.md). Null: Keras downloads"
        " them; digits and fashion_part need no files",
    )
    preprocessing: str = setting(
        "vgg",
        check=preprocessings(),
        counts_as=lambda data: canonical(data.preprocessing),
        column="preprocessing",
        place=4,
        levels=("vgg", "inception"),
        help="how [pixels become numbers](protocol.md#preprocessing). `vgg` subtracts channel"
        " means, `inception` rescales to [-1, 1], `scale` to [0, 1], `none` leaves 0 to 255."
        " `mean_std` takes mean and standard deviation of the training images. `keras:NETWORK` is"
        " `preprocess_input` of a network of keras.applications, such as `keras:MobileNetV2`",
    )
    augment: bool | str = setting(
        True,
        check=augmentations(),
        counts_as=lambda data: counted(data.preprocessing, data.augmentation),
        help="the [augmentation](protocol.md#augmentation) of training images. True: the one that"
        " comes with the preprocessing, `slim_vgg` with `vgg`, `slim_inception` with `inception`,"
        " `crop_flip` with all others. False: `none`",
    )
    resolution: int | None = setting(
        None,
        check=allowed.whole(1, 1024).or_null,
        neutral=None,
        help="side of the square images that the network reads; qbench resizes images after"
        " augmentation, and [files](data.md) when it reads them. Null: images keep their size",
    )
    slim_image_size: int | None = setting(
        None,
        check=allowed.whole(1, LARGEST).or_null,
        neutral=None,
        help="side of the square images that slim's own `vgg` or `inception` makes of the images,"
        " [step by step](protocol.md#slims-preprocessing), in training and in evaluation; the paper"
        " has 224, as `study=paper`. Not together with `data.resolution`. Null: the images are not"
        " enlarged in this way",
    )
    validation: float | None = setting(
        None,
        check=allowed.share_or_count().or_null,
        neutral=None,
        help="[validation images](#validation-images): a share of the training images, or a number"
        " of them. The network is not trained on them, and every run reports its metrics on them."
        " Null: no such part",
    )
    validation_seed: int = setting(
        0,
        check=allowed.whole(0, 2**31 - 1),
        neutral=0,
        applies=lambda data: data.validation is not None,
        help="the seed that chooses the validation images; the same images for every row and for"
        " all `seeds`",
    )
    note: str | None = setting(
        None,
        check=allowed.text_or_null(),
        effect=NEVER,
        help="a text that qbench prints with every table and figure of these data. It is plain"
        " text: Markdown and formulas have no effect. It is not part of a run's identity. A sweep"
        " prints the last note that you gave, even if its runs are finished. A command on one RUN"
        " prints the note of that run's training",
    )
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the values, and the arguments of qbench's own data sets."""
        super().__post_init__()
        if self.name in DATASETS.names():
            settings = tuple(found.name for found in declared(type(self)))
            check_arguments(self.name, self.arguments, settings)

    @property
    def augmentation(self) -> str | None:
        """The name of the augmentation of training images; None if there is none."""
        if self.augment is True:
            return PREPROCESSING[self.preprocessing].augment
        return None if self.augment in (False, NO_AUGMENTATION) else str(self.augment)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A name and its arguments: an optimizer, a schedule or a scheme."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        """Equal choices have equal hashes; a mapping has none."""
        return hash(self.name)

    def __str__(self) -> str:
        """The name, as messages and tables print it."""
        return self.name


def chosen_from(table: Any) -> Allowed:
    """A choice among the entries of a table, with the arguments that the entry has."""

    def read(key: str, value: Any) -> Any:
        choice = value if isinstance(value, Choice) else named(Choice, key, value)
        if not table.accepts(choice.name):
            checks.one_of(f"{key}.name", choice.name, table.names())
        table[choice.name].check(key, choice.name, choice.arguments)
        return choice

    def describe() -> str:
        found = ((name, ", ".join(table[name].defaults) or "none") for name in table.names())
        return "; ".join(f"`{name}`: {arguments}" for name, arguments in found)

    return Allowed(read, describe, registry=table.key)


@dataclass(frozen=True, kw_only=True)
class Evaluate(Group, prefix="eval"):
    """`eval`: the evaluation on the test set. Without a limit it uses all test images."""

    batch_size: int = setting(
        100,
        check=allowed.whole(1),
        effect=EVALUATION,
        help="test images in a batch of evaluation. The last batch has fewer images if the number"
        " does not divide; it is not padded. If the op measures ranges, results depend on this"
        " value",
    )
    limit: int | None = setting(
        None,
        check=allowed.whole(1).or_null,
        effect=EVALUATION,
        help="evaluate only the first test images, as many as this number",
    )


def group_from(group: type[G], value: Any, needed: Iterable[str] | None = None) -> G:
    """A group of settings from plain data.

    Args:
        group: the dataclass of the group.
        value: the plain data.
        needed: the required keys; None for the keys without a default.

    Raises:
        QbenchError: the value is not a group, or one of its keys or values is not allowed.
    """
    values = dict(checks.group_of_settings(group.prefix, value))
    known = declared(group)
    names = [found.name for found in known]
    if group is Data:  # it checks the arguments of its data set
        rest = {key: values.pop(key) for key in list(values) if key not in names}
        values |= {"arguments": rest} if rest else {}
    else:
        checks.known_keys(group.prefix, values, names)
    required = [found.name for found in known if found.default is UNSET]
    checks.required_keys(group.prefix, values, required if needed is None else needed)
    return group(**values)


def named(kind: Any, key: str, values: Any) -> Any:
    """A `Model` or `Choice` from plain data: a name, its arguments, and a model's settings."""
    arguments = dict(checks.group_of_settings(key, values))
    name = allowed.name().read(f"{key}.name", arguments.pop("name", None))
    more = [found.name for found in declared(kind)] if issubclass(kind, Group) else []
    settings = {one: arguments.pop(one) for one in more if one in arguments}
    return kind(name=name, arguments=arguments, **settings)
