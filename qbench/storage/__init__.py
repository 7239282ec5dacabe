"""All that is on disk: runs, conversions, states, locks."""
