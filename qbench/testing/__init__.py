"""Checks for your own code: each one tests whether it keeps a contract of qbench."""

from qbench.testing.data import check_data
from qbench.testing.model import check_model
from qbench.testing.op import check_op
from qbench.testing.scheme import check_scheme
from qbench.testing.task import check_task

__all__ = ["check_data", "check_model", "check_op", "check_scheme", "check_task"]
