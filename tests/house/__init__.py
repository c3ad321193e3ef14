"""The one fixture house: builders and fakes with safe, boring defaults. New nouns are added here, once."""

from tests.house.recorded import data_dir

__all__ = ["data_dir"]
