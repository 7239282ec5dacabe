"""Compiled training steps, the training loop and evaluation."""
