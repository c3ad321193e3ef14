"""Ingest: right data in the right order, or no trading on it. Every refusal is counted by its reason."""

import pytest

from holdfast.core.gate.exposure import Exposure, NetSums
from holdfast.core.ingest.market import (
    JUMP_CONFIRMATIONS,
    market_of,
    set_offset,
    take_mark,
    take_quote,
    take_trade,
)
from holdfast.core.ledger.positions import PositionRow
from holdfast.core.orders.book import OpenLots
from holdfast.core.state import State
from holdfast.core.step import step
from holdfast.core.views import MARK_AGE_NS_MAX
from holdfast.vocab.market import Depth, Malformed
from tests.house.events import a_mark, a_print, a_quote
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, MONO_NS, WALL_NS, a_spec, instrument_limits, timings

NS_PER_MS = 1_000_000


def a_market(**changes):
    return market_of(instrument_limits(**changes), timings())


def a_quoted_market(**changes):
    market = a_market(**changes)
    assert take_quote(market, a_quote(seq=10))
    return market


def a_depth(seq, seq_prev, *, snapshot=False):
    return Depth(BTC, seq_prev + 1, seq, seq_prev, ((BTC_TICKS, 1),), (), snapshot, WALL_NS, WALL_NS, MONO_NS)


QUOTES = [
    ("the same number again", {"seq": 10}, "repeated"),
    ("an older number", {"seq": 9}, "out_of_order"),
    ("bid at the ask", {"seq": 11, "spread": 0}, "crossed"),
    ("bid above the ask", {"seq": 11, "spread": -2}, "crossed"),
    ("no bid", {"seq": 11, "bid_ticks": 0}, "crossed"),
    ("nothing bid for", {"seq": 11, "bid_lots": 0}, "empty_size"),
    ("nothing offered", {"seq": 11, "ask_lots": 0}, "empty_size"),
    ("a millisecond too late", {"seq": 11, "venue_ns": WALL_NS - 1_001 * NS_PER_MS}, "late"),
    ("a spread over the limit", {"seq": 11, "spread": 3_002}, "wide_spread"),
    ("a jump over the limit", {"seq": 11, "mid": 630_001}, "jump"),
    ("a jump down over the limit", {"seq": 11, "mid": 569_999}, "jump"),
]


@pytest.mark.parametrize(("name", "changes", "reason"), QUOTES, ids=[row[0] for row in QUOTES])
def test_a_quote_is_refused_and_counted(name, changes, reason):
    market = a_quoted_market()
    assert not take_quote(market, a_quote(**changes))
    assert {reason: 1} == market.refused
    assert (10, BTC_TICKS - 5) == (market.quote.seq, market.bid_ticks)


@pytest.mark.parametrize(
    "changes",
    [
        {"venue_ns": WALL_NS - 1_000 * NS_PER_MS},
        {"spread": 3_000},
        {"mid": 630_000},
        {"mid": 570_000},
        {"bid_lots": 1, "ask_lots": 1},
    ],
    ids=["as late as allowed", "as wide", "as high", "as low", "as small"],
)
def test_the_limit_itself_is_accepted(changes):
    market = a_quoted_market()
    assert take_quote(market, a_quote(seq=11, **changes))
    assert {} == market.refused


def test_the_first_quote_of_all_has_nothing_to_jump_from():
    market = a_market()
    assert take_quote(market, a_quote(mid=10 * BTC_TICKS))


def test_a_jump_is_believed_once_enough_quotes_in_a_row_agree():
    """A real gap is confirmed by the very next updates; a bad print is not."""
    market = a_quoted_market()
    for number in range(1, JUMP_CONFIRMATIONS):
        assert not take_quote(market, a_quote(seq=10 + number, mid=500_000 + number))
    assert take_quote(market, a_quote(seq=20, mid=500_010))
    assert {"jump": JUMP_CONFIRMATIONS - 1} == market.refused
    assert 500_005 == market.bid_ticks


def test_bad_prints_between_good_quotes_never_add_up():
    """Three bad prints an hour apart are no confirmation of one another."""
    market = a_quoted_market()
    for number in range(11, 41, 2):
        assert not take_quote(market, a_quote(seq=number, mid=500_000))
        assert take_quote(market, a_quote(seq=number + 1))


def test_the_same_bad_quote_again_confirms_nothing():
    """A feed that repeats itself agrees with itself."""
    market = a_quoted_market()
    for _ in range(10):
        assert not take_quote(market, a_quote(seq=11, mid=500_000))


def test_jumps_that_disagree_begin_anew():
    market = a_quoted_market()
    for number, mid in enumerate([500_000, 500_100, 400_000, 400_100], start=11):
        assert not take_quote(market, a_quote(seq=number, mid=mid))
    assert take_quote(market, a_quote(seq=15, mid=400_050))


def test_lateness_is_judged_by_the_venues_clock():
    """Our clock may be 12 s off: that makes the data neither late nor fresh."""
    market = a_market()
    late = a_quote(venue_ns=WALL_NS + 12_000 * NS_PER_MS - 1_001 * NS_PER_MS)
    on_time = a_quote(venue_ns=WALL_NS + 12_000 * NS_PER_MS - 1_000 * NS_PER_MS)
    set_offset([market], quote_age_ms_max=1_000, offset_ns=12_000 * NS_PER_MS)
    assert not take_quote(market, late)
    assert take_quote(market, on_time)


PRINTS = [
    ("the same number again", {"seq": 10}, "trade_repeated"),
    ("an older number", {"seq": 9}, "trade_out_of_order"),
    ("no price", {"seq": 11, "price": 0}, "trade_empty"),
    ("no size", {"seq": 11, "qty_lots": 0}, "trade_empty"),
    ("outside the market", {"seq": 11, "market": False}, "trade_outside_market"),
    ("too late", {"seq": 11, "venue_ns": WALL_NS - 1_001 * NS_PER_MS}, "trade_late"),
]


@pytest.mark.parametrize(("name", "changes", "reason"), PRINTS, ids=[row[0] for row in PRINTS])
def test_a_print_is_refused_and_moves_no_last_price(name, changes, reason):
    market = a_market()
    assert take_trade(market, a_print(seq=10, price=BTC_TICKS + 7))
    assert not take_trade(market, a_print(**changes))
    assert ({reason: 1}, BTC_TICKS + 7) == (market.refused, market.last_ticks)


MARKS = [
    ("no price", {"price": 0}, "mark_empty"),
    ("too late", {"venue_ns": WALL_NS - 1_001 * NS_PER_MS}, "mark_late"),
    ("absurd against the mid", {"price": 630_001}, "mark_disputed"),
]


@pytest.mark.parametrize(("name", "changes", "reason"), MARKS, ids=[row[0] for row in MARKS])
def test_a_mark_is_refused(name, changes, reason):
    market = a_quoted_market()
    assert not take_mark(market, a_mark(**changes))
    assert ({reason: 1}, 0) == (market.refused, market.mark_ticks)


def test_a_mark_at_the_edge_is_accepted():
    market = a_quoted_market()
    assert take_mark(market, a_mark(price=630_000, funding_ppb=-5))
    assert (630_000, -5, 1) == (market.price_ticks(), market.funding_ppb, market.quotes_count)


def test_a_mark_whose_stream_died_values_nothing_any_more():
    """Valued at a mark of an hour ago, a fall of the market would not be seen at all."""
    market = a_quoted_market()
    assert take_mark(market, a_mark(price=BTC_TICKS + 100))
    assert take_quote(market, a_quote(seq=11, mid=BTC_TICKS - 900, mono_ns=MONO_NS + MARK_AGE_NS_MAX))
    assert BTC_TICKS + 100 == market.price_ticks()
    assert take_quote(market, a_quote(seq=12, mid=BTC_TICKS - 900, mono_ns=MONO_NS + MARK_AGE_NS_MAX + 1))
    assert BTC_TICKS - 900 == market.price_ticks()


def test_value_is_mark_then_mid_then_last_and_exposure_the_largest():
    market = a_market()
    exposure = Exposure(
        spec=a_spec(BTC),
        position=PositionRow(),
        open_lots=OpenLots(),
        market=market,
        net=NetSums(),
        summed=False,
    )
    assert 0 == market.price_ticks()
    assert take_trade(market, a_print(price=BTC_TICKS + 50))
    assert BTC_TICKS + 50 == market.price_ticks()
    assert take_quote(market, a_quote(spread=11, mid=BTC_TICKS))
    assert BTC_TICKS == market.price_ticks()
    exposure.recount()
    assert BTC_TICKS + 50 == exposure.value_ticks
    assert take_mark(market, a_mark(price=BTC_TICKS - 20))
    assert BTC_TICKS - 20 == market.price_ticks()
    exposure.recount()
    assert BTC_TICKS + 50 == exposure.value_ticks
    assert take_mark(market, a_mark(price=BTC_TICKS + 60))
    exposure.recount()
    assert BTC_TICKS + 60 == exposure.value_ticks
    assert take_quote(market, a_quote(seq=2, bid_ticks=BTC_TICKS + 65, ask_ticks=BTC_TICKS + 76))
    exposure.recount()
    assert BTC_TICKS + 71 == exposure.value_ticks  # half a tick counts as one


# --- in the step ----------------------------------------------------------------------------------------------------


def test_accepted_data_reaches_the_strategies_and_refused_data_never():
    room = a_running_core()
    good = room.quotes()
    room.quotes(spread=-2)
    assert good == room.delivered[-1]
    assert 1 == room.state.session.markets[BTC].refused["crossed"]


def test_data_of_an_instrument_that_is_not_ours_is_nobodys_business():
    room = a_running_core()
    delivered = len(room.delivered)
    for event in (a_quote("DOGEUSDT", mid=100), a_print("DOGEUSDT"), a_mark("DOGEUSDT")):
        room.tell(event)
    assert delivered == len(room.delivered)


def test_unreadable_frames_are_counted_under_their_instrument():
    room = a_running_core()
    room.tell(Malformed(BTC, "truncated", 0, 0))
    room.tell(Malformed("", "not_json", 0, 0))
    assert {"truncated": 1} == room.state.session.markets[BTC].refused


def test_the_offset_of_the_venues_clock_reaches_ingest():
    """The airplane story begins with a clock that is 12 s off: prices must not look late for that."""
    room = a_running_core(armed=False)
    room.venue.offset_ns = -12_000 * NS_PER_MS
    room.run(s=31)
    assert {} == {
        reason: n for reason, n in room.state.session.markets[BTC].refused.items() if reason != "late"
    }
    room.quotes()
    room.quotes()
    assert room.delivered[-1].seq == room.state.session.markets[BTC].quote.seq


def test_every_kind_of_accepted_data_is_delivered_and_counted():
    room = a_running_core()
    kinds = [a_print(seq=5, mono_ns=room.mono_ns), a_depth(10, 5), a_mark(price=BTC_TICKS + 1)]
    for event in kinds:
        room.tell(event)
        room.tell(event)
    assert [type(event) for event in [kinds[0], kinds[1], kinds[2], kinds[2]]] == [
        type(event) for event in room.delivered[-4:]
    ]
    market = room.state.session.markets[BTC]
    assert (1, 5) == (market.trades_count, market.trade_seq)
    assert {"trade_repeated": 1, "depth_repeated": 1} == market.refused


def test_before_a_start_there_is_nobody_to_tell():
    for event in (a_quote(), a_print(), a_mark(), a_depth(2, 1), Malformed(BTC, "x", 0, 0)):
        assert [] == list(step(State(), event))


# --- marks and quotes at odds -----------------------------------------------------------------------------------------


def marked(market, number, *, price=400_000, ms=0):
    """The numbered mark, so long after the market's quote."""
    at_ns = number * NS_PER_MS
    quote = market.quote
    return take_mark(
        market,
        a_mark(
            price=price,
            mono_ns=quote.mono_ns + ms * NS_PER_MS + at_ns,
            wall_ns=quote.wall_ns + at_ns,
            venue_ns=quote.venue_ns + at_ns,
        ),
    )


def test_an_old_mid_disputes_no_more_than_two_marks():
    market = a_quoted_market()
    assert [False, False, True, True] == [marked(market, number, ms=1_001) for number in range(1, 5)]
    assert (400_000, 0) == (market.price_ticks(), market.disputed_ticks)


def test_marks_that_a_live_mid_disputes_stand_beside_it_until_one_agrees_or_they_are_dead():
    market = a_quoted_market()
    assert not any(marked(market, 1) for _ in range(5))
    assert not market.settle_dispute(market.quote.mono_ns), "one mark, however often it is told"
    assert not any(marked(market, number) for number in (2, 3))
    assert market.settle_dispute(market.quote.mono_ns)
    assert (BTC_TICKS, 400_000) == (market.price_ticks(), market.disputed_ticks)
    assert marked(market, 4, price=BTC_TICKS)
    assert not market.settle_dispute(market.quote.mono_ns)
    assert not any(marked(market, number) for number in (5, 6, 7))
    assert market.settle_dispute(market.quote.mono_ns)
    assert not market.settle_dispute(market.quote.mono_ns + 11_000 * NS_PER_MS)
