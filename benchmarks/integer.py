r"""The integer reference against LiteRT's kernel paths, on 1,000 real images.

    python benchmarks/integer.py threads=1                              # digits
    python benchmarks/integer.py study=mobilenet
    python benchmarks/integer.py study=cifar10_resnet8 data.dir=DIR \
        seeds=0 deploy.enabled=false train.steps=300 threads=1

Trains one run, converts it, and compares the int8 file's answers: how many of the output's bytes
differ from the integer reference's on each kernel path, and by how much. Then each operator by
itself, cut out of the file and given the codes that it has there, so that nothing adds up.
Exit code: 1 if the reference kernels differ anywhere.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from common import chosen, save, versions

from qbench.config.experiment import Experiment
from qbench.data import load, split
from qbench.data.preprocessing import preparation
from qbench.deploy.inputs import Feed
from qbench.deploy.integer import OPERATORS, IntegerFile, Multiplier
from qbench.deploy.integer.node import Node
from qbench.deploy.integer.products import fully_connected
from qbench.deploy.lite import KERNELS, LiteFile
from qbench.storage import layout, records

IMAGES = 1000
BATCH = 100
PAPER = "with the multiplier of eq. 6"


@dataclass
class Difference:
    """Codes compared, how many differed, the largest difference in codes, other classes."""

    codes: int = 0
    differing: int = 0
    largest: int = 0
    classes: int = 0

    def add(self, expected: Any, made: Any) -> None:
        """Count two arrays of codes (N, ...)."""
        apart = np.abs(made.astype(np.int32) - expected)
        self.codes += apart.size
        self.differing += int(np.count_nonzero(apart))
        self.largest = max(self.largest, int(apart.max()))
        rows = len(made)
        classes = [each.reshape(rows, -1).argmax(axis=1) for each in (made, expected)]
        self.classes += int(np.count_nonzero(classes[0] != classes[1]))


def converted(folder: Path, overrides: list[str]) -> tuple[Experiment, bytes]:
    """A run, trained and converted by the commands: what it was, and its file."""
    for command in (["train", f"out={folder}", *overrides], ["convert"]):
        if command == ["convert"]:
            (run,) = (record.parent for record in layout.record_files(folder))
            command += [str(run), "eval.limit=100"]
        subprocess.run(
            [sys.executable, "-m", "qbench", *command], check=True, stdout=subprocess.DEVNULL
        )
    config = records.read_json(run / layout.CONFIG, "the configuration of a run")
    return Experiment.from_config(config), (run / layout.converted("int8")).read_bytes()


def codes_of(experiment: Experiment, content: bytes) -> Any:
    """Input codes of the first test images, and of training images where there are too few."""
    data = load(experiment.data.name, experiment.data.dir)
    pixels = np.concatenate([data.test_images[:IMAGES], data.train_images[:IMAGES]])[:IMAGES]
    file = LiteFile(content, "reference")
    feed = Feed(preparation(experiment.data, split(data, experiment.data)))
    return np.concatenate([file.codes(part.file) for part in feed.batches(pixels, BATCH)])


def cut(content: bytes, number: int) -> bytes:
    """A file of one operator, with its constants."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    (graph,) = model.subgraphs
    operator = graph.operators[number]
    computed = [i for i in operator.inputs if i >= 0 and not _is_constant(model, graph, i)]
    graph.operators, graph.inputs, graph.outputs = [operator], computed, list(operator.outputs)
    model.signatureDefs = None
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _is_constant(model: Any, graph: Any, index: int) -> bool:
    data = model.buffers[graph.tensors[index].buffer].data
    return data is not None and len(data) > 0


def answer(content: bytes, kernels: str, inputs: list[Any]) -> Any:
    """What a kernel path gives for codes (N, ...)."""
    kind = OpResolverType[KERNELS[kernels]]
    interpreter = Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=kind
    )
    entries = [entry["index"] for entry in interpreter.get_input_details()]
    for index, codes in zip(entries, inputs, strict=True):
        interpreter.resize_tensor_input(index, codes.shape)
    interpreter.allocate_tensors()
    for index, codes in zip(entries, inputs, strict=True):
        interpreter.set_tensor(index, codes)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def steps(file: IntegerFile, content: bytes) -> Iterator[tuple[int, str, tuple[int, ...], bytes]]:
    """Every operator of the reference: its number, name, computed inputs, and a file of its own."""
    for number, operator in enumerate(file.graph.operators):
        if operator.name in OPERATORS and operator.name != "RESHAPE":
            tensors = [file.graph.tensors[index] for index in operator.inputs if index >= 0]
            computed = tuple(tensor.index for tensor in tensors if tensor.data is None)
            yield number, operator.name, computed, cut(content, number)


def compare(content: bytes, inputs: Any) -> tuple[dict[str, Difference], dict[str, Any]]:
    """Differences of the whole file by kernel path, and of its operators by name and path."""
    file = IntegerFile(content)
    whole: dict[str, Difference] = defaultdict(Difference)
    single: dict[str, dict[str, Difference]] = defaultdict(lambda: defaultdict(Difference))
    cuts = list(steps(file, content))
    for start in range(0, len(inputs), BATCH):
        part = inputs[start : start + BATCH]
        traced = file.trace(part)
        for path in KERNELS:
            whole[path].add(traced[file.output.index], answer(content, path, [part]))
        for number, name, computed, own in cuts:
            given = [traced[index] for index in computed]
            expected = traced[file.graph.operators[number].outputs[0]]
            for path in KERNELS:
                single[name][path].add(expected, answer(own, path, given))
            if name == "FULLY_CONNECTED":
                by_paper = fully_connected(Node(file.graph, number), Multiplier)
                single[name][PAPER].add(expected, by_paper.apply(*given))
    return whole, single


def row(name: str, path: str, each: Difference) -> str:
    """A line of the table."""
    share = 100 * each.differing / each.codes
    return (
        f"{name:<20}{path:<30}{each.differing:>12,} of {each.codes:>12,} {share:>8.3f} %"
        f"{each.largest:>5}"
    )


def main() -> int:
    """Print the table and keep its figures, under the study's name."""
    typed = sys.argv[1:]
    study, overrides = chosen(typed)
    with tempfile.TemporaryDirectory() as place:
        experiment, content = converted(Path(place), overrides)
    whole, single = compare(content, codes_of(experiment, content))
    print(f"{'':<20}{'kernels':<30}{'codes that differ':>28}{'largest':>15}")
    for path, each in whole.items():
        print(f"{row('whole file', path, each)}  {each.classes} images of another class")
    for name, paths in single.items():
        for path, each in paths.items():
            print(row(name, path, each))
    command = " ".join(["python benchmarks/integer.py", *typed])
    hidden = command.replace(str(experiment.data.dir), "DIR") if experiment.data.dir else command
    figures = {
        "images": IMAGES,
        "runtime": versions(("ai-edge-litert",)),
        "whole": {path: vars(each) for path, each in whole.items()},
        "operators": {
            name: {path: vars(each) for path, each in paths.items()}
            for name, paths in single.items()
        },
    }
    save(f"integer_{study}", hidden, figures)
    alike = [whole["reference"], *(paths["reference"] for paths in single.values())]
    return int(any(each.differing for each in alike))


if __name__ == "__main__":
    sys.exit(main())
