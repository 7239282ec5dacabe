"""Trains the segments of a sweep in worker processes; results go through files."""
