"""Seconds of a training step: qbench against other tools, contenders interleaved.

    python benchmarks/step.py                          # all networks, all contenders
    python benchmarks/step.py resnet8 --rounds 20      # one network
    python benchmarks/step.py resnet20 --only qbench --only keras

Every contender is a process of its own with the same network, batch, data type and number of
threads; in each round every one of them takes its turn, so that a busy machine slows all alike, and
ratios are taken within a round. Other tools are run from virtual environments that
`make bench-peers` fills; those that are missing are left out and named.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import HERE, ratios, save, spread

PEERS = HERE.parent / ".peers"


@dataclass(frozen=True)
class Contender:
    """A tool in one of its settings.

    `environment` is None for qbench's own; `folder` holds the script, and with it the state of
    qbench that is measured.
    """

    tool: str
    variant: str
    script: str
    environment: str | None = None
    folder: Path = HERE / "contenders"

    @property
    def name(self) -> str:
        """As tables print it."""
        return f"{self.tool}, {self.variant}"

    @property
    def python(self) -> Path:
        """The interpreter that runs it."""
        own = Path(sys.executable)
        return own if self.environment is None else PEERS / self.environment / "bin" / "python"


CONTENDERS = (
    Contender("qbench", "float", "qbench_step.py"),
    Contender("qbench", "float, no ranges", "qbench_step.py"),
    Contender("qbench", "qdq_v2", "qbench_step.py"),
    Contender("qbench", "qdq_v2, range given", "qbench_step.py"),
    Contender("qbench", "qdq_v2, XLA", "qbench_step.py"),
    Contender("qbench", "fake_quant", "qbench_step.py"),
    Contender("qbench", "deploy", "qbench_step.py"),
    Contender("qbench", "deploy, frozen", "qbench_step.py"),
    Contender("qbench", "input alone, vgg", "qbench_step.py"),
    Contender("qbench", "input alone, inception", "qbench_step.py"),
    Contender("keras", "as it comes", "keras_step.py"),
    Contender("keras", "no XLA", "keras_step.py"),
    Contender("tf_keras", "float", "tfmot_step.py", "tfmot"),
    Contender("tfmot", "quantize_model", "tfmot_step.py", "tfmot"),
    Contender("torch", "float", "torch_step.py", "torch"),
    Contender("torch", "prepare_qat_fx", "torch_step.py", "torch"),
    Contender("hgq2", "learned bits", "hgq2_step.py", "hgq2"),
)


@dataclass(frozen=True)
class Network:
    """What is trained: a builder's name, the batch and the images' side."""

    name: str
    batch: int
    side: int
    model: str
    arguments: dict[str, Any]
    steps: int


NETWORKS = {
    "resnet8": Network("resnet8", 128, 32, "resnet8", {}, 6),
    "resnet20": Network("resnet20", 128, 32, "resnet_v1", {"blocks": 3}, 3),
    "resnet50_32": Network("resnet50_32", 8, 32, "resnet50_v1", {}, 3),
    "resnet50_64": Network("resnet50_64", 8, 64, "resnet50_v1", {}, 2),
    "resnet50_224": Network("resnet50_224", 8, 224, "resnet50_v1", {}, 1),
}
# Measured only if named: a step of study=paper takes seconds on a small machine.
ON_REQUEST = ("resnet50_224",)

# Numerator, denominator and the largest ratio aimed at.
TARGETS = (
    ("qbench, float, no ranges", "keras, as it comes", 0.75),
    ("qbench, float", "qbench, float, no ranges", 1.10),
    ("qbench, qdq_v2", "qbench, float", 1.15),
    ("qbench, qdq_v2, range given", "qbench, float", 1.15),
    ("qbench, fake_quant", "qbench, float", 1.15),
    ("qbench, deploy", "qbench, float", 1.15),
    ("qbench, deploy, frozen", "qbench, float", 1.15),
    ("qbench, qdq_v2, XLA", "qbench, qdq_v2", 1.0),
    ("qbench, input alone, vgg", "qbench, float", 0.2),
    ("qbench, input alone, inception", "qbench, float", 0.2),
    ("qbench, fake_quant", "tfmot, quantize_model", 0.85),
    ("qbench, qdq_v2", "tfmot, quantize_model", 0.85),
    ("qbench, deploy, frozen", "tfmot, quantize_model", 0.85),
    ("qbench, float", "torch, float", 1.0),
    ("qbench, qdq_v2", "torch, prepare_qat_fx", 1.0),
)


class Running:
    """A contender's process."""

    def __init__(self, contender: Contender, network: Network, threads: int) -> None:
        """Starts it; `ready` waits until it is warm."""
        wanted = {
            "network": network.name.partition("_")[0],
            "model": network.model,
            "arguments": network.arguments,
            "batch": network.batch,
            "side": network.side,
            "threads": threads,
            "variant": contender.variant,
        }
        self.contender = contender
        self.seconds: list[float] = []
        self._process = subprocess.Popen(
            [contender.python, contender.folder / contender.script, json.dumps(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ready(self) -> dict[str, Any]:
        """Its versions and facts."""
        return dict(json.loads(self._answer("ready")))

    def turn(self, steps: int) -> None:
        """One round: `steps` training steps."""
        self.seconds.append(self._steps(steps) / steps)

    def _steps(self, steps: int) -> float:
        """Seconds of so many steps."""
        assert self._process.stdin is not None
        print(steps, file=self._process.stdin, flush=True)
        return float(self._answer("took"))

    def warm_up(self) -> None:
        """One step that does not count: caches and threads were another's."""
        self._steps(1)

    def rest(self) -> None:
        """Gives memory back: of resnet20's contenders 24 GB do not hold all at once."""
        assert self._process.stdin is not None
        print("rest", file=self._process.stdin, flush=True)
        self._answer("rested")

    def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self, word: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(word):
                return line[len(word) :]
        raise RuntimeError(f"{self.contender.name}: the process ended without an answer")


def measure(network: Network, chosen: Sequence[Contender], rounds: int, threads: int) -> Any:
    """Seconds of a step for each contender, round by round."""
    running = []
    facts = {}
    try:
        for contender in chosen:
            one = Running(contender, network, threads)
            running.append(one)
            try:
                facts[contender.name] = one.ready()
                one.rest()
            except RuntimeError as error:
                print(error, flush=True)
                running.pop().stop()
        shuffle = random.Random(0).shuffle
        order = list(running)
        for _ in range(rounds):
            shuffle(order)  # nobody always follows the same one
            for one in order:
                time.sleep(0.3)  # until the threads of the one before have gone to sleep
                one.warm_up()
                one.turn(network.steps)
                one.rest()
    finally:
        for one in running:
            one.stop()
    return {one.contender.name: one.seconds for one in running}, facts


def table(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Milliseconds of a step, and every ratio that has a target."""
    rows = {name: spread([1000 * s for s in taken]) for name, taken in seconds.items()}
    compared = {
        f"{above} / {below}": {"aim": aim, **ratios(seconds[above], seconds[below])}
        for above, below, aim in TARGETS
        if above in seconds and below in seconds
    }
    return {"milliseconds": rows, "ratios": compared}


def show(title: str, result: dict[str, Any]) -> None:
    """Print a network's table."""
    print(f"\n{title}\n{'ms a step':<34}{'median':>9}{'best':>9}")
    for name, row in result["milliseconds"].items():
        print(f"{name:<34}{row['median']:>9.1f}{row['best']:>9.1f}")
    print(f"\n{'ratio within a round':<58}{'median':>8}{'quartiles':>16}{'aim':>7}")
    for name, row in result["ratios"].items():
        quartiles = f"{row['quarter']:.2f} to {row['three_quarters']:.2f}"
        print(f"{name:<58}{row['median']:>8.3f}{quartiles:>16}{row['aim']:>7.2f}")
    sys.stdout.flush()


def main() -> None:
    """Measure and print; write the figures where all networks were measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    usual = [name for name in NETWORKS if name not in ON_REQUEST]
    parser.add_argument("networks", nargs="*", default=usual, metavar="NETWORK")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", help="a tool; may be repeated")
    parser.add_argument("--variant", action="append", help="of a tool; may be repeated")
    parser.add_argument("--save", action="store_true", help="write benchmarks/figures/step.json")
    arguments = parser.parse_args()
    chosen = [c for c in CONTENDERS if not arguments.only or c.tool in arguments.only]
    chosen = [c for c in chosen if not arguments.variant or c.variant in arguments.variant]
    for missing in [c for c in chosen if not c.python.exists()]:
        print(f"left out, not installed (make bench-peers): {missing.name}")
    chosen = [c for c in chosen if c.python.exists()]
    results = {}
    for name in arguments.networks:
        seconds, facts = measure(NETWORKS[name], chosen, arguments.rounds, arguments.threads)
        results[name] = {**table(seconds), "contenders": facts}
        show(name, results[name])
    if arguments.save:
        command = f"python benchmarks/step.py --rounds {arguments.rounds}"
        settings = {"rounds": arguments.rounds, "threads": arguments.threads}
        save("step", command, {**settings, "networks": results})


if __name__ == "__main__":
    main()
