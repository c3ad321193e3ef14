"""Configurations: the one that init writes, and the same with one line changed."""

from pathlib import Path

from holdfast.app.init import CAPS_NAME, REFERENCE_NAME, config_text, reference_text
from holdfast.app.templates import CAPS
from holdfast.sim.sources.specs import BTCUSDT, ETHUSDT

SPECS = (BTCUSDT, ETHUSDT)


def a_config_text(*changes: tuple[str, str]) -> str:
    """The text that init writes, each change replacing the first occurrence of its left side."""
    text = config_text()
    for old, new in changes:
        assert old in text, f"{old!r} is not in the configuration that init writes"
        text = text.replace(old, new, 1)
    return text


def a_config_file(home: Path, *changes: tuple[str, str], caps: str = CAPS) -> Path:
    """The same as a file, with its hard caps beside it."""
    (home / CAPS_NAME).write_text(caps)
    (home / CAPS_NAME).chmod(0o644)
    (home / REFERENCE_NAME).write_text(reference_text())
    (home / REFERENCE_NAME).chmod(0o644)
    path = home / "holdfast.toml"
    path.write_text(a_config_text(*changes))
    return path
