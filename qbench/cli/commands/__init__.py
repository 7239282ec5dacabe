"""One module a verb: `HELP` is its help text, `main(arguments)` returns an exit code."""
