"""A tiny experiment on the digits, as a configuration describes it."""

from __future__ import annotations

from qbench.config.experiment import Experiment

CONFIG = {
    "data": {"name": "digits", "dir": None, "preprocessing": "vgg", "augment": False, "note": None},
    "model": {"name": "resnet_v1", "blocks": 1, "width": 2, "batch_norm_momentum": 0.9},
    "quant": {
        "enabled": True,
        "op": "qdq_v2",
        "rounding": "half_to_even",
        "bits": 8,
        "weight_bits": None,
        "activation_bits": None,
        "signed": True,
        "placement": ["conv", "activation"],
        "range_given": False,
        "ema_decay": 0.9,
        "delay": 0.5,
    },
    "train": {
        "steps": 10,
        "batch_size": 16,
        "learning_rate": 0.05,
        "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": False},
        "schedule": {"name": "cosine", "end_fraction": 0.0},
        "weight_decay": 1.0e-4,
        "log_every": 1,
    },
    "eval": {"batch_size": 100, "limit": 50},
    "threads": 2,
    "seed": 0,
}


def experiment(model=None, quant=None, train=None):
    """CONFIG with another model, and some values of two groups changed."""
    changed = dict(CONFIG)
    changed["model"] = model or CONFIG["model"]
    changed["quant"] = {**CONFIG["quant"], **(quant or {})}
    changed["train"] = {**CONFIG["train"], **(train or {})}
    return Experiment.from_config(changed)
