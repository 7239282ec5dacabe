"""Contracts that anybody can run on an implementation of their own."""

from qbench.testing.task import check_task

__all__ = ["check_task"]
