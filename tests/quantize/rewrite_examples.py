"""Schemes by name, and a network's view with one of them."""

from __future__ import annotations

from quantize_networks import averages_of, images, scheme

from qbench.quantize.rewrite import rewrite

FOLDED = {"placement": ("deploy",), "range_given": True, "fold_batch_norm": True}
SCHEMES = {
    "float": None,
    "default": scheme(),
    "deploy": scheme(**FOLDED, op="fake_quant", tie_inputs=True),
    "frozen": scheme(**FOLDED, freeze_batch_norm=True),
}


def view_of(model, chosen):
    averages = averages_of(model)
    averages.include(rewrite(model, None).model([images()], training=False)[1])
    return rewrite(model, chosen, averages)
