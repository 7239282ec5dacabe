"""The frozen description of one run."""
