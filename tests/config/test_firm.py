"""A firm's cap over several accounts: fixed shares that add up to it at most, and limits within the share."""

import pytest

from holdfast.config.errors import ConfigError
from holdfast.config.load import load
from holdfast.config.resolve import resolve
from holdfast.vocab.governed import limits_of
from holdfast.vocab.units import E8
from tests.house.configs import SPECS, a_config_file

FIRM = """\
[firm]
gross_notional_max = "250000 USDT"
open_orders_max = 100
orders_per_s_refuse = 200

[account.demo]
gross_notional_max = "150000 USDT"
open_orders_max = 60
orders_per_s_refuse = 99

[account.other]
gross_notional_max = "100000 USDT"
open_orders_max = 40
orders_per_s_refuse = 101
"""
NAMED = ('caps_file = "caps.toml"', 'firm_file = "firm.toml"\ncaps_file = "caps.toml"')


def a_firm(home, *changes, firm=FIRM):
    (home / "firm.toml").write_text(firm)
    (home / "firm.toml").chmod(0o644)
    return a_config_file(home, NAMED, *changes)


def refused(home, *changes, firm=FIRM):
    with pytest.raises(ConfigError) as caught:
        load(a_firm(home, *changes, firm=firm))
    return caught.value.problems


def test_shares_that_fill_the_cap_exactly_are_good_and_bind_the_hard_caps(tmp_path):
    """60 open orders is this account's share, 80 its own hard cap: no command passes the smaller."""
    limits = limits_of(resolve(load(a_firm(tmp_path)), SPECS))
    assert (40, 60) == (limits["account.open_orders_max"].value, limits["account.open_orders_max"].cap)
    assert 150_000 * E8 == limits["account.gross_notional_max"].cap


@pytest.mark.parametrize("key", ["gross_notional_max", "open_orders_max", "orders_per_s_refuse"])
def test_shares_beyond_the_cap_are_one_line(tmp_path, key):
    old, new = {
        "gross_notional_max": ('"100000 USDT"', '"100001 USDT"'),
        "open_orders_max": ("open_orders_max = 40", "open_orders_max = 41"),
        "orders_per_s_refuse": ("orders_per_s_refuse = 101", "orders_per_s_refuse = 102"),
    }[key]
    (line,) = refused(tmp_path, firm=FIRM.replace(old, new))
    assert f"firm.{key}: the shares of demo, other add up to" in line
    assert str(tmp_path / "firm.toml") in line


def test_a_limit_beyond_its_share_is_one_line(tmp_path):
    (line,) = refused(tmp_path, ("open_orders_max = 40", "open_orders_max = 61"))
    assert (
        "limits.account.open_orders_max: expected at most this account's share (60 in firm.toml), got 61"
        in line
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[account.demo]", "[account.demo2]", "account.demo: missing: expected the share of account demo"),
        ("open_orders_max = 100\n", "", "firm.open_orders_max: missing"),
        ("open_orders_max = 60\n", "", "account.demo.open_orders_max: missing"),
        ("[firm]", "[firm]\nluck = 1", "firm.luck: unknown key"),
        ('"250000 USDT"', '"250000 BTC"', "firm.gross_notional_max: expected an amount of USDT"),
        ('"100000 USDT"', '"1 BTC"', "account.other.gross_notional_max: expected an amount of USDT"),
        ("[account.other]", "[acount.other]", "acount: unknown key; did you mean account?"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_and_named(tmp_path, old, new, said):
    assert any(said in line for line in refused(tmp_path, firm=FIRM.replace(old, new, 1)))


def test_a_missing_file_or_one_that_others_may_write_is_refused(tmp_path):
    path = a_firm(tmp_path)
    (tmp_path / "firm.toml").chmod(0o622)
    with pytest.raises(ConfigError, match=r"firm\.toml: mode 0622"):
        load(path)
    (tmp_path / "firm.toml").unlink()
    with pytest.raises(ConfigError, match=r"firm\.toml: cannot read it"):
        load(path)


def test_another_accounts_share_does_not_change_this_ones_hash(tmp_path):
    one = resolve(load(a_firm(tmp_path)), SPECS).config_hash
    other = FIRM.replace("orders_per_s_refuse = 101", "orders_per_s_refuse = 90")
    assert one == resolve(load(a_firm(tmp_path, firm=other)), SPECS).config_hash
