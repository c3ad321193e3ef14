"""Market data that must not be traded on: jumps by a robust range, other sources, shares of bad data, books with
holes, splits, and what a restart has seen already.
"""

from holdfast.core.ingest.depth_book import BookState
from holdfast.core.ingest.market import (
    LEVEL_EVERY_NS,
    LEVELS_MAX,
    REFERENCE_AGE_NS_MAX,
    market_of,
    set_offset,
    take_quote,
    take_reference,
    take_trade,
)
from holdfast.core.step.market import why_refused
from holdfast.vocab.corporate import SplitDue
from holdfast.vocab.effects import Call
from holdfast.vocab.events import ReferencePriced, Stopping
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.market import Depth, Malformed
from holdfast.vocab.orders import Side
from holdfast.vocab.requests import QueryDepth
from tests.house.events import a_print, a_quote
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, MONO_NS, WALL_NS, instrument_limits, timings

NS_PER_MS = 1_000_000
NS_PER_S = 1_000 * NS_PER_MS


def a_market(**changes):
    return market_of(instrument_limits(**changes), timings())


def at(seq, *, ms=0, mid=BTC_TICKS, **changes):
    """A quote of this number, so long after the first."""
    return a_quote(
        seq=seq, mid=mid, mono_ns=MONO_NS + ms * NS_PER_MS, wall_ns=WALL_NS + ms * NS_PER_MS, **changes
    )


# --- a robust range -------------------------------------------------------------------------------------------------


def test_a_bad_price_within_the_limit_is_not_what_the_next_is_judged_by():
    """4 % away, then 4 % from there, and so on: each step small, and the price is anywhere."""
    market = a_market()
    for number in range(LEVELS_MAX):
        assert take_quote(market, at(number, ms=number * 200))
    assert take_quote(market, at(10, ms=1_000, mid=624_000))
    assert not take_quote(market, at(11, ms=1_201, mid=648_000))
    assert {"jump": 1} == market.refused


def test_a_price_counts_for_as_long_as_it_stood():
    """Two seconds at one price outweigh two bad ones of a moment."""
    market = a_market()
    assert take_quote(market, at(1))
    for number, mid in enumerate((624_000, 626_000), start=1):
        assert take_quote(market, at(1 + number, ms=1_800 + 201 * number, mid=mid))
    assert not take_quote(market, at(10, ms=2_500, mid=650_000))


def test_a_market_that_walks_takes_the_range_along():
    """A fall of a fifth within a few seconds, by steps of 1 %: no step of it is refused."""
    market = a_market()
    mid = BTC_TICKS
    for number in range(25):
        assert take_quote(market, at(number, ms=number * 200, mid=mid))
        mid = mid * 99 // 100
    assert {} == market.refused
    assert LEVELS_MAX == len(market.levels)


def test_levels_are_kept_one_each_fifth_of_a_second():
    market = a_market()
    for number in range(90):
        assert take_quote(market, at(number, ms=number * 10, mid=BTC_TICKS + number))
    assert 1 + 90 * 10 * NS_PER_MS // LEVEL_EVERY_NS == len(market.levels)


def test_a_print_far_from_live_quotes_moves_no_last_price():
    market = a_market()
    assert take_quote(market, at(1))
    assert take_trade(market, a_print(seq=1, price=BTC_TICKS))
    assert not take_trade(market, a_print(seq=2, price=BTC_TICKS * 65 // 100))
    assert ({"trade_jump": 1}, BTC_TICKS) == (market.refused, market.last_ticks)
    long_after = MONO_NS + 11 * NS_PER_S
    assert take_trade(market, a_print(seq=3, price=BTC_TICKS * 65 // 100, mono_ns=long_after))


def test_data_from_the_future_is_refused_once_the_clock_is_known():
    """Never clamped: a stamp that cannot be is a clock that stepped, theirs or ours."""
    market = a_market()
    early = {"venue_ns": WALL_NS + 1_001 * NS_PER_MS}
    assert take_quote(market, a_quote(seq=1, **early))
    set_offset([market], quote_age_ms_max=1_000, offset_ns=0)
    assert not take_quote(market, a_quote(seq=2, **early))
    assert take_quote(market, a_quote(seq=2, venue_ns=WALL_NS + 1_000 * NS_PER_MS))
    assert not take_trade(market, a_print(seq=1, **early))
    assert {"early": 1, "trade_early": 1} == market.refused


def test_a_venue_clock_that_steps_is_measured_at_once():
    """The next regular measure is half a minute away: so long every price would be refused."""
    room = a_running_core()
    room.run(s=2)
    room.venue.offset_ns = 10 * NS_PER_S
    room.run(s=2)
    assert 10 * NS_PER_S == room.state.live.offset_ns
    assert ["clock"] == room.causes()
    room.targets(10)
    assert room.state.live.markets[BTC].refused["early"] > 0


# --- other sources --------------------------------------------------------------------------------------------------


def test_an_outlier_that_another_source_does_not_share_is_never_believed():
    """−35 % on one venue, for minutes: no number of quotes that agree makes it a price."""
    market = a_market()
    assert take_quote(market, at(1))
    for number in range(2, 40):
        take_reference(
            market, "elsewhere", mid2_ticks=2 * BTC_TICKS, mono_ns=MONO_NS + number * 100 * NS_PER_MS
        )
        assert not take_quote(market, at(number, ms=number * 100, mid=390_000))
    assert {"cross_source": 38} == market.refused
    assert take_quote(market, at(50, ms=5_000))


def test_a_source_that_is_silent_or_comes_along_does_not_stand_in_the_way():
    market = a_market()
    assert take_quote(market, at(1))
    take_reference(market, "elsewhere", mid2_ticks=2 * BTC_TICKS, mono_ns=MONO_NS)
    ms = REFERENCE_AGE_NS_MAX // NS_PER_MS
    assert [False] * 3 == [take_quote(market, at(n, ms=ms, mid=500_000 + n)) for n in (2, 3, 4)]
    assert [False, False, True] == [take_quote(market, at(n, ms=ms + 1, mid=500_000 + n)) for n in (5, 6, 7)]
    take_reference(market, "elsewhere", mid2_ticks=1_000_000, mono_ns=MONO_NS + ms * NS_PER_MS)
    assert take_quote(market, at(8, ms=ms + 1, mid=500_100))


def test_the_step_takes_references_of_our_instruments_alone():
    room = a_running_core()
    room.tell(
        ReferencePriced(
            wall_ns=room.wall_ns,
            mono_ns=room.mono_ns,
            feed="elsewhere",
            rows=((BTC, 800_000), ("DOGEUSDT", 200), (ETH, 0)),
        )
    )
    before = len(room.delivered)
    room.quotes(mid=BTC_TICKS + 1)
    assert before == len(room.delivered)
    assert {"cross_source": 1} == room.state.live.markets[BTC].refused
    assert {} == room.state.live.markets[ETH].references


# --- numbers that go back ---


def test_numbers_that_begin_anew_in_mid_life_are_followed_within_two_seconds():
    """As a venue does that restarts its engine; or when one number was absurd, and all later ones are lower."""
    room = a_running_core()
    room.run(s=1)
    market = room.state.live.markets[BTC]
    room.tell(a_quote(seq=1 << 40, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    room.tell(a_print(seq=1 << 40, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    before = (market.quotes_count, market.trades_count)
    for number in range(20):
        room.run(ms=100)
        room.tell(a_print(seq=1 + number, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    room.run(ms=500)
    assert market.quotes_count > before[0]
    assert market.trades_count >= before[1] + 5
    assert 2 == len(room.alerted("data.renumbered"))
    assert [] == room.causes()


def test_a_few_lower_numbers_that_an_old_connection_repeats_are_not_followed():
    market = a_market()
    assert take_quote(market, at(100))
    for number in range(9):
        assert not take_quote(market, at(90 + number, ms=1 + number * 100))
    assert take_quote(market, at(101, ms=950))
    assert not take_quote(market, at(99, ms=2_000)), "one was accepted since: not in a row"
    for number in range(5):
        assert not take_quote(market, at(99, ms=4_000 + number)), "the same again"
    assert {"out_of_order": 15} == market.refused


def test_lower_numbers_that_are_no_later_are_never_followed():
    market = a_market()
    assert take_quote(market, at(100, ms=5_000))
    for number in range(50):
        late = at(number, ms=5_001 + number * 100, venue_ns=WALL_NS + 5_000 * NS_PER_MS)
        assert not take_quote(market, late)


# --- shares of bad data ---------------------------------------------------------------------------------------------


def test_too_large_a_share_of_bad_data_holds_the_instrument_until_it_is_better():
    room = a_running_core()
    room.run(s=2)
    for _ in range(40):
        room.tell(Malformed(BTC, "not a finite number", room.wall_ns, room.mono_ns))
    room.run(ms=500)
    assert ["bad_data"] == room.causes()
    assert (HoldLevel.REDUCE_ONLY, HoldLevel.NONE) == (room.level(), room.level(instrument=ETH))
    assert "more than 50 % of its data was refused" in room.alerted("hold.bad_data")[0].text
    assert "not a finite number" in room.alerted("hold.bad_data")[0].text
    room.run(s=14)
    assert [] == room.causes()


def test_a_small_share_is_told_as_it_is_configured():
    room = a_running_core(
        instrument_limits=(
            instrument_limits(BTC, refused_ppm_max=5_000),
            instrument_limits(ETH, order_lots_max=1_000),
        )
    )
    room.run(s=2)
    for _ in range(40):
        room.tell(Malformed(BTC, "not a finite number", room.wall_ns, room.mono_ns))
    room.run(ms=500)
    assert "more than 0.5 % of its data was refused" in room.alerted("hold.bad_data")[0].text


def falls(room, *, quoted):
    """The venue marks a long position down by a third within half a minute; its quotes stay where they were."""
    room.takes(Side.BUY, 80)
    room.settle()
    room.run(s=2)
    room.quoting = quoted
    for step in range(36):
        room.marks(BTC_TICKS * (100 - step) // 100)
        room.run(s=1)


def test_quotes_that_stand_still_do_not_hide_what_the_venue_marks():
    """Fresh numbers, one price: the marks are refused, and count against us all the same."""
    room = a_running_core()
    falls(room, quoted=True)
    assert {"bad_data", "drawdown_breaker"} <= set(room.causes())
    assert HoldLevel.REDUCE_ONLY is room.level()
    assert "at odds" in room.alerted("hold.bad_data")[0].text
    market = room.state.live.markets[BTC]
    assert market.mark_ticks > market.disputed_ticks == BTC_TICKS * 65 // 100
    lost_e8 = 80 * (market.price_ticks() - market.disputed_ticks) * room.state.books.ledger.tick_lot_e8[BTC]
    worse_e8 = room.state.equity_e8()
    for _ in range(4):
        room.marks(BTC_TICKS)
        room.run(s=1)
    assert "bad_data" not in room.causes()
    assert room.state.equity_e8() == worse_e8 + lost_e8 > worse_e8


def test_quotes_that_are_dead_do_not_hide_what_the_venue_marks():
    room = a_running_core()
    falls(room, quoted=False)
    assert "drawdown_breaker" in room.causes()
    assert BTC_TICKS * 65 // 100 == room.state.live.markets[BTC].price_ticks()


def test_what_two_feeds_of_one_stream_bring_is_no_bad_data():
    """Every quote twice is what a backup feed is for."""
    room = a_running_core()
    for _ in range(60):
        quote = room.quotes()
        for _ in range(3):
            room.tell(quote)
        room.run(ms=100)
    assert room.state.live.markets[BTC].refused["repeated"] > 150
    assert [] == room.causes()


def test_a_few_bad_events_are_no_share():
    room = a_running_core()
    room.quoting = False
    for _ in range(9):
        room.tell(Malformed(BTC, "x", room.wall_ns, room.mono_ns))
    room.run(ms=500)
    assert [] == room.causes()


def test_a_refused_event_says_why():
    room = a_running_core()
    room.tell(crossed := a_quote(seq=10**6, spread=-2, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    assert "crossed" == why_refused(room.state, crossed)
    assert "torn" == why_refused(room.state, Malformed("", "torn", 0, 0))
    assert "unknown instrument" == why_refused(room.state, a_quote("DOGEUSDT", mid=100))


# --- the book -------------------------------------------------------------------------------------------------------


def a_change(seq, seq_prev, *, bid=BTC_TICKS - 1, ask=BTC_TICKS + 1, lots=5, mono_ns=MONO_NS, snapshot=False):
    return Depth(
        BTC, seq_prev + 1, seq, seq_prev, ((bid, lots),), ((ask, lots),), snapshot, WALL_NS, WALL_NS, mono_ns
    )


def asked_for_books(room):
    return [
        effect
        for effect in room.effects
        if isinstance(effect, Call) and isinstance(effect.request, QueryDepth)
    ]


def test_a_book_asks_for_its_snapshot_and_is_bridged_to_it():
    room = a_running_core()
    room.venue.snapshots[BTC] = a_change(11, 0, bid=BTC_TICKS - 5, snapshot=True)
    room.tell(a_change(12, 10, mono_ns=room.mono_ns))
    room.run(ms=10)
    book = room.state.live.depths[BTC].book
    assert (BookState.WHOLE, 12, BTC_TICKS - 1) == (book.state, book.seq, book.bid_ticks)
    assert 1 == len(asked_for_books(room))
    room.tell(a_change(13, 12, mono_ns=room.mono_ns))
    assert 1 == len(asked_for_books(room))


def test_a_hole_loses_the_book_until_a_fresh_snapshot_and_asks_once_a_second():
    """I18: no price from a gap in sequence."""
    room = a_running_core()
    room.venue.snapshots[BTC] = a_change(11, 0, snapshot=True)
    room.tell(a_change(12, 10, mono_ns=room.mono_ns))
    room.run(ms=1_500)
    room.tell(a_change(20, 18, mono_ns=room.mono_ns))  # 13 to 18 are missing, and the venue's snapshot is old
    watch = room.state.live.depths[BTC]
    assert (BookState.LOST, {"depth_gap": 1, "depth_unbridged": 1}, 2) == (
        watch.book.state,
        watch.missed_count,
        len(asked_for_books(room)),
    )
    for number in range(20, 25):
        room.tell(a_change(number + 1, number, mono_ns=room.mono_ns))
        room.run(ms=100)
    assert (BookState.LOST, 2) == (watch.book.state, len(asked_for_books(room)))
    room.venue.snapshots[BTC] = a_change(25, 0, snapshot=True)
    room.run(ms=1_000)
    room.tell(a_change(26, 25, mono_ns=room.mono_ns))
    room.run(ms=10)
    assert (BookState.WHOLE, 3) == (watch.book.state, len(asked_for_books(room)))


def test_a_book_that_crosses_was_put_together_wrongly_and_is_lost():
    room = a_running_core()
    room.venue.snapshots[BTC] = a_change(11, 0, snapshot=True)
    room.tell(a_change(12, 10, mono_ns=room.mono_ns))
    room.tell(a_change(13, 12, bid=BTC_TICKS + 3, mono_ns=room.mono_ns))
    watch = room.state.live.depths[BTC]
    assert (BookState.LOST, {"depth_crossed": 1}) == (watch.book.state, watch.missed_count)


def test_a_venue_without_numbered_books_is_asked_once():
    room = a_running_core()
    for number in range(12, 40):
        room.tell(a_change(number + 1, number, mono_ns=room.mono_ns))
        room.run(ms=200)
    assert 1 == len(asked_for_books(room))
    assert room.state.live.depths[BTC].unavailable


# --- splits ---------------------------------------------------------------------------------------------------------


def a_split(ms, *, applied=False):
    """Seven for one, so long after the start."""
    due = SplitDue(instrument=BTC, from_venue_ns=WALL_NS + ms * NS_PER_MS, up=1, down=7, applied=applied)
    return {"scaled": (BTC,), "splits": (due,)}


def test_the_day_of_a_split_holds_its_instrument_and_prices_nothing_until_a_person_has_applied_it():
    room = a_running_core(**a_split(3_000))
    assert [] == room.causes()
    room.run(s=4)
    assert ["split"] == room.causes()
    assert (HoldLevel.HALTED, HoldLevel.NONE) == (room.level(), room.level(instrument=ETH))
    for _ in range(5):
        room.quotes(mid=BTC_TICKS // 7)
    market = room.state.live.markets[BTC]
    assert market.refused["split_unapplied"] > 5
    assert (0, 2 * BTC_TICKS) == (market.bid_ticks, market.mid2_ticks)

    (hold,) = room.books.holds.holds.values()
    assert room.says("resume", hold_id=hold.hold_id, reason="applied").accepted
    room.run(ms=500)

    room.quotes(mid=BTC_TICKS // 7)
    assert [] == room.causes()
    assert abs(market.bid_ticks - BTC_TICKS // 7) < 10
    room.quotes(mid=BTC_TICKS, spread=2)
    assert 1 == market.refused["off_scale"]


def test_a_split_that_is_applied_by_then_carries_the_scale_over():
    room = a_running_core(**a_split(3_000, applied=True))
    room.mids[BTC] = BTC_TICKS
    room.run(s=2)
    room.quoting = False
    room.run(s=2)
    room.quotes(mid=BTC_TICKS // 7)
    assert (1, 0) == (
        room.delivered[-1].bid_ticks // (BTC_TICKS // 8),
        room.state.live.markets[BTC].refused.get("split_unapplied", 0),
    )


def test_a_price_of_another_scale_is_never_confirmed():
    """Three old prints in a row on the new day would make the old scale a price again."""
    room = a_running_core(**a_split(10**9))
    for _ in range(10):
        room.quotes(mid=BTC_TICKS // 7)
    assert {"off_scale": 10} == room.state.live.markets[BTC].refused


# --- a restart ------------------------------------------------------------------------------------------------------


def test_a_restart_takes_nothing_twice_and_knows_what_it_missed():
    room = a_running_core()
    room.tell(print_ := a_print(seq=100, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    last = room.quotes()
    room.quoting = False
    room.run(s=11)
    room.restarts()
    before = len(room.delivered)
    room.tell(last)
    room.tell(print_)
    market = room.state.live.markets[BTC]
    assert (before, {"repeated": 1, "trade_repeated": 1}) == (len(room.delivered), market.refused)
    room.tell(a_print(seq=140, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    room.run(ms=500)
    assert "39 numbers of prints passed" in room.alerted("data.resumed")[0].text


def test_a_venue_that_counts_anew_is_believed_after_a_restart():
    room = a_running_core()
    room.run(s=11)
    room.quoting = False
    room.restarts()
    before = len(room.delivered)
    room.tell(a_quote(seq=1, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    room.tell(a_print(seq=1, mono_ns=room.mono_ns, wall_ns=room.wall_ns))
    assert before + 2 == len(room.delivered)


def test_nothing_is_priced_from_what_a_life_before_saw():
    room = a_running_core()
    room.run(s=11)
    room.quoting = False
    room.restarts()
    market = room.state.live.markets[BTC]
    assert (0, 0) == (market.bid_ticks, market.mid2_ticks)
    assert market.quote.seq > 0
    room.targets(10)
    assert not room.books.orders.live


def test_a_clean_stop_writes_down_how_far_data_was_seen():
    room = a_running_core()
    room.run(s=1)
    last = room.quotes()
    room.tell(Stopping(wall_ns=room.wall_ns, mono_ns=room.mono_ns, by="ann", reason="enough"))
    assert last.seq == room.books.seen[BTC].quote_seq
