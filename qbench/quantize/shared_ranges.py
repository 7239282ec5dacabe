"""Tensors that share one range because an addition or a concatenation reads them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def groups(joined: Iterable[Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    """The names that share a range with each name, itself included.

    Args:
        joined: for each op that joins tensors, the names of its inputs. If two such ops read one
            tensor, the inputs of both share the range.
    """
    found: dict[str, tuple[str, ...]] = {}
    for names in joined:
        whole = tuple(dict.fromkeys(other for name in names for other in found.get(name, (name,))))
        found |= dict.fromkeys(whole, whole)
    return found
