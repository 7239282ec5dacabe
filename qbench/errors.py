"""What qbench raises for a mistake that a person can mend."""


class QbenchError(Exception):
    """A mistake of the user's or a condition outside the program, told in one sentence.

    The command line prints the message and exits; it never shows a traceback for it. There is a
    single message argument, so that the exception survives pickling between worker processes.
    """


class NotConvertible(QbenchError):
    """No file can be made of this network, however often it is tried.

    Attributes:
        export: what tables say of such a run's file.
    """

    export = "none"


class WrongFile(NotConvertible):
    """A file was made, run, and found to give wrong answers."""

    export = "failed"


class Diverged(Exception):
    """Training produced a loss that is not finite; the argument is the step (0-based)."""
