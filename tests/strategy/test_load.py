"""Loading a strategy: everything that a person can get wrong is one line at start."""

from typing import Any

import pytest

from holdfast.strategy import StrategyUnusable, load_strategy
from holdfast.strategy.examples.flipper import Flipper

GOOD = """
class Good:
    def __init__(self, size="1", *, fast=3):
        if fast < 1:
            raise ValueError("fast must be\\n at least 1")
        self.size, self.fast = size, fast

    def on_quote(self, ctx, quote):
        return None

class Other:
    pass
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_class_is_loaded_from_a_file_with_its_parameters(write):
    strategy: Any = load_strategy(f"{write(GOOD)}:Good", {"size": "0.5", "fast": 2})
    assert ("Good", "0.5", 2) == (type(strategy).__name__, strategy.size, strategy.fast)


def test_a_class_is_loaded_from_a_package():
    assert isinstance(load_strategy("holdfast.strategy.examples.flipper:Flipper"), Flipper)


def test_a_changed_file_is_read_again(write):
    path = write(GOOD)
    load_strategy(f"{path}:Good")
    write(GOOD.replace('size="1"', 'size="2"'))
    again: Any = load_strategy(f"{path}:Good")
    assert "2" == again.size


@pytest.mark.parametrize(
    ("text", "params", "said"),
    [
        (GOOD.replace("class Good", "class Bad"), {}, "no class 'Good' there; it has Bad, Other"),
        (GOOD, {"sise": "1"}, "parameters: got an unexpected keyword argument 'sise'"),
        (GOOD.replace("*, fast=3", "*, fast"), {}, "parameters: missing a required"),
        (GOOD, {"fast": 0}, "cannot be built: ValueError: fast must be at least 1"),
        (GOOD.replace("on_quote", "on_qoute"), {}, "on_qoute is no callback; there are on_start, on_quote,"),
        (GOOD.replace("(self, ctx, quote)", "(self, quote)"), {}, "on_quote must take (self, ctx, quote)"),
        (GOOD.replace("    def on_quote", "    async def on_quote"), {}, "on_quote must be a plain function"),
        ("import nowhere_to_be_found", {}, "cannot be imported: ModuleNotFoundError"),
        ("x = = 1", {}, "cannot be imported: line 1: SyntaxError"),
        ("raise SystemExit(3)", {}, "cannot be imported: SystemExit: 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(write, text, params, said):
    where = f"{write(text)}:Good"
    with pytest.raises(StrategyUnusable) as told:
        load_strategy(where, params)
    assert said in str(told.value)
    assert str(told.value).startswith(where)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mine.py", "write it as"),
        (":Good", "write it as"),
        ("mine.py:", "write it as"),
        ("mine.py:Go od", "write it as"),
        ("absent.py:Good", "no such file"),
        ("holdfast.nowhere:Good", "cannot be imported"),
    ],
)
def test_what_is_wrong_with_a_name_is_one_line(where, said):
    with pytest.raises(StrategyUnusable, match=said):
        load_strategy(where)
