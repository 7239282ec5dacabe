"""Mutation tests: changes one place of a module at a time and asks whether a test fails.

    python scripts/mutants.py reach REACH.json [PYTEST ARGUMENT ...]
    python scripts/mutants.py run REACH.json RESULT.json SECONDS FILE ...

`reach` runs tests once and notes which line each of them runs, and how long it takes; it needs the
package `coverage`. What the file holds of other tests stays.

`run` makes the mutants of each file. Each is tried in a process of its own, forked once all tests
are collected, by the tests that run its line, the quickest first, until one fails or SECONDS of
tests have passed. What the result holds is not tried again, unless it survived and there are more
tests for it now. See docs/testing.md.
"""

from __future__ import annotations

import sys

from mutation.reach import reach
from mutation.trials import run

if __name__ == "__main__":
    sys.exit({"reach": reach, "run": run}[sys.argv[1]](*sys.argv[2:]))
