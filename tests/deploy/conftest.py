from qbench import device

# Before anything else uses TensorFlow: the number of threads cannot be changed afterwards, and a
# run of qbench in the same process asks for its default, 2.
device.start(2)
