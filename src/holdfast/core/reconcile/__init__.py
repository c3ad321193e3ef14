"""Stage 6: ours against the venue's word."""
