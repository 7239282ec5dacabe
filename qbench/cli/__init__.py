"""The `qbench` command: entry point, Hydra's side, one module a verb."""
