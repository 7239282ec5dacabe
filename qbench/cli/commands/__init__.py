"""One module for each verb: `HELP` is its help text, `main(arguments)` returns an exit code."""
