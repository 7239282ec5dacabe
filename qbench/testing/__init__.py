"""Checks for your own code: each one tests whether it keeps a contract of qbench."""

from qbench.testing.task import check_task

__all__ = ["check_task"]
