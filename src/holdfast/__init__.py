"""Holdfast: a live-trading runtime that holds fast when things break."""

__version__ = "0.1.0"

__all__ = ["__version__"]
