"""Configurations: the one that init writes, and the same with one line changed."""

from holdfast.app.init import config_text
from holdfast.sim.sources.specs import BTCUSDT, ETHUSDT

SPECS = (BTCUSDT, ETHUSDT)


def a_config_text(*changes: tuple[str, str]) -> str:
    """The text that init writes, each change replacing the first occurrence of its left side."""
    text = config_text()
    for old, new in changes:
        assert old in text, f"{old!r} is not in the configuration that init writes"
        text = text.replace(old, new, 1)
    return text
