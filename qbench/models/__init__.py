"""Models: plain functional Keras networks, without quantization.

Importing this package registers them all; it imports Keras.
"""

from qbench.models import keras_application, keras_file, mobilenet, plain, resnet, resnet50, vgg
from qbench.models.registry import MODELS, build_model

__all__ = [
    "MODELS",
    "build_model",
    "keras_application",
    "keras_file",
    "mobilenet",
    "plain",
    "resnet",
    "resnet50",
    "vgg",
]
