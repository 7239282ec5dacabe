"""The `qbench` command: picks the verb and passes its arguments on; imports nothing heavy."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from qbench import __version__
from qbench.base.errors import QbenchError, disk_full
from qbench.base.outside import session
from qbench.base.plain import one_line
from qbench.base.registry import nearest

# Verb: (its arguments, its description). Its module is in qbench.cli.commands.
VERBS = {
    "init": ("FOLDER", "make a folder with a study of your own, which runs as it is"),
    "sweep": ("[overrides]", "run a study's design: one table, four figures"),
    "train": ("[overrides]", "run one configuration"),
    "plan": ("[overrides]", "show what a sweep would run, with steps; trains nothing"),
    "graph": ("[overrides]", "list the quantization ops that a configuration inserts"),
    "evaluate": ("RUN [overrides]", "evaluate a finished run again from its saved weights"),
    "convert": ("RUN [overrides]", "write a finished run as a LiteRT file and measure the file"),
    "trace": ("RUN [overrides]", "compare a converted file with its simulation, tensor by tensor"),
    "latency": ("RUN|FILE|DIR [overrides]", "time converted files, float against integers"),
    "compare": ("RUN|FILE RUN|FILE", "say what the choice of test images leaves of a difference"),
    "status": ("[--watch] DIR", "show which runs of a sweep are done, running, failed or waiting"),
    "clean": ("DIR|--cache", "remove shared states or decoded images that no run needs"),
    "verify-sharing": ("[overrides]", "prove that sharing steps changes no weight"),
    "recommend": ("DIR [options]", "say which rows of a sweep to train with, within limits"),
    "export": ("DIR mlflow|RUN card", "give results to MLflow, or write a run's model card"),
    "report": ("DIR", "rebuild the tables and figures of a sweep from its records"),
    "completion": ("bash|zsh|fish", "print what makes a shell complete qbench's commands"),
}

# Errors of the operating system that the user can correct.
_OUTSIDE = (errno.EROFS, errno.EIO, errno.EACCES, errno.EISDIR)

_USAGE = """usage: qbench VERB [arguments]

Which quantization settings should I train my network with? qbench varies one factor at a time.

{verbs}

Overrides are key=value pairs, as in Hydra: quant.bits=4, study=cifar10_resnet8. In a sweep,
quant.bits=8,2,3,4 gives the levels of that factor; the first level is the default.

  qbench VERB --help   the arguments of a verb
  qbench --version     the version
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A table is printed even if the encoding of the terminal lacks a character.
            stream.reconfigure(errors="backslashreplace")
    try:
        with session():
            code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()  # here an error can still be reported
        return code
    except QbenchError as error:
        said, code = str(error), 1 if type(error) is not QbenchError else 2
    except KeyboardInterrupt:
        said, code = "interrupted; the same command goes on from here.", 130
    except BrokenPipeError:
        said, code = "", 141
    except OSError as error:
        full = disk_full(error)
        if full is None and error.errno not in _OUTSIDE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        said = str(full or f"{where}{error.strerror}; the same command goes on from here.")
        code = 1
    _leave_stdout()
    if said:
        print(one_line(f"qbench: {said}"), file=sys.stderr)
    return code


def _leave_stdout() -> None:
    """If standard output cannot be written, discard its buffer to avoid an error at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    """Run one command, or print the help."""
    verb = arguments[0] if arguments else "help"
    if verb in ("-h", "--help", "help"):
        lines = (f"  {verb:<14} {takes:<24} {does}" for verb, (takes, does) in VERBS.items())
        print(_USAGE.format(verbs="\n".join(lines)), end="")
        return 0
    if verb == "--version":
        print(f"qbench {__version__}")
        return 0
    return _do(verb, arguments[1:])


def _do(verb: str, arguments: list[str]) -> int:
    if verb not in VERBS:
        raise QbenchError(
            f"{verb} is not a verb; choose one of {', '.join(VERBS)}.{nearest(verb, VERBS)}"
        )
    module = importlib.import_module(f"qbench.cli.commands.{verb.replace('-', '_')}")
    if any(argument in ("-h", "--help") for argument in arguments):
        print(module.HELP, end="")
        return 0
    code: int = module.main(arguments)
    return code
