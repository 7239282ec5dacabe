"""`python -m qbench` is the same command as `qbench`."""

from qbench.cli.main import main

raise SystemExit(main())
