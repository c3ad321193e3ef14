"""Planners for getting out: what to send next to be flat, and when flat may be said."""
