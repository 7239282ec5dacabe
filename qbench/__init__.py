"""qbench: which quantization settings should a network be trained with?"""

__version__ = "0.1.0"
