"""Trains the segments of a sweep: in worker processes, through files, so that nothing is lost."""
