"""Size and latency of ResNet-50's int8 file against its float32 file.

    python benchmarks/resnet50_file.py [--seconds S]

resnet50_v1 at 224x224 with random weights and ranges from two images of noise: nothing is trained,
since neither size nor latency depends on the values. Normalization is random too, because biases
of nothing but zeros would share one place in the file. Invocations are interleaved; ratios are
taken within a round. The reference kernels know no threads and are measured with one.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from common import save

from qbench.base import device
from qbench.config.quant import Quant
from qbench.deploy.latency import LatencySettings, measure
from qbench.tasks.classification import Classification

SHAPE, CLASSES = (224, 224, 3), 10


def network() -> tuple[Any, Any]:
    """The model and its range averages, after one measurement."""
    import keras

    from qbench.data.preprocessing import PREPROCESSING
    from qbench.models import build_model
    from qbench.quantize.ranges import RangeAverages
    from qbench.quantize.rewrite import rewrite

    keras.utils.set_random_seed(0)
    model = build_model("resnet50_v1", {}, SHAPE, Classification(CLASSES))
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight in (layer.beta, layer.moving_mean):
                weight.assign(generator.normal(0, 0.1, weight.shape))
    view = rewrite(model, None)
    averages = RangeAverages(view.tensors, 0.999)
    images = generator.integers(0, 256, (2, *SHAPE), np.uint8)
    averages.include(view.model([PREPROCESSING["vgg"].scale(images)], training=False)[1])
    return model, averages


def files_and_sizes() -> tuple[dict[str, bytes], dict[str, dict[str, float]]]:
    """Both files by name, and MB of 10^6 bytes by size and name."""
    from qbench.deploy.export import export_model
    from qbench.deploy.lite import LiteFile, convert
    from qbench.deploy.packing import packed_file
    from qbench.deploy.sizes import folded_values, megabytes

    model, averages = network()
    kinds = {"float": Quant(enabled=False), "int8": Quant()}
    files = {}
    sizes: dict[str, dict[str, float]] = {"theoretical": {}, "packed": {}, "`.tflite` file": {}}
    for name, quant in kinds.items():
        start = time.perf_counter()
        graph, _ = export_model(model, averages, quant, on_grids=name == "int8")
        files[name] = convert(graph, name)
        print(f"{name} converted in {time.perf_counter() - start:.0f} s", flush=True)
        bits = 32 if name == "float" else quant.bits_of_weights
        sizes["theoretical"][name] = megabytes(folded_values(model), bits)
        sizes["packed"][name] = len(packed_file(model, averages, quant)) / 1e6
        sizes["`.tflite` file"][name] = len(files[name]) / 1e6
    if "float32" in LiteFile(files["int8"], "builtin").dtypes():
        raise SystemExit("the int8 file computes in float")
    return files, sizes


def main() -> None:
    """Print sizes and milliseconds, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each line of the table")
    arguments = parser.parse_args()
    device.start(1)
    files, sizes = files_and_sizes()
    for kind, row in sizes.items():
        print(f"{kind:<15}" + "".join(f"{name:>8}{size:8.2f} MB" for name, size in row.items()))
    fast = LatencySettings(kernels=("xnnpack", "builtin"), seconds=arguments.seconds)
    slow = LatencySettings(kernels=("reference",), threads=(1,), seconds=arguments.seconds)
    rows = [row for chosen in (fast, slow) for row in measure(files, chosen)["rows"]]
    for row in rows:
        median = {name: spread["median"] for name, spread in row["milliseconds"].items()}
        print(
            f"{row['kernels']:<10}{row['threads']:>3} threads{row['runs']:>4} rounds"
            f"  float {median['float']:9.1f} ms  int8 {median['int8']:9.1f} ms"
            f"  ratio {row['ratio']['int8']:.3f}"
        )
    command = f"python benchmarks/resnet50_file.py --seconds {arguments.seconds:g}"
    save("resnet50_file", command, {"megabytes": sizes, "rows": rows})


if __name__ == "__main__":
    main()
