"""Everything that depends on the kind of target: predictions and metrics."""
