"""How fast the shipped code is, measured through all of its stages: ``make bench`` and ``make bench-vs``."""
