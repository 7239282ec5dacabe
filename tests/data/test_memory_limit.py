"""How much memory a process may use: the machine's, or what control groups of both versions say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qbench.base.memory import usable_memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
OLD, NEW = "sys/fs/cgroup/memory", "sys/fs/cgroup"
FEW, MORE, NONE = 10**6, 2 * 10**6, 9223372036854771712


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("", {}, MACHINE),
        ("0::/a/b", {f"{NEW}/a/b/memory.max": FEW}, FEW),
        ("0::/a/b", {f"{NEW}/a/memory.max": FEW, f"{NEW}/a/b/memory.max": MORE}, FEW),
        ("0::/a/b", {f"{NEW}/a/b/memory.max": "max"}, MACHINE),
        ("0::/a/b", {f"{NEW}/c/memory.max": FEW}, MACHINE),
        ("0::/", {f"{NEW}/memory.max": FEW}, FEW),
        ("0::/hosts/name", {f"{NEW}/memory.max": FEW}, FEW),  # what a container sees
        ("9:cpu:/b\n4:hugetlb,memory:/a", {f"{OLD}/a/memory.limit_in_bytes": FEW}, FEW),
        ("4:memory:/a", {f"{OLD}/memory.limit_in_bytes": FEW,
                         f"{OLD}/a/memory.limit_in_bytes": NONE}, FEW),
        ("4:memory:/a", {f"{OLD}/a/memory.limit_in_bytes": NONE}, MACHINE),
        ("4:memory:/\n0::/a", {f"{NEW}/unified/a/memory.max": FEW}, FEW),
        ("4:cpu:/a", {f"{OLD}/a/memory.limit_in_bytes": FEW}, MACHINE),
    ],
)  # fmt: skip
def test_the_smallest_limit_counts(
    groups: str, files: dict[str, int | str], expected: int, tmp_path: Path
) -> None:
    for name, text in ({"proc/self/cgroup": groups} | files).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n" if text else "")
    assert usable_memory(tmp_path) == expected


def test_another_system_has_no_groups(tmp_path: Path) -> None:
    assert usable_memory(tmp_path) == MACHINE
