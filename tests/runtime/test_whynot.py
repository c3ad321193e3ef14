"""A refusal is told in the words and units that the person typed, with what would permit the order."""

import typing

import msgspec
import pytest

from holdfast.runtime.whynot import Place, in_words
from holdfast.vocab import refusals
from holdfast.vocab.holds import HoldCause, HoldLevel
from tests.house.setup import a_spec

BTC_SPEC = a_spec()
PLACE = Place(strategy="quoter", instrument="BTCUSDT", spec=BTC_SPEC)
SAMPLE = {int: 120, str: "x", HoldLevel: HoldLevel.HALTED, HoldCause: HoldCause.HALT}


@pytest.mark.parametrize("kind", typing.get_args(refusals.Refusal), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("spec", [BTC_SPEC, None])
def test_every_refusal_has_words_and_a_way_out(kind, spec):
    refusal = kind(**{one.name: SAMPLE[one.type] for one in msgspec.structs.fields(kind)})
    said, permits = in_words(refusal, msgspec.structs.replace(PLACE, spec=spec))
    assert said
    assert permits
    assert "\n" not in said + permits
    assert spec is None or "lots" not in said


def test_sizes_and_limits_are_in_the_units_that_people_trade_in():
    over = refusals.OverPosition(of="strategy", would_be_lots=217, limit_lots=200)
    said, permits = in_words(over, PLACE)
    assert "the position at worst case would be 0.217; at most 0.2 for the strategy" == said
    assert permits.endswith("position_max in [limits.strategy.quoter.BTCUSDT]")


def test_a_hold_is_named_with_the_very_command_that_releases_it():
    held = refusals.Held(level=HoldLevel.HALTED, cause=HoldCause.HALT, hold_id=7)
    assert "holdfast resume 7 --reason …" == in_words(held, PLACE)[1]


def test_leverage_is_a_multiple_and_a_collar_a_percentage():
    over = refusals.OverGross(would_be=1_600_000, limit=1_500_000, unit="ppm")
    assert "would be 1.6x; at most 1.5x" in in_words(over, PLACE)[0]
    far = refusals.OutsideCollar(price_ticks=700_000, reference_ticks=618_045, limit_ppm=50_000)
    assert "70000 is further than 5% from the reference 61804.5" == in_words(far, PLACE)[0]
