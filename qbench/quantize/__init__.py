"""Simulated quantization: ops, the ranges they use, where they go, and the rewritten model.

Importing this package imports no TensorFlow; the functions that build graphs do.
"""
