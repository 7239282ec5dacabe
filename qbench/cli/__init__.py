"""The `qbench` command: the entry point, the code for Hydra, one module for each verb."""
