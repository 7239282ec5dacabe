"""What a training step spends its time on, op by op, and how far it is from the arithmetic limit.

    python benchmarks/profile_step.py [NETWORK]

Runs qbench's float and quantized steps under TensorFlow's profiler. Seconds of ops are summed over
the threads that run them side by side, so they add up to more than the step. The limit is the
arithmetic of the convolutions (forward and both gradients) at the rate of a large matrix product on
this machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import HERE, save
from step import NETWORKS

sys.path.insert(0, str(HERE / "contenders"))

STEPS = 10
SHOWN = 14
VARIANTS = ("float", "qdq_v2", "fake_quant")


def op_seconds(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Seconds and calls of each op type in a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    (path,) = folder.glob("**/*.xplane.pb")
    space.ParseFromString(path.read_bytes())
    seconds: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for plane in space.planes:
        names = {key: entry.name for key, entry in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            _, colon, op = names[event.metadata_id].partition(":")
            op = op.partition("#")[0].strip()
            if colon and op and not op.startswith("__") and op.isidentifier():
                seconds[op] += event.duration_ps / 1e12
                calls[op] += 1
    return seconds, calls


def profiled(steps: Any) -> dict[str, Any]:
    """Milliseconds of a step, and of its ops."""
    import tensorflow as tf

    steps(STEPS)
    start = time.perf_counter()
    steps(3 * STEPS)
    whole = (time.perf_counter() - start) / (3 * STEPS)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        steps(STEPS)
        tf.profiler.experimental.stop()
        seconds, calls = op_seconds(Path(folder))
    ops = {
        op: {"milliseconds": 1000 * taken / STEPS, "calls": calls[op] / STEPS}
        for op, taken in seconds.most_common(SHOWN)
    }
    return {"step": 1000 * whole, "ops": ops}


def convolution_flops(model: Any, batch: int) -> float:
    """Floating-point operations of a step's convolutions and dense layers, gradients included.

    Two for each multiplication and addition; three passes (output, gradient of the kernel, gradient
    of the input), of which the first layer lacks the last.
    """
    from qbench.quantize.traits import is_convolution, kernels

    once = []
    for layer in filter(is_convolution, model.layers):
        places = layer.output.shape[1:-1]
        per_place = 2.0 * float(kernels(layer)[0].shape.num_elements())
        for side in places:
            per_place *= side
        once.append(per_place * batch)
    return 3 * sum(once) - once[0]


def gemm_rate(size: int = 3072) -> float:
    """Floating-point operations a second of a large float32 matrix product; best of ten."""
    import tensorflow as tf

    a, b = tf.random.normal((size, size)), tf.random.normal((size, size))
    product = tf.function(lambda: tf.linalg.matmul(a, b)[0, 0])
    product()
    best = min(_timed(product) for _ in range(10))
    return float(2 * size**3 / best)


def _timed(function: Any) -> float:
    start = time.perf_counter()
    function().numpy()
    return time.perf_counter() - start


def one(network: str, variant: str) -> dict[str, Any]:
    """Profile one variant, in this process."""
    chosen = NETWORKS[network]
    wanted = {
        "model": chosen.model,
        "arguments": chosen.arguments,
        "batch": chosen.batch,
        "side": chosen.side,
        "threads": 2,
        "variant": variant,
    }
    sys.argv[1:] = [json.dumps(wanted)]
    import protocol

    found: dict[str, Any] = {}
    protocol.serve = lambda steps, packages, **facts: found.update(profiled(steps))  # type: ignore[assignment]
    import qbench_step

    model = qbench_step.network_of(qbench_step.experiment()).model
    found["gflop"] = convolution_flops(model, chosen.batch) / 1e9
    found["gemm_gflop_per_second"] = gemm_rate() / 1e9
    return found


def main() -> None:
    """Profile each variant in a process of its own; print and keep the tables."""
    if len(sys.argv) == 3:
        print("found", json.dumps(one(sys.argv[1], sys.argv[2])))
        return
    network = sys.argv[1] if len(sys.argv) > 1 else "resnet20"
    result = {}
    for variant in VARIANTS:
        done = subprocess.run(
            [sys.executable, __file__, network, variant],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        (line,) = [text for text in done.stdout.splitlines() if text.startswith("found ")]
        result[variant] = json.loads(line[6:])
        print(f"{variant}: {result[variant]['step']:.1f} ms a step")
        for op, row in result[variant]["ops"].items():
            print(f"    {op:<42}{row['milliseconds']:8.2f} ms{row['calls']:8.1f} calls")
    facts = result["float"]
    limit = facts["gflop"] / facts["gemm_gflop_per_second"] * 1000
    print(
        f"convolutions: {facts['gflop']:.1f} GFLOP a step; a matrix product reaches"
        f" {facts['gemm_gflop_per_second']:.0f} GFLOP/s: limit {limit:.1f} ms"
    )
    save(f"profile_{network}", f"python benchmarks/profile_step.py {network}", {"variants": result})


if __name__ == "__main__":
    main()
