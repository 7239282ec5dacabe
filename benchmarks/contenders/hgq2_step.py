"""HGQ2 on Keras 3: the same network with its quantized convolutions, dense layers and additions.

Its bit widths are learned; the effective bit operations that it counts for them are switched off,
so that only the quantizers' own work is timed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

from protocol import REPOSITORY, batch_of, serve, start_tensorflow, task

WANTED = task()
tf = start_tensorflow(WANTED["threads"])
import hgq  # noqa: E402
import keras  # noqa: E402

package = ModuleType("qbench")  # without installing what else qbench needs
package.__path__ = [str(Path(REPOSITORY, "qbench"))]
sys.modules["qbench"] = package

from qbench.models import MODELS, resnet, resnet50  # noqa: E402


def quantized_layers() -> SimpleNamespace:
    """Keras' layers, those that HGQ2 has a quantized form of replaced."""
    names = [name for name in dir(keras.layers) if not name.startswith("_")]
    layers = SimpleNamespace(**{name: getattr(keras.layers, name) for name in names})
    layers.Conv2D, layers.Dense, layers.Add = hgq.layers.QConv2D, hgq.layers.QDense, hgq.layers.QAdd
    return layers


def main() -> None:
    """Serve steps."""
    images, labels = batch_of(WANTED)
    plain = MODELS[WANTED["model"]](images.shape[1:], 10, **WANTED["arguments"]).count_params()
    resnet.layers = resnet50.layers = quantized_layers()
    with hgq.config.LayerConfigScope(enable_ebops=False):
        model = MODELS[WANTED["model"]](images.shape[1:], 10, **WANTED["arguments"])
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batch = (tf.constant(images, tf.float32) / 127.5 - 1.0, tf.constant(labels))
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()

    def steps(count: int) -> float:
        for _ in range(count):
            logs = model.train_function(batches)
        return float(logs["loss"])

    serve(steps, ("tensorflow", "keras", "hgq2"), parameters=plain)


main()
