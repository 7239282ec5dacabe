"""Optimizers, compiled steps and the training loop."""
