"""Simulated quantization: ops, their ranges, their placement, and the rewritten model.

Importing this package imports no TensorFlow; the functions that build graphs do.
"""
