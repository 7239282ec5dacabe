"""Rows that are computed from finished runs of other rows; a module for each kind."""

from qbench.planning.derived import ensemble
from qbench.planning.derived.kind import (
    DERIVED,
    DerivedRow,
    DerivedRun,
    Kind,
    Member,
    MemberKey,
    run_name,
)

__all__ = [
    "DERIVED",
    "DerivedRow",
    "DerivedRun",
    "Kind",
    "Member",
    "MemberKey",
    "ensemble",
    "run_name",
]
