"""The threads that every test here has, and files that several of them read."""

import pytest

from qbench.base import device

# Before anything else uses TensorFlow: the number of threads cannot be changed afterwards, and the
# runs of qbench in this process ask for 2.
device.start(2)


@pytest.fixture(scope="session")
def trained() -> bytes:
    """An int8 file of a residual network."""
    from integer_networks import trained_file

    return trained_file()


@pytest.fixture(scope="session")
def various() -> bytes:
    """An int8 file of a network with gates, extremes, moves and resizing."""
    from integer_networks import various_file

    return various_file()


@pytest.fixture(scope="session")
def calibrated() -> bytes:
    """An int8 file of a network with depthwise convolutions."""
    from integer_networks import calibrated_file

    return calibrated_file()
