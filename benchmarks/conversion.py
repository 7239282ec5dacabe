"""CPU seconds to make and measure the files of the digits study, beside TensorFlow alone.

    python benchmarks/conversion.py

Trains the 16 rows and makes their 17 files in one process, in the order of the table. As in a
sweep, the process has the network with the weights of the run already. After each file TensorFlow
converts the same float network to float32 (`tf.lite`, nothing else), so that both see the same
load. "running" is the runtime's own time for the test images on all kernel paths; it grows with the
number of images, and the rest does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import save, spread

from qbench.deploy.lite import LiteFile
from qbench.engine.converting import convert_folder
from qbench.engine.finished import bring_back
from qbench.planning.settings import REPRESENTATIVE
from qbench.storage import layout, manifests

STUDY = ("sweep", "study=digits")


def seconds(call: Callable[[], Any]) -> float:
    """CPU seconds of this process in a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


class Running:
    """Counts the CPU seconds in which the runtime runs files."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._invoke = LiteFile.invoke
        LiteFile.invoke = lambda file: self._add(file)  # type: ignore[method-assign]

    def _add(self, file: LiteFile) -> None:
        self.seconds += seconds(lambda: self._invoke(file))


def plain(model: Any) -> None:
    """TensorFlow's conversion of a Keras model, and nothing else."""
    import tensorflow as tf

    from qbench.deploy.silence import silenced

    with silenced():
        tf.lite.TFLiteConverter.from_keras_model(model).convert()


def measured(sweep: Path) -> list[dict[str, float]]:
    """The CPU seconds of each file, of running it, and of TensorFlow's own conversion."""
    running, found = Running(), []
    for row in manifests.read_manifest(sweep)["rows"]:
        folder = layout.run_folder(sweep, row["runs"][0]["id"])
        for how in (None,) if row["quantized"] else (None, REPRESENTATIVE):
            model = bring_back(folder, {}).network.model  # in a sweep the network is there
            before = running.seconds
            whole = seconds(lambda: convert_folder(folder, {}, how))  # noqa: B023 called at once
            ran = running.seconds - before
            alone = seconds(lambda: plain(model))  # noqa: B023 called at once
            found.append({"whole": whole, "running": ran, "rest": whole - ran, "plain": alone})
    return found


def main() -> None:
    """Print the figures and keep them."""
    with tempfile.TemporaryDirectory() as place:
        sweep = Path(os.environ.get("SWEEP", place))
        subprocess.run([sys.executable, "-m", "qbench", *STUDY, f"out={sweep}"], check=True)
        files = measured(sweep)[1:]  # the first file also builds the network and starts TensorFlow
    figures = {key: spread([one[key] for one in files]) for key in files[0]}
    ratios = {
        key: sum(one[key] for one in files) / sum(one["plain"] for one in files)
        for key in ("whole", "running", "rest")
    }
    for key, row in figures.items():
        print(f"{key:<10} median {row['median']:.3f} s, best {row['best']:.3f} s")
    for key, ratio in ratios.items():
        print(f"{key:<10} / plain {ratio:.2f}")
    result = {"files": len(files), "seconds": figures, "ratios": ratios}
    save("conversion", "python benchmarks/conversion.py", result)


if __name__ == "__main__":
    main()
