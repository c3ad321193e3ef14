"""Stage 7: equity, drawdown, rates and ages."""
