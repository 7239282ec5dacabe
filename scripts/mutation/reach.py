"""Which test runs which line, how long it takes, and so the tests of a mutant."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mutation.mutant import Mutant

QUICK_S = 0.05  # a test that is tried in all its variants, and before any other
AT_IMPORT = 150  # so many of the quickest tests, for what runs when a module is imported


class _Reach:
    """A plugin of pytest that notes the lines and the time of each test."""

    def __init__(self) -> None:
        import coverage

        self.coverage = coverage.Coverage(data_file=None, source=["qbench"], config_file=False)
        self.coverage.start()
        self.times: dict[str, float] = {}

    def pytest_runtest_setup(self, item: Any) -> None:
        """Lines count for this test from here on."""
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """The sum of setting up, calling and tearing down; only tests that pass are of use."""
        took = float("inf") if report.failed else report.duration
        self.times[report.nodeid] = self.times.get(report.nodeid, 0.0) + took

    def save(self, path: str) -> None:
        """Write both as JSON."""
        self.coverage.stop()
        data, lines = self.coverage.get_data(), {}
        for file in data.measured_files():
            by_line = data.contexts_by_lineno(file)
            lines[os.path.relpath(file)] = {k: [c for c in v if c] for k, v in by_line.items()}
        out = Path(path)
        known = json.loads(out.read_text()) if out.exists() else {"times": {}, "lines": {}}
        for file, by_line in lines.items():
            held = known["lines"].setdefault(file, {})
            for row, tests in by_line.items():
                held[str(row)] = sorted({*held.get(str(row), ()), *tests})
        known["times"] |= {test: took for test, took in self.times.items() if took < float("inf")}
        out.write_text(json.dumps(known))


def reach(path: str, *arguments: str) -> int:
    """Run tests and write down what each reaches."""
    plugin = _Reach()
    code = pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[plugin])
    plugin.save(path)
    return int(code)


def tests_of(mutant: Mutant, known: Any, seconds: float) -> list[str]:
    """The tests that run one of a mutant's lines, or any of its file while that is imported."""
    times, lines = known["times"], known["lines"].get(mutant.file, {})
    rows = range(mutant.line, mutant.last + 1)
    found = {test for row in rows for test in lines.get(str(row), ())} & times.keys()
    if not found and any(str(row) in lines for row in rows):  # what runs when it is imported
        found = {test for tests in lines.values() for test in tests} & times.keys()
        return sorted(found, key=lambda test: (times[test], test))[:AT_IMPORT]
    chosen, total = [], 0.0
    variants: Counter[str] = Counter()  # of one test with other parameters
    order = []
    for test in sorted(found, key=lambda test: (times[test], test)):
        name = test.partition("[")[0]
        variants[name] += times[test] > QUICK_S
        order.append((variants[name], times[test], test))
    for _, took, test in sorted(order):
        total += took
        if total > seconds:
            break
        chosen.append(test)
    return chosen
