"""`python -m qbench` is the same command as `qbench`."""

from qbench.cli import main

raise SystemExit(main())
