"""What is wrong with a strategy is found at the desk: by ``config check`` and by the doctor, in one line."""

import pytest

from holdfast.app import check, doctor
from holdfast.app.errors import Exit, exit_of
from holdfast.app.init import main as init
from holdfast.app.options import InitOptions
from holdfast.app.parts import strategy_of
from holdfast.config.errors import ConfigError
from holdfast.config.load import load
from holdfast.strategy import StrategyUnusable

FAULTS = [
    # what strategy.py says, what the line says
    ("import no_such_module_anywhere\n", "cannot be imported: ModuleNotFoundError"),
    ("class TwoSided(:\n", "line 1: SyntaxError"),
    ("class Other:\n    pass\n", "no class 'TwoSided' there; it has Other"),
    (
        "class TwoSided:\n    def on_quote(self, quote):\n        pass\n",
        "on_quote must take (self, ctx, quote)",
    ),
    (
        "class TwoSided:\n    def __init__(self, *, size):\n        pass\n",
        "missing a required argument: 'size'",
    ),
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """What init writes."""
    (tmp_path / "guard").mkdir(mode=0o700)
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(tmp_path / "guard"))
    assert Exit.OK == init(InitOptions(directory=str(tmp_path / "bot"), operator="ada"))
    return tmp_path / "bot"


@pytest.mark.parametrize(("text", "named"), FAULTS)
def test_a_strategy_that_cannot_be_loaded_is_found_without_a_run(home, text, named):
    """A newcomer learned it at the first start only."""
    (home / "strategy.py").write_text(text)
    with pytest.raises(ConfigError) as caught:
        check.main(str(home / "holdfast.toml"), json=False)
    (line,) = caught.value.problems
    assert named in line
    assert "holdfast.toml: strategy." in line
    assert Exit.USAGE == exit_of(caught.value)
    bad = [one for one in doctor.examine(str(home / "holdfast.toml")) if one.verdict == doctor.BAD]
    assert [line] == [one.found for one in bad]


def test_a_file_that_is_not_the_pinned_one_is_not_even_imported(home):
    """A live account loads a strategy by the hash of its file: looking at the hash only in the doctor is no lock."""
    path = home / "holdfast.toml"
    line = next(one for one in path.read_text().splitlines() if one.startswith("class = "))
    path.write_text(path.read_text().replace(line, f'{line}\nsha256 = "{"0" * 64}"'))
    (home / "strategy.py").write_text("raise SystemExit('imported')\n")
    config = load(path)
    (name,) = config.strategy
    with pytest.raises(StrategyUnusable, match="not the file that sha256 pins"):
        strategy_of(config, name)  # as every run and backtest does
    with pytest.raises(ConfigError, match="not the file that sha256 pins"):
        check.main(str(path), json=False)
