"""Statistics of runs: which differences between rows are more than chance. Pure; no records."""
