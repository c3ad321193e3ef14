"""Limits in ticks and lots: rounded against us, or refused where they cannot be expressed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from holdfast.config.errors import ConfigError
from holdfast.config.fingerprint import fingerprint
from holdfast.config.load import load_text
from holdfast.config.resolve import resolve
from holdfast.vocab.limits import Settings, Timings
from tests.house.configs import SPECS, a_config_text

BTC, ETH = SPECS


def settled(*changes, specs=SPECS):
    return resolve(load_text(a_config_text(*changes), where="bot.toml"), specs)


def refused(*changes, specs=SPECS):
    with pytest.raises(ConfigError) as caught:
        settled(*changes, specs=specs)
    return caught.value.problems


def test_the_configuration_becomes_settings_in_core_units():
    settings = settled()
    bitcoin = settings.instrument_limits[0]
    assert isinstance(settings, Settings)
    assert "BTCUSDT" == bitcoin.instrument
    assert 200 == bitcoin.order_lots_max
    assert 330 == bitcoin.position_lots_max
    assert 12_000 * 10**8 == bitcoin.order_notional_e8_max
    assert 50_000 == bitcoin.collar_ppm
    assert 150_000 * 10**8 == settings.account_limits.gross_notional_e8_max
    assert 1_500_000 == settings.account_limits.leverage_ppm_max
    assert 2 == settings.account_limits.leverage_venue
    assert 900_000 == settings.account_limits.breaker_cooldown_ms
    assert settings.arm_auto
    assert {"quoter", "momentum"} == {limits.strategy for limits in settings.strategy_limits}
    assert 4 == len(settings.strategy_limits)


def test_every_timing_of_the_core_comes_from_its_own_key():
    """Two keys swapped would be two wrong timings that both look right."""
    settings = settled()
    assert (
        Timings(
            quote_age_ms_max=1_000,
            feed_dead_ms=5_000,
            ack_timeout_ms=2_000,
            receive_window_ms=1_000,
            query_retry_ms=500,
            reconcile_orders_ms=5_000,
            reconcile_positions_ms=10_000,
            position_age_ms_reduce=30_000,
            position_age_ms_halt=60_000,
            clock_interval_ms=30_000,
            clock_offset_ms_max=1_000,
            deadman_ms=60_000,
            equity_interval_ms=1_000,
            duplicate_window_ms=100,
            flatten_read_gap_ms=1_000,
            flatten_retry_ms=2_000,
            hold_clear_ms=5_000,
        )
        == settings.timings
    )


@given(st.decimals(min_value="0.001", max_value="1000", places=9))
def test_a_limit_is_never_rounded_up(amount):
    settings = settled(('order_max = "0.2 BTC"', f'order_max = "{amount:f}"'))
    lots = settings.instrument_limits[0].order_lots_max
    assert lots * 1 <= amount * 1_000 < lots + 1


def test_a_limit_below_one_lot_is_refused():
    """Rounded down it would be zero, rounded up it would be more than was allowed."""
    said = refused(('order_max = "0.2 BTC"', 'order_max = "0.0009 BTC"'))
    assert 1 == len(said)
    assert "limits.instrument.BTCUSDT.order_max: 0.0009 BTC is below the venue's smallest size" in said[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [('order_max = "0.2 BTC"', 'order_max = "0.2 ETH"')],
            "BTCUSDT.order_max: expected an amount of BTC",
        ),
        (
            [('flatten_clip = "0.1 BTC"', 'flatten_clip = "99999"')],
            "BTCUSDT.flatten_clip: larger than the venue's",
        ),
        ([('"12000 USDT"', '"1 USDT"')], "BTCUSDT.order_notional_max: below the venue's smallest order"),
        (
            [('"150000 USDT"', '"99999999999999999999"')],
            "gross_notional_max: 99999999999999999999 is too large",
        ),
    ],
)
def test_what_the_instrument_cannot_express_is_refused_with_its_key(changes, expected):
    assert any(expected in line for line in refused(*changes))


def test_an_instrument_that_the_venue_has_not_is_refused():
    said = refused(specs=(BTC,))
    assert 1 == len(said)
    assert "limits.instrument.ETHUSDT: binanceusdm has no instrument ETHUSDT (it has BTCUSDT)" in said[0]


def test_an_instrument_that_settles_in_another_asset_is_refused():
    """Money limits in the wrong asset are wrong by a price."""
    other = structs.replace(ETH, settle_asset="USDC")
    assert "settles in USDC; the account in USDT" in refused(specs=(BTC, other))[0]


def test_the_fingerprint_is_of_the_meaning_and_not_of_the_writing():
    plain = load_text(a_config_text(), where="a")
    same = load_text(
        "# another comment\n"
        + a_config_text(('"0.2 BTC"', '"0.200"'), ('"1s"', '"1000ms"'), ('"5%"', '"5.0 %"')),
        where="b",
    )
    other = load_text(a_config_text(('"0.2 BTC"', '"0.3 BTC"')), where="a")
    assert fingerprint(plain) == fingerprint(same)
    assert fingerprint(plain) != fingerprint(other)
    assert fingerprint(plain) == settled().config_hash
