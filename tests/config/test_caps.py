"""The hard caps stand above every limit, in a file of their own that stops the start when it is not whole."""

import re

import pytest
from msgspec import structs

from holdfast.app.templates import CAPS
from holdfast.config.errors import ConfigError
from holdfast.config.load import load
from holdfast.config.resolve import resolve
from holdfast.vocab.governed import (
    ACCOUNT_ROWS,
    INSTRUMENT_ROWS,
    STRATEGY_ROWS,
    limits_of,
    looser,
    stricter,
)
from holdfast.vocab.limits import AccountLimits, InstrumentLimits, StrategyLimits
from tests.house.configs import SPECS, a_config_file

KEYS = re.findall(r"(?m)^([a-z_]+) = ", CAPS)


def refused(home, *changes, caps=CAPS):
    with pytest.raises(ConfigError) as caught:
        load(a_config_file(home, *changes, caps=caps))
    return caught.value.problems


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (AccountLimits, ACCOUNT_ROWS),
        (InstrumentLimits, INSTRUMENT_ROWS),
        (StrategyLimits, STRATEGY_ROWS),
    ],
)
def test_every_limit_of_the_core_has_a_row(kind, rows):
    """A limit without a name can be neither shown, changed nor capped."""
    unnamed = {"leverage_venue", "instrument", "strategy"}
    assert [one for one in kind.__struct_fields__ if one not in unnamed] == [row.field for row in rows]


def test_what_init_writes_is_under_its_caps_and_every_limit_has_one_but_those_of_churn(tmp_path):
    settings = resolve(load(a_config_file(tmp_path)), SPECS)
    limits = limits_of(settings)
    assert len(ACCOUNT_ROWS) + 2 * len(INSTRUMENT_ROWS) + 4 * len(STRATEGY_ROWS) == len(limits)
    for limit in limits.values():
        if limit.row.key.startswith("churn_") or limit.row.key == "slippage_max":
            assert limit.cap is None, "no command loosens it"
            continue
        assert limit.cap is not None
        assert not looser(limit.row, limit.value, limit.cap), limit.name


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_cap_stops_the_start_and_is_named(tmp_path, key):
    said = refused(tmp_path, caps=re.sub(rf"(?m)^{key} = .*\n", "", CAPS, count=1))
    assert any(f"{key}: missing" in line for line in said)
    assert all(str(tmp_path / "caps.toml") in line for line in said)


def test_an_unknown_cap_stops_the_start(tmp_path):
    said = refused(tmp_path, caps=CAPS.replace("order_max", "order_maxx", 1))
    assert any("order_maxx: unknown key; did you mean order_max?" in line for line in said)


def test_an_instrument_without_caps_stops_the_start(tmp_path):
    said = refused(tmp_path, caps=CAPS.partition("[instrument.ETHUSDT]")[0])
    assert any("limits.instrument.ETHUSDT: has no hard caps" in line for line in said)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('leverage_max = "1.5x"', 'leverage_max = "1.6x"'), "account.leverage_max: expected at most"),
        (('position_max = "0.33 BTC"', 'position_max = "0.34 BTC"'), "BTCUSDT.position_max: expected at"),
        (('breaker_cooldown = "15min"', 'breaker_cooldown = "14min"'), "cooldown: expected at least"),
        (('[limits.strategy.quoter.BTCUSDT]\norder_max = "0.2', '[limits.strategy.quoter.BTCUSDT]\norder_max = "2'),
         "strategy.quoter.BTCUSDT.order_max: expected at most its hard cap (0.33 BTC in caps.toml), got 2 BTC"),
    ],
)  # fmt: skip
def test_a_limit_looser_than_its_cap_is_one_line_that_names_both(tmp_path, change, expected):
    (line,) = refused(tmp_path, change)
    assert expected in line
    assert re.match(r".*holdfast\.toml:\d+: limits\.", line)


def test_a_caps_file_that_others_may_write_is_refused(tmp_path):
    path = a_config_file(tmp_path)
    (tmp_path / "caps.toml").chmod(0o666)
    with pytest.raises(ConfigError, match=r"caps\.toml: mode 0666"):
        load(path)


def test_a_missing_caps_file_is_named(tmp_path):
    path = a_config_file(tmp_path)
    (tmp_path / "caps.toml").unlink()
    with pytest.raises(ConfigError, match=r"caps\.toml: cannot read it"):
        load(path)


def test_the_caps_are_part_of_the_configurations_hash(tmp_path):
    """Two machines under other caps do not run the same."""
    one = resolve(load(a_config_file(tmp_path)), SPECS).config_hash
    other = load(a_config_file(tmp_path, caps=CAPS.replace('jump_max = "10%"', 'jump_max = "9%"')))
    assert one != resolve(other, SPECS).config_hash


def test_a_wait_loosens_by_being_shorter():
    row = next(row for row in ACCOUNT_ROWS if row.key == "recover_cooling")
    assert looser(row, 1, 2)
    assert 2 == stricter(row, 1, 2) == stricter(row, 2, 1)
    assert structs.fields(AccountLimits)
