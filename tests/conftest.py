"""Fixtures that several folders of tests use."""

from __future__ import annotations

import gc
import os
import sys
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import absl.logging
import hypothesis
import pytest
from hydra._internal.hydra import Hydra
from quick_sweeps import figures_are_drawn, mode_of, save_figure_if_looked_at
from slow_variants import VARIANTS

from qbench.cli.main import main
from qbench.engine.networks import NETWORKS
from qbench.report import drawing

# Garbage in cycles is rare beside what lasts: modules, networks and their steps. So collections are
# rare too, and pass over the modules.
gc.disable()

# The same examples everywhere: a suite must not fail on one machine alone.
hypothesis.settings.register_profile("qbench", derandomize=True, deadline=None)
hypothesis.settings.load_profile("qbench")

# Hydra's logging set-up closes all handlers, and absl's (TensorFlow's) then closes its stream if
# that is not the interpreter's own; under pytest it would be the stream that pytest captures.
absl.logging.get_absl_handler().python_handler.setStream(sys.__stderr__)

# Many tests train the same few tiny networks in turn.
NETWORKS.size = 8

# In this process, so that TensorFlow is started once; test_cli_engine.py has sweeps with workers.
TINY = [
    *("study=digits", "train.steps=10", "model.width=4", "eval.limit=150", "threads=2"),
    "isolate=false",
]


@cache
def _may_have_slow_tests(path: Path) -> bool:
    file = path.relative_to(Path(__file__).parent).as_posix()
    return file in VARIANTS or "mark.slow" in path.read_text()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Spare `-m slow` the import of files without a slow test: most of them, in each process."""
    if config.getoption("markexpr") != "slow" or not collection_path.name.startswith("test_"):
        return None
    return None if _may_have_slow_tests(collection_path) else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of `slow_variants` as slow; a line that names no test any more is an error.

    So is a slow test of a file that `pytest_ignore_collect` would leave out.
    """
    named = any("::" in argument for argument in config.args)
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    for file, parts in VARIANTS.items():
        tests = by_file.get(config.rootpath / "tests" / file, [])
        for part in parts:
            found = [item for item in tests if part in item.name]
            if tests and not found and not named:
                raise pytest.UsageError(
                    f"slow_variants: no test of {file} has {part!r} in its name"
                )
            for item in found:
                item.add_marker(pytest.mark.slow)
    for item in items:
        if item.get_closest_marker("slow") and not _may_have_slow_tests(item.path):
            raise pytest.UsageError(f"{item.nodeid}: mark it as pytest.mark.slow in its own file")


def pytest_collection_finish() -> None:
    """Collect garbage again, but not what the import of all modules has left."""
    gc.freeze()
    _first_example()
    gc.enable()
    gc.set_threshold(100_000, 20, 20)


@hypothesis.settings(max_examples=1)
@hypothesis.given(hypothesis.strategies.none())
def _first_example(_: None) -> None:
    """Hypothesis looks through all objects once, before its first example; now they are few."""


def pytest_sessionfinish() -> None:
    """Pytest collects five times at the end, and would only warn of what it finds."""
    gc.freeze()


@cache
def _needs_the_tiny_sweep(file: Path) -> bool:
    return "tiny_sweep" in file.read_text()


# What takes long is begun first, the longest before the others, so that none of it runs alone at
# the end: xdist begins with the files of most tests.
LONG = (
    "engine/test_engine_faults.py",
    "cli/test_cli_launchers.py",
    "tiny_sweep",
    "grammar/test_grammar.py",
    "engine/test_engine_on_disk_slow.py",
    "engine/test_engine_schemes.py",
    "deploy/test_integer_files.py",
    "cli/test_cli_digits.py",
    "cli/test_cli_unconverted.py",
    "cli/test_cli_failures.py",
    "training/test_training_random.py",
    "cli/test_cli_derived.py",
    "engine/test_engine_execute.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process; the files that need `tiny_sweep` share one."""
    from xdist.scheduler import LoadFileScheduling

    tests = config.rootpath / "tests"
    for name in LONG:
        assert name == "tiny_sweep" or (tests / name).is_file(), f"LONG: no file of tests: {name}"

    class Scheduling(LoadFileScheduling):
        def _assign_work_unit(self, node: Any) -> None:
            for name in reversed(LONG):
                unit = name if name == "tiny_sweep" else f"tests/{name}"
                if unit in self.workqueue:
                    self.workqueue.move_to_end(unit, last=False)
            super()._assign_work_unit(node)

        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "tiny_sweep" if _needs_the_tiny_sweep(config.rootpath / file) else file

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def cache_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images go to a folder of this session, not to the user's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("QBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_sweeps() -> Iterator[None]:
    """Sweeps without work that no test looks at; see `quick_sweeps.py`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Hydra, "get_mode", mode_of)
        patched.setattr(drawing, "save_figure", save_figure_if_looked_at)
        # No test is for a loss of power, and what a process wrote outlives the process.
        patched.setattr(os, "fsync", lambda handle: None)
        if saving := sys.modules.get("keras.src.saving.saving_lib"):
            # Keras keeps the answer under another name than it looks for.
            patched.setattr(saving, "get_attr_skipset", cache(saving.get_attr_skipset))
        for name in ("tensorflow.lite.python.lite", "keras.src.backend.common.global_state"):
            if module := sys.modules.get(name):  # each conversion would collect all garbage
                patched.setattr(module, "gc", SimpleNamespace(collect=lambda: 0))
        if module := sys.modules.get("tensorflow.python.util.tf_stack"):
            # Each op of each graph keeps the lines that made it, for messages; here always these.
            lines = module.extract_stack()
            patched.setattr(module, "extract_stack", lambda stacklevel=1: lines)
        if sys.version_info < (3, 12):
            # TensorFlow asks of every value whether it follows a protocol; Python 3.12 knows it.
            patched.setattr(typing, "_get_protocol_attrs", cache(typing._get_protocol_attrs))
        yield


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Overrides that make a run of the digits study take a second."""
    return list(TINY)


@pytest.fixture(scope="session")
def tiny_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the paper's whole design, each run trained for ten steps."""
    folder = tmp_path_factory.mktemp("sweep")
    with figures_are_drawn():
        assert main(["sweep", *TINY, f"out={folder}"]) == 0
    return folder
