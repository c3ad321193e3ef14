"""Stage 1: right data in the right order, or no trading on it."""
