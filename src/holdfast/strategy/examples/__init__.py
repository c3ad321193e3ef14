"""Strategies to read, run and start from: one idea per file."""
