"""What several files of tests of locks use."""

import pytest
from lock_examples import NOW

from qbench.storage import locks


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


@pytest.fixture
def clock(monkeypatch):
    """Sets the time by which locks are judged."""

    def set_to(moment):
        monkeypatch.setattr(locks, "_now", lambda: moment)

    set_to(NOW)
    return set_to
