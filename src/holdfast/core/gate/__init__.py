"""Stage 3: the only door. It passes or refuses; it never alters a quantity."""
