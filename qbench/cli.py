"""The `qbench` command: picks the verb and hands it its arguments; imports nothing heavy."""

from __future__ import annotations

import errno
import importlib
import io
import sys
from collections.abc import Sequence

from qbench import __version__
from qbench.errors import QbenchError
from qbench.plain import one_line
from qbench.registry import nearest

# Verb: (module under qbench.commands, arguments, what it does)
VERBS = {
    "sweep": ("[overrides]", "run a study's design: one table, four figures"),
    "train": ("[overrides]", "run one configuration"),
    "plan": ("[overrides]", "what a sweep would run, with steps; trains nothing"),
    "graph": ("[overrides]", "the quantization ops that a configuration inserts"),
    "evaluate": ("RUN [overrides]", "evaluate a finished run again from its saved weights"),
    "convert": ("RUN [overrides]", "write a finished run as a LiteRT file and measure the file"),
    "trace": ("RUN [overrides]", "compare a converted file with its simulation, tensor by tensor"),
    "latency": ("RUN|FILE|DIR [overrides]", "time converted files, float against integers"),
    "status": ("DIR", "which runs of a sweep are done, running, failed or waiting"),
    "clean": ("DIR", "remove shared states that no unfinished run needs"),
    "verify-sharing": ("[overrides]", "prove that sharing steps changes no weight"),
    "report": ("DIR", "rebuild the tables and figures of a sweep from its records"),
}

# What the machine refuses and a person can mend.
_OUTSIDE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES)

_USAGE = """usage: qbench VERB [arguments]

Which quantization settings should a network be trained with? qbench varies one factor at a time.

{verbs}

Overrides are key=value pairs, as in Hydra: quant.bits=4, study=cifar10_resnet8. In a sweep,
quant.bits=8,2,3,4 gives that factor these levels, the first one its default.

  qbench VERB --help   what a verb takes
  qbench --version     the version
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Whatever a terminal's encoding lacks is no reason to lose a table.
            stream.reconfigure(errors="backslashreplace")
    if not given or given[0] in ("-h", "--help", "help"):
        lines = (f"  {verb:<14} {takes:<24} {does}" for verb, (takes, does) in VERBS.items())
        print(_USAGE.format(verbs="\n".join(lines)), end="")
        return 0
    if given[0] == "--version":
        print(f"qbench {__version__}")
        return 0
    try:
        return _run(given[0], given[1:])
    except QbenchError as error:
        print(one_line(f"qbench: {error}"), file=sys.stderr)
        return 1 if type(error) is not QbenchError else 2
    except KeyboardInterrupt:
        print("qbench: interrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        if error.errno not in _OUTSIDE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"qbench: {where}{error.strerror}; the same command goes on from here.",
            file=sys.stderr,
        )
        return 1


def _run(verb: str, arguments: list[str]) -> int:
    if verb not in VERBS:
        raise QbenchError(
            f"{verb} is not a verb; choose one of {', '.join(VERBS)}.{nearest(verb, VERBS)}"
        )
    module = importlib.import_module(f"qbench.commands.{verb.replace('-', '_')}")
    if any(argument in ("-h", "--help") for argument in arguments):
        print((module.__doc__ or "").strip())
        return 0
    code: int = module.main(arguments)
    return code
