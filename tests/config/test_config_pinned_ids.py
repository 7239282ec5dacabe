"""Ids of runs and states that are on somebody's disk: whoever changes one trains anew."""

from __future__ import annotations

from typing import Any

import config_examples as examples
import pytest

from qbench.planning.identity import identity, phases
from qbench.planning.segments import Tree
from qbench.storage.records import content_id

FOLDED = {"quant.fold_batch_norm": True}
CHANNELS = {"quant.granularity": "channel"}
UNITS = CHANNELS | {"quant.weight_range": "symmetric_narrow"}

# What is changed of the example; the id of the run, then those of its states at the phases' ends.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "example": ({}, "3b167ba42c65 ea9f7e3b1ab9 30df0413d78a"),
    "float": ({"quant.enabled": False}, "1ce76165c155 323c259b8319"),
    "fake_quant": ({"quant.op": "fake_quant"}, "965b2af1f039 ea9f7e3b1ab9 fdd00fb2b3b1"),
    "moving averages": ({"quant.range_given": True}, "016bb6b2c482 ea9f7e3b1ab9 d65dad2d268a"),
    "folded": (FOLDED, "0922f7a9b1b8 ea9f7e3b1ab9 c3699fefc998"),
    "folded and frozen": (
        FOLDED | {"quant.freeze_batch_norm": True},
        "b9e31ed49815 ea9f7e3b1ab9 cf00d58ba262",
    ),
    "channels": (CHANNELS, "d435087fbf86 ea9f7e3b1ab9 e86f8fe267b7"),
    "symmetric": (
        {"quant.weight_range": "symmetric_narrow"},
        "b068cfabac68 ea9f7e3b1ab9 abd112355734",
    ),
    "symmetric channels": (UNITS, "758bc75c99ff ea9f7e3b1ab9 2341afdead4d"),
    "narrow channels": (
        CHANNELS | {"quant.weight_range": "narrow"},
        "a2d72de12fd4 ea9f7e3b1ab9 b967544d10eb",
    ),
    "first and last": ({"quant.first_last": "8"}, "a9a1eed010b0 ea9f7e3b1ab9 fe17b6a3465e"),
    "tied": (
        {"quant.tie_inputs": True, "quant.range_given": True},
        "9f4a8e07001d ea9f7e3b1ab9 d4f02d4554c2",
    ),
    "bits of both": (
        {"quant.weight_bits": 4, "quant.activation_bits": 6},
        "1491bedc92a1 ea9f7e3b1ab9 344d8ac1ccb7",
    ),
    "xla": ({"train.jit": "on"}, "0d4c8c970d78 d9016d1f0934 7ce54676542b"),
    "float xla": ({"train.jit": "on", "quant.enabled": False}, "edd75a1dc9b8 cf0afd16f966"),
    "rmsprop": ({"train.optimizer": {"name": "rmsprop"}}, "4381b817fbdc f46e075358ba 98ec3889162e"),
    "adam": ({"train.optimizer": {"name": "adam"}}, "2e8d5a25807f 880980fcae0b 81e52dcf3f63"),
    "exponential": (
        {"train.schedule": {"name": "exponential"}},
        "6989abbfb493 faef8a23b61e 66604b5a8272",
    ),
    "constant": (
        {"train.schedule": {"name": "constant"}},
        "2cc845cc449b a5055859ea78 877de6fbde10",
    ),
    "activation": ({"model.activation": "relu6"}, "643c58b4bc80 89a9d6c02a73 ae2f22ad23ac"),
    "resolution": ({"data.resolution": 16}, "385a5bac5be0 6c571e7fd3c4 2a563a9cd686"),
    "slim": ({"data.slim_image_size": 16}, "627ab0b70779 3533f2e6bdd5 2e69daa41635"),
    "quantized at once": ({"quant.delay": 0.0}, "75267b46dd43 d560853784ec"),
    "never quantized": ({"quant.delay": 1.0}, "759a948d70e7 323c259b8319"),
    "evaluation": (
        {"eval.limit": 10, "train.log_every": 5},
        "afe2d0f5a87c ea9f7e3b1ab9 30df0413d78a",
    ),
    "surroundings": (
        {"threads": 1, "deterministic": True, "seeds": [3]},
        "4d1721e6985e 4b31d0263fde b0c828a7a227",
    ),
}


@pytest.mark.parametrize(("values", "ids"), CASES.values(), ids=CASES.keys())
def test_ids_stay(values: dict[str, Any], ids: str) -> None:
    experiment = examples.experiment(values)
    last = Tree([phases(experiment, "common")]).last[0]
    states = [segment.id for segment in last.path]
    assert [content_id(identity(experiment)), *states] == ids.split()
