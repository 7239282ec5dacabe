"""Converts a trained network into a file for a device, and measures the file."""
