"""Contracts that you can test your own implementation against."""

from qbench.testing.task import check_task

__all__ = ["check_task"]
