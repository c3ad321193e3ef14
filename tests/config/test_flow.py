"""What goes one way at once: one optional table per instrument, whole or not at all."""

import pytest

from holdfast.config.errors import ConfigError
from holdfast.vocab.limits import FlowRules, GroupFlowRules
from holdfast.vocab.units import E8
from tests.config.test_criteria import settled

WHOLE = '[flow.BTCUSDT]\nwindow = "10s"\nsame_side_max = "60000 USDT"\nwalk_max = "1%"\n\n'
GROUP = '[flow_group.crypto]\nwindow = "10s"\nsame_side_max = "60000 USDT"\n\n'


def test_the_table_becomes_numbers_of_the_core():
    rules = FlowRules(
        instrument="BTCUSDT", window_ms=10_000, same_side_e8_max=60_000 * E8, walk_ppm_max=10_000
    )
    assert (rules,) == settled(WHOLE).flows
    assert () == settled("").flows


def test_a_groups_table_too():
    rules = GroupFlowRules(group="crypto", window_ms=10_000, same_side_e8_max=60_000 * E8)
    assert (rules,) == settled(GROUP).group_flows
    assert () == settled(WHOLE).group_flows


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("60000 USDT", "1 BTC", r"flow_group\.crypto\.same_side_max: expected an amount of USDT"),
        ('"10s"', '"99ms"', "window: expected at least 100ms"),
        ('window = "10s"\n', "", "window: missing"),
        ("[flow_group.crypto]\n", '[flow_group.crypto]\nwalk_max = "1%"\n', "walk_max"),
    ],
)
def test_what_makes_no_sense_in_a_groups_table_is_one_line_too(old, new, expected):
    with pytest.raises(ConfigError, match=expected):
        settled(GROUP.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("flow.BTCUSDT", "flow.XRPUSDT", r"flow\.XRPUSDT: there is no \[limits\.instrument\.XRPUSDT\]"),
        ("60000 USDT", "1 BTC", "same_side_max: expected an amount of USDT"),
        ('"10s"', '"99ms"', "window: expected at least 100ms"),
        ('"1%"', '"51%"', "walk_max: expected at most 50%"),
        ('walk_max = "1%"\n', "", "walk_max: missing"),
    ],
)
def test_what_makes_no_sense_is_one_line_with_its_place(old, new, expected):
    with pytest.raises(ConfigError, match=expected):
        settled(WHOLE.replace(old, new))
