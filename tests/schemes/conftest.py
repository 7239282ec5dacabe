"""The threads that every test here has."""

from qbench.base import device

# Before anything else uses TensorFlow: the number of threads cannot be changed afterwards, and the
# runs of qbench in this process ask for 2.
device.start(2)
