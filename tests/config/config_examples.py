"""A small valid configuration as plain data, and ways to change it."""

from __future__ import annotations

import copy
from typing import Any

from qbench.config.experiment import Experiment
from qbench.planning.settings import Settings

PLAIN: dict[str, Any] = {
    "study": {"name": "digits", "repeats": None},
    "data": {
        "name": "digits",
        "dir": None,
        "preprocessing": "vgg",
        "augment": False,
        "resolution": None,
        "slim_image_size": None,
        "validation": None,
        "validation_seed": 0,
        "note": None,
    },
    "model": {
        "name": "resnet_v1",
        "weights": None,
        "weights_strict": True,
        "head": "keep",
        "freeze": [],
        "blocks": 1,
        "width": 16,
        "batch_norm_momentum": 0.9,
    },
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
        "weight_range": "op",
        "granularity": "tensor",
        "first_last": "same",
        "fold_batch_norm": False,
        "freeze_batch_norm": False,
        "tie_inputs": False,
        "ema_decay": 0.999,
        "delay": 0.8,
        "scheme": {"name": "uniform"},
    },
    "train": {
        "steps": 100,
        "batch_size": 64,
        "learning_rate": 0.05,
        "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": False},
        "schedule": {"name": "cosine", "end_fraction": 0.0},
        "weight_decay": 0.0005,
        "class_weights": "none",
        "balanced_batches": False,
        "log_every": 1,
        "checkpoint_every": None,
        "jit": "auto",
        "auto_every": 100,
        "auto_patience": 10,
        "auto_min_delta": 0.0,
        "auto_most": 100_000,
    },
    "eval": {"batch_size": 100, "limit": None},
    "design": {
        "name": "ofat",
        "resolution": None,
        "baseline": True,
        "factors": None,
        "levels": None,
        "rows": [],
        "ensembles": [],
        "ensemble_draws": "disjoint",
    },
    "stats": {"reference": None, "method": "paired", "margin": 0.5},
    "seeds": [0],
    "threads": 2,
    "deterministic": False,
    "out": None,
    "deploy": {
        "enabled": False,
        "calibration": "representative",
        "seeds": None,
        "input": "float32",
    },
    "share": True,
    "keep_trunks": False,
    "retries": 1,
    "fail_fast": False,
    "isolate": True,
    "device": "auto",
    "workers": 1,
    "track": None,
    "budget": None,
    "stop_when": None,
    "job": None,
}

OPTIMIZER_EXAMPLES: dict[str, dict[str, Any]] = {
    "sgd": {"name": "sgd", "momentum": 0.9, "nesterov": False},
    "adam": {"name": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    "rmsprop": {"name": "rmsprop", "rho": 0.9, "momentum": 0.9, "epsilon": 1.0},
}
SCHEDULE_EXAMPLES: dict[str, dict[str, Any]] = {
    "constant": {"name": "constant"},
    "cosine": {"name": "cosine", "end_fraction": 0.0},
    "exponential": {"name": "exponential", "factor": 0.94, "every": 1000},
}


def changed(values: dict[str, Any]) -> dict[str, Any]:
    """PLAIN with the values at some dotted keys replaced (or added)."""
    config = copy.deepcopy(PLAIN)
    for key, value in values.items():
        *groups, name = key.split(".")
        node = config
        for group in groups:
            node = node[group]
        node[name] = value
    return config


def without(key: str) -> dict[str, Any]:
    """PLAIN without one dotted key."""
    config = copy.deepcopy(PLAIN)
    *groups, name = key.split(".")
    node = config
    for group in groups:
        node = node[group]
    del node[name]
    return config


def settings(values: dict[str, Any] | None = None) -> Settings:
    return Settings.from_config(changed(values or {}))


def experiment(values: dict[str, Any] | None = None) -> Experiment:
    return settings(values).base


def dotted_keys(config: dict[str, Any], prefix: str = "") -> set[str]:
    """All keys of nested dicts that hold something else than a dict."""
    keys: set[str] = set()
    for key, value in config.items():
        if isinstance(value, dict):
            keys |= dotted_keys(value, f"{prefix}{key}.")
        else:
            keys.add(f"{prefix}{key}")
    return keys


def is_one_line(error: Any) -> bool:
    """Whether the message of a caught error (pytest's excinfo) is one line that ends well."""
    text = str(error.value)
    return "\n" not in text and text[-1] in ".?" and len(text) < 400
