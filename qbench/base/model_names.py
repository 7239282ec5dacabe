"""Names in the group `model` that the configuration and the builders of networks share."""

KERAS_FILE = "keras_file"
"""The builder of a saved network, which has weights of its own."""
KERAS_APPLICATION = "keras_application"
"""The builder of a network of `keras.applications`; its arguments are those of the network."""
NO_WEIGHTS, IMAGENET = "none", "imagenet"
"""Values of `model.weights` that are no files."""
KEEP, NEW = "keep", "new"
HEADS = (KEEP, NEW)
"""Values of `model.head`."""
WEIGHTS_KEY, FILE_KEY = "model.weights", "model.file"
"""The keys whose values are files with weights."""
SAVED = (".keras", ".h5", ".hdf5")
"""The endings of files that hold a network."""


def is_saved_network(value: object) -> bool:
    """Whether a value of the configuration is the path of a saved network."""
    return isinstance(value, str) and value.lower().endswith(SAVED)
