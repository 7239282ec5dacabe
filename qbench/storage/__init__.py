"""Everything on disk: runs, conversions, states, locks."""
