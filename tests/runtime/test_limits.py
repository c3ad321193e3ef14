"""What people type of limits, and what they are shown."""

import pytest

from holdfast.config.numbers import read_number
from holdfast.config.values import BadValue
from holdfast.runtime.limits import limits_view, numbers_of
from holdfast.runtime.wire import Act
from holdfast.vocab.governed import CRITERIA_ROWS, limits_of, number_text
from holdfast.vocab.units import E8, e8_text
from tests.core.test_criteria import criteria
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, caps_over, settings

PLAIN = settings()
LIMITS = limits_of(PLAIN)


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("account.gross_notional_max", "25000 USDT", 25_000 * E8),
        ("account.leverage_max", "1.5x", 1_500_000),
        ("account.open_orders_max", "40", 40),
        ("account.drawdown_warning", "5%", 50_000),
        ("account.recover_cooling", "15min", 900_000),
        (f"instrument.{BTC}.order_max", "0.2 BTC", 200),
        (f"instrument.{BTC}.order_max", "0.2009", 200),
        (f"strategy.alpha.{BTC}.position_max", "0.1 BTC", 100),
        (f"strategy.alpha.{BTC}.churn_round_trips_max", "40", 40),
        (f"strategy.alpha.{BTC}.churn_cost_max", "200 USDT", 200 * E8),
        (f"strategy.alpha.{BTC}.churn_window", "1min", 60_000),
    ],
)
def test_a_number_is_typed_as_it_is_configured_and_shown_as_it_is_typed(name, text, number):
    limit = LIMITS[name]
    assert number == read_number(limit, text, PLAIN)
    assert number == read_number(limit, number_text(limit, number, PLAIN), PLAIN)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("account.gross_notional_max", "25000 BTC"),
        ("account.open_orders_max", "4.5"),
        ("account.open_orders_max", "99999"),
        ("account.drawdown_warning", "5"),
        ("account.recover_cooling", "15"),
        (f"instrument.{BTC}.order_max", "0.2 ETH"),
        (f"instrument.{BTC}.order_max", "0.0001 BTC"),
    ],
)
def test_what_is_no_such_number_is_refused_by_the_limits_name(name, text):
    with pytest.raises(BadValue, match=name):
        numbers_of(Act(verb="limit_set", by="ada", limit=name, value=text), PLAIN)


def test_a_limit_that_does_not_exist_is_refused():
    with pytest.raises(BadValue, match="no limit is called"):
        numbers_of(Act(verb="limit_set", by="ada", limit="account.luck", value="7"), PLAIN)


def rows(room):
    view = limits_view(room.state, now_mono_ns=room.mono_ns)
    return {row.name: row for row in view.limits}, view


def test_every_limit_stands_beside_its_cap_its_use_and_the_age_of_that():
    """C27: a value without its limit and its age is a number that nobody can judge."""
    room = a_running_core(caps=caps_over(PLAIN))
    room.venue.fee_ppm = 0
    room.targets(80)
    room.run(s=1)
    room.buys(30)
    room.quoting = False
    room.run(ms=700)
    found, _ = rows(room)
    assert set(LIMITS) == set(found)

    position = found[f"instrument.{BTC}.position_max"]
    assert ("0.3 BTC", "0.6 BTC", "0.11 BTC", 366_667) == (
        position.value,
        position.hard_cap,
        position.used,
        position.share_ppm,
    )
    assert (room.mono_ns - room.state.live.words.positions.mono_ns) // 1_000_000 == position.age_ms
    gross = found["account.gross_notional_max"]
    assert gross.used is not None
    assert 700 <= (gross.age_ms or 0) <= 1_000
    assert "0.03 BTC" == found[f"instrument.{BTC}.order_max"].used
    assert "0.11 BTC" == found[f"strategy.alpha.{BTC}.position_max"].used
    assert "0 BTC" == found[f"strategy.beta.{BTC}.position_max"].used
    assert "1" == found["account.open_orders_max"].used
    assert found["account.breaker_cooldown"].used is None
    assert found["account.breaker_cooldown"].at_least
    assert found[f"instrument.{BTC}.collar"].share_ppm is None


def test_changes_glass_and_what_waits_are_shown():
    room = a_running_core(caps=caps_over(PLAIN))
    name = f"strategy.alpha.{BTC}.order_max"
    room.says("limit_set", limit=name, value=50)
    room.says("limit_set", limit="account.open_orders_max", value=60)
    room.says(
        "break_glass", limit=name, value=90, for_ms=300_000, once=True, review="monday", second_by="bob"
    )
    room.run(s=100)
    found, view = rows(room)
    row = found[name]
    assert ("0.09 BTC", "0.08 BTC", "ann", "because", 1) == (
        row.value,
        row.configured,
        row.changed_by,
        row.reason,
        row.glass_id,
    )
    (glass,) = view.glasses
    assert ("0.09 BTC", "0.05 BTC", True, "ann and bob", "monday", 200_000) == (
        glass.value,
        glass.standing,
        glass.once,
        glass.by,
        glass.review,
        glass.left_ms,
    )
    assert ["limits set account.open_orders_max 60 from 50 (asked for by ann: because)"] == view.waiting


def test_looking_changes_nothing():
    room = a_running_core()
    before = room.state.books_hash(), room.state.state_hash()
    limits_view(room.state, now_mono_ns=room.mono_ns)
    assert before == (room.state.books_hash(), room.state.state_hash())


def test_churn_is_shown_with_what_is_used_of_it_and_slides_out_without_another_fill():
    """Who looks must see how near a strategy is to being held, now and not at its last fill."""
    room = a_running_core()
    room.takes(1, 10)
    room.takes(-1, 10)
    cost = f"strategy.alpha.{BTC}.churn_cost_max"
    trips = f"strategy.alpha.{BTC}.churn_round_trips_max"
    found, _ = rows(room)
    assert ("100", "1", None) == (found[trips].value, found[trips].used, found[trips].hard_cap)
    lost = room.books.churn["alpha"][BTC].cost_e8
    assert lost > 0
    assert number_text(LIMITS[cost], lost, PLAIN) == found[cost].used
    assert found[f"strategy.alpha.{BTC}.churn_window"].used is None
    assert "0" == rows_of_beta(found, "churn_round_trips_max")
    room.run(s=61)
    found, _ = rows(room)
    assert ("0", "0 USDT") == (found[trips].used, found[cost].used)


def test_a_strategys_criteria_are_shown_with_what_is_used_of_them():
    """Who looks must see how near it is to being held."""
    room = a_running_core(criteria=(criteria(orders_min=1),))
    room.run(s=2)
    room.takes(1, 10, decision_ticks=BTC_TICKS - 100)
    room.targets(5)
    room.run(s=2)
    found = {row.name: row for row in limits_view(room.state, now_mono_ns=room.mono_ns).limits}
    used = room.books.watched["alpha"].used(orders_min=1)
    assert used.slippage_e8 > 0
    assert used.day_loss_e8 > 0
    shown = {key: found[f"criteria.alpha.{key}"].used for key in (row.key for row in CRITERIA_ROWS)}
    assert {
        "day_loss_max": f"{e8_text(used.day_loss_e8)} USDT",
        "drawdown_max": f"{e8_text(used.drawdown_e8)} USDT",
        "fill_share_min": "100%",
        "slippage_cost_max": f"{e8_text(used.slippage_e8)} USDT",
        "reject_share_max": "0%",
        "orders_min": None,
        "window": None,
        "over_intended_max": "0.5x",
    } == shown
    assert room.says("limit_set", limit="criteria.alpha.day_loss_max", value=1).accepted
    room.run(s=2)
    assert room.hold("criteria", strategy="alpha") is not None, "tightened, and in force at the next mark"


def rows_of_beta(found, key):
    return found[f"strategy.beta.{BTC}.{key}"].used
