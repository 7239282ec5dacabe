"""The shipped networks: what `qbench graph` lists is what their files quantize."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from deploy_examples import measured
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from qbench.base.paths import config_folder
from qbench.cli.hydra_app import settings_of
from qbench.cli.listing import list_graph
from qbench.config.experiment import Experiment
from qbench.data import DATASETS
from qbench.deploy.export import export_model
from qbench.deploy.grids import tensor_grid
from qbench.deploy.lite import LiteFile, convert
from qbench.models import build_model
from qbench.quantize.scheme import scheme_of

# A choice of data and model, and how many kernels and other tensors are quantized.
SHIPPED = [
    ("data=digits", "model=resnet_digits", 10, 15),
    ("data=cifar10", "model=resnet8", 10, 15),
    pytest.param("data=cifar10", "model=resnet20", 22, 33, marks=pytest.mark.slow),
    pytest.param("data=digits", "model=mobilenet_digits", 28, 30, marks=pytest.mark.slow),
]


def chosen(*overrides: str) -> Experiment:
    """The configuration that a user's overrides give."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(Path(config_folder())), version_base="1.3"):
        overrides = ("study=digits", "quant=deploy", *overrides)
        return settings_of(compose("config", overrides=list(overrides))).base


def int8_constants(content: bytes) -> list[Any]:
    """The kernels that stand in a file, each once."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    (graph,) = model.subgraphs
    return [
        tensor
        for tensor in graph.tensors
        if tensor.type == schema.TensorType.INT8 and model.buffers[tensor.buffer].data is not None
    ]


@pytest.mark.parametrize(("data", "network", "kernels", "tensors"), SHIPPED)
def test_the_list_of_a_graph_is_what_its_file_quantizes(data, network, kernels, tensors):
    experiment = chosen(data, network)
    source = DATASETS[experiment.data.name]
    tf.keras.utils.set_random_seed(1)
    model = build_model(
        experiment.model.name, experiment.model.arguments, source.shape, source.make_task()
    )
    images = np.random.default_rng(2).normal(size=(16, *source.shape)).astype(np.float32)
    averages = measured(model, images)
    graph, left_float = export_model(model, averages, experiment.quant)
    assert left_float == []
    content = convert(graph, "int8")

    listed = [found.insertion for found in list_graph(experiment).quantizers]
    assert sum(one.is_kernel for one in listed) == kernels == len(int8_constants(content))
    roots = [one.root for one in listed if not one.is_kernel]
    assert len(set(roots)) == len(roots) == tensors
    rows = dict(zip(averages.tensors, averages.averages.numpy(), strict=True))
    grids = [
        tensor_grid(*map(float, rows[name]), scheme_of(experiment.quant).activation)
        for name in roots
    ]
    found = sorted(LiteFile(content, "builtin").activation_grids())
    expected = sorted((grid.scale, grid.zero_point) for grid in grids)
    assert len(found) == len(expected)
    for made, grid in zip(found, expected, strict=True):
        assert made == pytest.approx(grid, rel=1e-5)
