"""One module a verb. Its docstring is its help text, its `main(arguments)` returns an exit code."""
