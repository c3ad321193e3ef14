"""The gate's checks without its screen, and its screen without the checks: each must know every edge by itself."""

import pytest

from holdfast.core.gate.checks import first_refusal, makes_sense, plainly_permitted, within_the_parent
from holdfast.core.gate.flow_checks import count_flow
from holdfast.core.ingest.market import take_quote
from holdfast.vocab.limits import FlowRules
from holdfast.vocab.orders import ChildOf, OrderType, Side, TimeInForce
from holdfast.vocab.refusals import (
    OutsideCollar,
    OverDepth,
    OverGross,
    OverNet,
    OverShare,
    OverVolume,
    Slipped,
)
from tests.core.gate_cases import CASES
from tests.core.gate_table import LOT_E8, STOP
from tests.house.desks import a_desk
from tests.house.events import a_quote, an_intent
from tests.house.setup import BTC, BTC_TICKS, MONO_NS, a_spec, account_limits, instrument_limits

E6 = 10**6


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_the_checks_know_every_edge_without_the_screen(one):
    """A plain order at a limit is let by before they are asked: a check that refused there was not noticed."""
    assert one.refusal == first_refusal(an_intent(**one.intent), a_desk(**one.desk))


@pytest.mark.parametrize(
    ("side", "price", "decision", "passes"),
    [
        (Side.BUY, 600_012, 595_250, True),
        (Side.BUY, 600_012, 595_249, False),
        (Side.SELL, 600_036, 604_875, True),
        (Side.SELL, 600_036, 604_876, False),
    ],
)
def test_a_slip_of_exactly_what_is_tolerated_passes(side, price, decision, passes):
    desk, intent = a_desk(ask=600_012), an_intent(side=side, price_ticks=price, decision_ticks=decision)
    assert passes is plainly_permitted(intent, desk)
    found = first_refusal(intent, desk)
    assert found is None if passes else isinstance(found, Slipped)


@pytest.mark.parametrize(("price", "passes"), [(594_099, True), (594_098, False)])
def test_a_price_at_the_collar_of_the_mark_passes(price, passes):
    """One part in a hundred below a mark of 600,100, and inside the collar of the mid."""
    desk, intent = a_desk(mark=600_100), an_intent(price_ticks=price)
    found = first_refusal(intent, desk)
    assert passes is plainly_permitted(intent, desk)
    assert found is None if passes else isinstance(found, OutsideCollar)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize(("elsewhere", "passes"), [(50, True), (51, False)])
def test_net_counts_what_the_instrument_has_once(side, elsewhere, passes):
    """30 lots held and 10 asked for; 50 elsewhere are within 90, and 51 are not."""
    desk = a_desk(
        position=30 * side,
        net_elsewhere_e8=elsewhere * LOT_E8 * side,
        account=account_limits(net_notional_e8_max=90 * LOT_E8),
    )
    intent = an_intent(side=side, qty_lots=10, price_ticks=BTC_TICKS)
    found = first_refusal(intent, desk)
    assert passes is plainly_permitted(intent, desk)
    assert found is None if passes else isinstance(found, OverNet)


def test_the_screen_judges_by_the_quote_that_came_last():
    """What follows from prices is kept until one moves: kept longer, the collar would stand where the market was."""
    desk = a_desk()
    moved = a_quote(mono_ns=MONO_NS, mid=BTC_TICKS + 12_000, seq=2)
    assert take_quote(desk.market, moved)
    assert not plainly_permitted(an_intent(price_ticks=BTC_TICKS), desk)
    assert plainly_permitted(an_intent(price_ticks=BTC_TICKS + 12_000), desk)


@pytest.mark.parametrize(("position", "lots"), [(0, 10), (7, 17), (-30, 30)])
def test_a_yes_of_the_screen_leaves_the_worst_case_with_the_order(position, lots):
    desk = a_desk(position=position)
    assert plainly_permitted(an_intent(qty_lots=10, price_ticks=BTC_TICKS), desk)
    assert lots * LOT_E8 == desk.exposure.would_be_e8


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, BTC_TICKS + 5), (Side.SELL, BTC_TICKS - 5)])
def test_an_order_as_large_as_the_depth_allows_needs_no_closer_look(side, price):
    desk = a_desk(instrument=instrument_limits(depth_ppm_max=2 * E6), shown=5)
    words = {"side": side, "price_ticks": price, "order_type": OrderType.LIMIT, "tif": TimeInForce.IOC}
    assert plainly_permitted(an_intent(qty_lots=10, **words), desk)
    assert not plainly_permitted(an_intent(qty_lots=11, **words), desk)


@pytest.mark.parametrize(("equity", "passes"), [(20, True), (19, False)])
def test_shares_of_exactly_the_limit_need_no_closer_look(equity, passes):
    """10 lots against half of 20 lots' worth: of the instrument, and of its group."""
    words = {"equity_e8": equity * LOT_E8, "facts": {"group": "crypto"}}
    intent = an_intent(qty_lots=10, price_ticks=BTC_TICKS)
    own = a_desk(instrument=instrument_limits(equity_share_ppm_max=500_000), **words)
    group = a_desk(account=account_limits(group_share_ppm_max=500_000), **words)
    assert [passes, passes] == [plainly_permitted(intent, own), plainly_permitted(intent, group)]


@pytest.mark.parametrize(
    ("mark", "price", "passes"),
    [
        (599_000, 594_000, True),
        (599_000, 593_999, False),
        (599_000, 604_990, True),
        (599_000, 604_991, False),
        (601_000, 594_990, True),
        (601_000, 594_989, False),
        (601_000, 606_000, True),
        (601_000, 606_001, False),
    ],
)
def test_the_narrower_of_two_collars_is_the_one_that_holds(mark, price, passes):
    """A mark below the mid narrows from above and not from below, and one above it the other way round."""
    desk, intent = a_desk(mark=mark), an_intent(price_ticks=price)
    found = first_refusal(intent, desk)
    assert passes is plainly_permitted(intent, desk)
    assert found is None if passes else isinstance(found, OutsideCollar)


@pytest.mark.parametrize(
    ("desk", "intent"),
    [
        ({"open_orders": account_limits().open_orders_max - 1}, {}),
        ({"day": {"orders_count": 4}, "account": account_limits(orders_per_day_max=5)}, {}),
        ({"spec": a_spec(notional_e8_min=0)}, {"qty_lots": 1}),
        ({"instrument": instrument_limits(adv_share_ppm_max=100_000), "facts": {"adv_lots": 100}}, {}),
        ({"asked_ms_ago": [1_000] * 20}, {}),
        ({"quote_age_ms": 1_000}, {}),
        ({"duplicate_window_ms": 500}, {}),
        ({"spec": a_spec(notional_e8_min=10 * LOT_E8)}, {}),
        ({"instrument": instrument_limits(order_notional_e8_max=10 * LOT_E8)}, {}),
        ({"instrument": instrument_limits(position_lots_max=10)}, {}),
        ({"position": 30, "account": account_limits(gross_notional_e8_max=40 * LOT_E8)}, {}),
    ],
    ids=[
        "last place",
        "last of the day",
        "smallest",
        "share of the volume",
        "a second ago",
        "oldest quote",
        "not asked before",
        "least money",
        "most money",
        "position",
        "gross",
    ],
)
def test_an_order_at_its_very_limit_needs_no_closer_look(desk, intent):
    """A screen that is stricter than the checks lets nothing wrong pass: it only makes every order slow."""
    words = {"qty_lots": 10, "price_ticks": BTC_TICKS, **intent}
    assert plainly_permitted(an_intent(**words), a_desk(**desk))


def test_equity_of_next_to_nothing_is_known_and_allows_next_to_nothing():
    found = first_refusal(an_intent(price_ticks=BTC_TICKS), a_desk(equity_e8=1))
    assert isinstance(found, OverGross)
    shares = {"account": account_limits(group_share_ppm_max=500_000), "facts": {"group": "crypto"}}
    assert isinstance(
        first_refusal(an_intent(price_ticks=BTC_TICKS), a_desk(equity_e8=1, **shares)), OverShare
    )


@pytest.mark.parametrize(
    ("side", "other"), [(Side.BUY, "others_open_sells"), (Side.SELL, "others_open_buys")]
)
@pytest.mark.parametrize(("gross", "passes"), [(50, True), (49, False)])
def test_what_others_have_open_the_other_way_is_the_worst_case_where_it_is_more(side, other, gross, passes):
    desk = a_desk(**{other: 50}, account=account_limits(gross_notional_e8_max=gross * LOT_E8))
    intent = an_intent(side=side, qty_lots=10, price_ticks=BTC_TICKS)
    found = first_refusal(intent, desk)
    assert passes is plainly_permitted(intent, desk)
    assert found is None if passes else isinstance(found, OverGross)


def test_one_is_above_zero():
    """A tick, a parent's number, a parent's lot: what is small is for other checks to say."""
    assert makes_sense(an_intent(price_ticks=1), a_desk()) is None
    assert makes_sense(an_intent(**{**STOP, "trigger_ticks": 1}, reduce_only=True), a_desk()) is None
    assert within_the_parent(an_intent(qty_lots=1, child_of=ChildOf(1, 1)), a_desk()) is None


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize(("gross", "passes"), [(40, True), (39, False)])
def test_a_position_counts_in_full_while_an_order_would_turn_it(side, gross, passes):
    """40 lots the other way are the worst case until this order fills."""
    account = account_limits(gross_notional_e8_max=gross * LOT_E8)
    desk = a_desk(position=-40 * side, account=account)
    found = first_refusal(an_intent(side=side, qty_lots=10, price_ticks=BTC_TICKS), desk)
    assert found is None if passes else isinstance(found, OverGross)


def test_a_volume_of_one_lot_is_known():
    desk = a_desk(instrument=instrument_limits(adv_share_ppm_max=100_000), facts={"adv_lots": 1})
    assert OverVolume(qty_lots=10, adv_lots=1, limit_ppm=100_000) == first_refusal(an_intent(), desk)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_order_without_a_price_meets_the_depth_of_the_far_side(side):
    words = {"side": side, "order_type": OrderType.MARKET, "price_ticks": None}
    desk = a_desk(instrument=instrument_limits(depth_ppm_max=E6), shown=9)
    assert OverDepth(qty_lots=10, shown_lots=9, limit_ppm=E6) == first_refusal(an_intent(**words), desk)
    assert first_refusal(an_intent(qty_lots=9, **words), desk) is None


def test_an_order_that_shrinks_takes_nothing_of_the_flow():
    desk = a_desk(flow=FlowRules(instrument=BTC, window_ms=2_000, same_side_e8_max=LOT_E8, walk_ppm_max=E6))
    count_flow(an_intent(qty_lots=5), desk, less_lots=10)
    assert 0 == desk.flow.used_e8(Side.BUY, now_mono_ns=MONO_NS)


def test_what_is_held_is_in_the_sums_of_the_account_and_of_the_group():
    desk = a_desk(position=3, open_buys=4, open_sells=1)
    assert (7 * LOT_E8, 2 * LOT_E8) == (desk.account.net.long_e8, desk.account.net.short_e8)
    assert 7 * LOT_E8 == desk.exposure.group.gross_e8
    desk.all_position.position_lots = 5
    assert 2 * LOT_E8 == desk.exposure.recount()
    assert (9 * LOT_E8, 4 * LOT_E8) == (desk.account.net.long_e8, desk.account.net.short_e8)
    assert 9 * LOT_E8 == desk.exposure.group.gross_e8
