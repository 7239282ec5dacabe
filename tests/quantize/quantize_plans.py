"""Short ways to analyse small networks, and to ask what an analysis says."""

from __future__ import annotations

from quantize_networks import network, scheme

from qbench.quantize.analysis import analyse

DEPLOY = {"placement": ("deploy",), "op": "fake_quant"}


def planned(build, **quant):
    return analyse(network(build), scheme(**quant))


def reads(plan, name, call=0):
    """(tensor, the layer that quantizes it) of what the layer reads in one of its calls."""
    found = [call for call in plan.calls if call.op.name == name][call]
    return [(read.tensor, read.quantized and read.quantized.layer) for read in found.reads]


def stand_ins(plan):
    return {call.op.name: call.stand_in for call in plan.calls}
