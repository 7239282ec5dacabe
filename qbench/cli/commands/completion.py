"""The verb `completion`."""

from __future__ import annotations

from qbench.base.errors import QbenchError

HELP = """usage: qbench completion bash|zsh|fish

Prints a script with which a shell completes commands, options, keys of settings and their values.
This line, in the file that the shell reads when it starts, installs it:

  source <(qbench completion bash)      in ~/.bashrc
  source <(qbench completion zsh)       in ~/.zshrc, after compinit
  qbench completion fish | source       in ~/.config/fish/config.fish
"""


def main(arguments: list[str]) -> int:
    """Run the verb."""
    from qbench.cli.completion import SHELLS, script
    from qbench.cli.main import VERBS

    if len(arguments) != 1 or arguments[0] not in SHELLS:
        raise QbenchError(
            f"qbench completion takes the name of a shell: one of {', '.join(SHELLS)}."
        )
    print(script(arguments[0], VERBS), end="")
    return 0
