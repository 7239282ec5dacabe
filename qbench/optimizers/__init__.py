"""Optimizers, learning-rate schedules, fused updates."""
