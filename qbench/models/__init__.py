"""Models: plain functional Keras networks, without quantization.

Importing this package registers them all; it imports Keras.
"""

from qbench.models import mobilenet, resnet, resnet50
from qbench.models.registry import MODELS, build_model

__all__ = ["MODELS", "build_model", "mobilenet", "resnet", "resnet50"]
