"""What is said to release a hold is what releases it, word for word."""

import re

import pytest

from holdfast.core.holds.rules import RULES, remedy_of
from holdfast.vocab.holds import ACCOUNT, Hold, HoldCause, Scope
from holdfast.vocab.units import E8
from tests.house.room import a_running_core

BTC = "BTCUSDT"


def a_hold(cause: HoldCause, scope: Scope = ACCOUNT) -> Hold:
    rule = RULES[cause]
    return Hold(
        hold_id=7,
        scope=scope,
        level=rule.level,
        cause=cause,
        release=rule.release,
        by="ann",
        reason="x",
        since_wall_ns=0,
        since_mono_ns=0,
    )


@pytest.mark.parametrize("cause", HoldCause)
def test_no_remedy_leaves_the_number_of_its_hold_to_be_guessed(cause):
    said = remedy_of(a_hold(cause, Scope(instrument=BTC)))
    assert not re.search(r"\b(HOLD|SCOPE)\b", said)
    assert ("resume" not in said) or "resume 7" in said


def test_what_was_narrowed_is_released_as_narrowly():
    assert "holdfast unban instrument BTCUSDT --reason …" == remedy_of(
        a_hold(HoldCause.BAN, Scope(instrument=BTC))
    )
    assert "holdfast unban strategy quoter --reason …" == remedy_of(
        a_hold(HoldCause.BAN, Scope(strategy="quoter"))
    )
    assert "holdfast unpause --reason … --strategy quoter" == remedy_of(
        a_hold(HoldCause.PAUSE, Scope(strategy="quoter"))
    )


def test_a_balance_is_adopted_by_the_name_of_its_asset():
    """At the command line adopt takes a name; a balance has no instrument to go by."""
    room = a_running_core()
    room.venue.wallet_e8 -= 5 * E8
    room.run(s=30)
    assert ["reconcile_break"] == room.causes()
    assert "unknown instrument DOGE" in room.says("adopt", instrument="DOGE", reason="x").text
    answer = room.says("adopt", instrument="USDT", reason="a fee by hand")
    assert (True, "adopted by ann: balance/USDT") == (answer.accepted, answer.text)
    assert "unknown instrument USDT" in room.says("halt", instrument="USDT", reason="x").text
