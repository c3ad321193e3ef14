"""Re-exports the fixtures of the one fixture house (tests/house), nothing else."""

from tests.house import data_dir

__all__ = ["data_dir"]
