"""The mutants of files, each tried by the tests that run its line, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from mutation.forked import try_out
from mutation.mutant import Mutant, mutants
from mutation.reach import AT_IMPORT, tests_of

KILLED = ("killed", "hangs")


class _Trials:
    """A plugin of pytest that, in the place of a run, tries mutants with the collected tests."""

    def __init__(self, known: Any, result: str, seconds: float, files: tuple[str, ...]) -> None:
        self.known = known
        self.seconds = seconds
        self.result = Path(result)
        self.files = files
        done = json.loads(self.result.read_text()) if self.result.exists() else []
        self.done = {(one["file"], one["start"], one["end"], one["after"]): one for one in done}

    def pytest_runtestloop(self, session: Any) -> bool:
        """Try the mutants; the result is written after each."""
        collected = {item.nodeid for item in session.items}
        times = {test: took for test, took in self.known["times"].items() if test in collected}
        self.known["times"] = times
        unchanged = Mutant(self.files[0], 1, 1, "", "", 0, 0)
        order = sorted(times, key=times.__getitem__)
        if try_out(unchanged, [*order[:AT_IMPORT], order[-1]], session) != "survived":
            raise SystemExit(
                "without a change a test fails or hangs in a forked process: does a file of tests"
                " run TensorFlow's ops when it is imported, or name its tests anew each time?"
            )
        for file in self.files:
            for mutant in mutants(file):
                place = (mutant.file, mutant.start, mutant.end, mutant.after)
                before = self.done.get(place, {"outcome": "survived", "tests": -1})
                tests = tests_of(mutant, self.known, self.seconds)
                if before["outcome"] in KILLED or before["tests"] >= len(tests):
                    continue
                outcome = {"outcome": try_out(mutant, tests, session), "tests": len(tests)}
                self.done[place] = asdict(mutant) | outcome
                self.result.write_text(json.dumps(list(self.done.values()), indent=1))
        return True

    def listing(self) -> Iterator[str]:
        """A line for each file and each mutant that was not killed."""
        for file in self.files:
            of_file = [one for one in self.done.values() if one["file"] == file]
            left = [one for one in of_file if one["outcome"] not in KILLED]
            yield f"{file}: {len(of_file)} mutants, {len(of_file) - len(left)} killed"
            for one in left:
                place = f"  {one['outcome']}, line {one['line']}:"
                yield f"{place} {one['before']!r} -> {one['after']!r}"


def run(reached: str, result: str, seconds: str, *files: str) -> int:
    """Try all mutants of the files."""
    known = json.loads(Path(reached).read_text())
    trials = _Trials(known, result, float(seconds), files)
    collected = sorted({test.partition("::")[0] for test in known["times"]})
    code = pytest.main(["-q", "-p", "no:cacheprovider", *collected], plugins=[trials])
    print("\n".join(trials.listing()))
    return int(code)
