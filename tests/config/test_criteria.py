"""A strategy's criteria: one optional table, whole or not at all."""

import pytest

from holdfast.config.errors import ConfigError
from holdfast.config.load import load_text
from holdfast.config.resolve import resolve
from holdfast.vocab.limits import Criteria
from holdfast.vocab.units import E8
from tests.house.configs import SPECS, a_config_text

WHOLE = """[criteria.quoter]
day_loss_max = "200 USDT"
drawdown_max = "300 USDT"
fill_share_min = "2%"
slippage_cost_max = "40 USDT"
reject_share_max = "20%"
orders_min = 20
window = "1h"
over_intended_max = "1.5x"

"""
KEYS = [line.split(" = ")[0] for line in WHOLE.splitlines() if " = " in line]


def settled(criteria):
    return resolve(load_text(a_config_text(("[paths]", criteria + "[paths]")), where="bot.toml"), SPECS)


def test_the_table_becomes_numbers_of_the_core():
    assert (
        Criteria(
            strategy="quoter",
            day_loss_e8_max=200 * E8,
            drawdown_e8_max=300 * E8,
            fills_ppm_min=20_000,
            slippage_e8_max=40 * E8,
            rejects_ppm_max=200_000,
            orders_min=20,
            window_ms=3_600_000,
            intended_ppm_max=1_500_000,
        ),
    ) == settled(WHOLE).criteria
    assert () == settled("").criteria


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key):
    text = "".join(f"{line}\n" for line in WHOLE.splitlines() if not line.startswith(f"{key} = "))
    with pytest.raises(ConfigError, match=rf"criteria\.quoter\.{key}: missing"):
        settled(text)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("criteria.quoter", "criteria.nobody", r"criteria\.nobody: there is no \[strategy\.nobody\]"),
        ('"200 USDT"', '"200 BTC"', "day_loss_max: expected an amount of USDT"),
        ('"1h"', '"999ms"', "window: expected at least 1s"),
        ('"1.5x"', '"0.9x"', "over_intended_max: expected at least 1x"),
        ("= 20\n", "= 0\n", "orders_min: expected 1 to"),
        ('"200 USDT"', '"0 USDT"', "day_loss_max"),
    ],
)
def test_what_makes_no_sense_is_one_line_with_its_place(old, new, expected):
    with pytest.raises(ConfigError, match=expected):
        settled(WHOLE.replace(old, new))
