"""The results of a sweep for other programs, from records alone."""
