"""Reference data in the core: read, grown old, asked for at the venue; hours that open and close; falling markets."""

import random

import msgspec
import pytest
from msgspec import structs

from holdfast.core.gate.desk import NO_LIMIT
from holdfast.core.state import State
from holdfast.core.step.reference import VOLUME_AGE_NS
from holdfast.vocab.events import ReferenceRead, Started
from holdfast.vocab.facts import DayPriced
from holdfast.vocab.governed import limits_of
from holdfast.vocab.holds import HoldCause, HoldLevel, Scope
from holdfast.vocab.orders import OrderState
from holdfast.vocab.outcome import Transient
from holdfast.vocab.reference import Calendar, Hours, InstrumentReference, MarketHalt, ReferenceRules
from holdfast.vocab.refusals import (
    NoFacts,
    OutsideBands,
    OutsideHours,
    OverNet,
    OverShare,
    OverVolume,
    Refusal,
    StaleFacts,
)
from holdfast.vocab.requests import CancelOrder, QueryVolumes
from holdfast.vocab.units import E8
from tests.house import naive
from tests.house.events import a_start
from tests.house.room import a_running_core
from tests.house.setup import (
    BTC,
    BTC_TICKS,
    ETH,
    ETH_TICKS,
    OPENING_E8,
    WALL_NS,
    account_limits,
    instrument_limits,
    settings,
)

S = 10**9
MINUTE = 60 * S
DAY_MS = 86_400_000
L = HoldLevel
RULES = ReferenceRules(age_ms_max=DAY_MS)
BTC_ROW = InstrumentReference(instrument=BTC, group="crypto", adv_lots=1_000)
ETH_ROW = InstrumentReference(instrument=ETH, group="crypto", adv_lots=10_000)


def a_read(*rows, as_of_ns=WALL_NS, digest="d1", calendars=(), problem=""):
    """The reference file as it was read."""
    return ReferenceRead(
        wall_ns=0,
        mono_ns=0,
        as_of_wall_ns=as_of_ns,
        digest=digest,
        instruments=rows or (BTC_ROW, ETH_ROW),
        calendars=calendars,
        problem=problem,
    )


def a_core(*rows, reference=RULES, read=True, **changes):
    """A running core that was told the reference file, where there is one."""
    room = a_running_core(reference=reference, **changes)
    if read:
        room.tell(a_read(*rows))
    return room


# --- the file -------------------------------------------------------------------------------------------------------


def test_without_the_file_nothing_that_adds_risk_is_sent_and_with_it_it_is():
    """Missing is a refusal: a group that nobody told is not a group of its own."""
    room = a_core(read=False)
    assert NoFacts(what="row in the reference file") == room.buys(10)
    room.tell(a_read())
    assert not isinstance(room.buys(10), Refusal)


def test_an_instrument_without_a_row_is_refused_and_the_others_trade():
    room = a_core(ETH_ROW)
    assert NoFacts(what="row in the reference file") == room.buys(10)
    assert not isinstance(room.buys(100, instrument=ETH, at=ETH_TICKS), Refusal)


def test_a_file_too_old_refuses_to_the_nanosecond_and_keeps_no_exit_in():
    """Data that nobody has looked at for a month is a guess."""
    room = a_core()
    room.targets(10)
    room.tell(a_read(as_of_ns=room.wall_ns - DAY_MS * 10**6 + 1))
    assert not isinstance(room.buys(10), Refusal)
    room.tell(a_read(as_of_ns=room.wall_ns - DAY_MS * 10**6))
    assert StaleFacts(age_ms=DAY_MS, limit_ms=DAY_MS) == room.buys(11)
    assert not isinstance(room.sells(10, reduce_only=True), Refusal)


def test_a_file_that_cannot_be_read_changes_nothing_and_is_told():
    room = a_core()
    room.tell(a_read(problem="reference.toml:3: adv: not a number"))
    assert not isinstance(room.buys(10), Refusal)
    (told,) = room.alerted("reference.unusable")
    assert "adv: not a number" in told.text


@pytest.mark.parametrize("level", [L.REDUCE_ONLY, L.HALTED])
def test_where_it_is_wanted_a_stale_file_holds_the_account_and_a_new_one_releases_it(level):
    """`reference_stale`: one hold that people see, besides the refusals."""
    room = a_core(reference=structs.replace(RULES, when_stale=level), read=False)
    room.run(s=1)
    assert level == room.hold(HoldCause.REFERENCE_STALE).level
    room.tell(a_read())
    assert [] == room.causes()
    room.tell(a_read(as_of_ns=room.wall_ns - DAY_MS * 10**6 + 2 * S))
    room.run(s=1)
    assert [] == room.causes()
    room.run(s=2)
    assert ["reference_stale"] == room.causes()


def test_the_start_forgets_the_file_until_it_is_told_again():
    room = a_core()
    room.restarts()
    room.run(s=1)
    assert NoFacts(what="row in the reference file") == room.buys(10)


# --- volumes --------------------------------------------------------------------------------------------------------


def volume_limits():
    return (instrument_limits(BTC, adv_share_ppm_max=100_000), instrument_limits(ETH, order_lots_max=1_000))


def asked_volumes(room):
    return [request for _, request in room.sent if isinstance(request, QueryVolumes)]


def test_the_files_volume_wins_and_the_venue_is_not_asked():
    room = a_core(instrument_limits=volume_limits())
    room.venue.volumes = {BTC: 10}
    room.run(s=61)
    assert [] == asked_volumes(room)
    assert OverVolume(qty_lots=80, adv_lots=799, limit_ppm=100_000) != room.buys(80)
    room.tell(a_read(structs.replace(BTC_ROW, adv_lots=799), ETH_ROW, digest="d2"))
    assert OverVolume(qty_lots=80, adv_lots=799, limit_ppm=100_000) == room.buys(80)


def test_a_target_is_clipped_to_its_share_of_the_days_volume():
    room = a_core(structs.replace(BTC_ROW, adv_lots=200), ETH_ROW, instrument_limits=volume_limits())
    came = []
    for _ in range(3):
        room.targets(50)
        room.run(ms=300)
        came.append(room.position(of="alpha"))
    assert [20, 40, 50] == came
    assert isinstance(room.buys(21), OverVolume), "an order of its own size is refused instead"


def test_where_the_file_tells_no_volume_the_venue_is_asked_for_the_last_day():
    """Fed, not a parameter: the number comes from the venue, and grows old."""
    room = a_core(structs.replace(BTC_ROW, adv_lots=0), ETH_ROW, instrument_limits=volume_limits(), read=True)
    assert NoFacts(what="average daily volume") == room.buys(10)
    room.venue.volumes = {BTC: 200}
    room.run(s=61)
    assert [(BTC,)] == [one.instruments for one in asked_volumes(room)][-1:]
    assert OverVolume(qty_lots=21, adv_lots=200, limit_ppm=100_000) == room.buys(21)
    assert not isinstance(room.buys(20), Refusal)
    room.state.session.volumes[BTC] = (200, room.mono_ns - VOLUME_AGE_NS)
    room.state.session.volumes_asked_mono_ns = room.mono_ns
    room.tell(a_read(structs.replace(BTC_ROW, adv_lots=0), ETH_ROW))
    assert NoFacts(what="average daily volume") == room.buys(11)


def test_a_venue_that_tells_no_volume_is_asked_again_and_refuses_meanwhile():
    room = a_core(structs.replace(BTC_ROW, adv_lots=0), ETH_ROW, instrument_limits=volume_limits())
    room.venue.breaks(QueryVolumes, Transient(why="busy"))
    room.run(s=130)
    assert len(asked_volumes(room)) >= 2
    assert NoFacts(what="average daily volume") == room.buys(10)


# --- hours ----------------------------------------------------------------------------------------------------------

# WALL_NS is a Thursday, at midnight
THURSDAY = 3 * 24 * 60


def test_our_own_hours_close_to_the_nanosecond_and_open_by_themselves():
    """The last order before the bell is ours; the first after it is not."""
    hours = Hours(
        spans=((THURSDAY, THURSDAY + 1), (THURSDAY + 2, THURSDAY + 3)), scope=Scope(strategy="alpha")
    )
    room = a_core(hours=(hours,))
    room.targets(10)
    closes = WALL_NS + MINUTE
    room.run(ms=(closes - room.wall_ns - 1) // 10**6)
    assert not isinstance(room.buys(10), Refusal)
    room.run(ms=(closes - room.wall_ns) // 10**6 + 1)
    assert OutsideHours(of="strategy", opens_wall_ns=WALL_NS + 2 * MINUTE) == room.buys(11)
    assert not isinstance(room.sells(10, reduce_only=True), Refusal)
    assert not isinstance(room.buys(10, strategy="beta"), Refusal)
    room.run(s=61)
    assert not isinstance(room.buys(12), Refusal)


def test_what_rests_and_may_add_risk_does_not_outlast_our_hours_and_a_way_out_does():
    hours = Hours(spans=((THURSDAY, THURSDAY + 1),), scope=Scope(strategy="alpha"))
    room = a_core(hours=(hours,))
    room.targets(10)
    resting, way_out, others = room.buys(10), room.sells(10, reduce_only=True), room.buys(5, strategy="beta")
    stop = room.wants_protection(5)
    elsewhere = room.buys(100, instrument=ETH, at=ETH_TICKS - 500)
    room.run(ms=(WALL_NS + MINUTE - room.wall_ns) // 10**6 - 300)
    assert OrderState.LIVE is room.order(resting.order_id).state
    room.run(ms=1_000)
    ends = [room.order(one.order_id).state for one in (resting, elsewhere)]
    assert [OrderState.CANCELLED] * 2 == ends
    stay = [room.order(one.order_id).state for one in (way_out, stop, others)]
    assert [OrderState.LIVE] * 3 == stay
    asked = len(room.venue.asked_for(CancelOrder))
    room.run(s=30)
    assert asked == len(room.venue.asked_for(CancelOrder)), "once"


def test_an_instruments_hours_hold_for_every_strategy():
    room = a_core(hours=(Hours(spans=((0, 1),), scope=Scope(instrument=BTC)),))
    assert isinstance(room.buys(10), OutsideHours)
    assert "instrument" == room.buys(10, strategy="beta").of
    assert not isinstance(room.buys(100, instrument=ETH, at=ETH_TICKS), Refusal)


def test_outside_the_venues_session_not_even_an_exit_is_sent_and_the_bell_lets_it_pass():
    opens = WALL_NS + 5 * MINUTE
    calendar = Calendar(name="x", opens=((WALL_NS - S, WALL_NS + MINUTE), (opens, opens + MINUTE)))
    room = a_core()
    room.targets(10)
    room.tell(a_read(structs.replace(BTC_ROW, calendar="x"), ETH_ROW, calendars=(calendar,), digest="d2"))
    assert not isinstance(room.buys(10), Refusal)
    room.run(s=60)
    closed = OutsideHours(of="venue", opens_wall_ns=opens)
    assert closed == room.buys(11)
    assert closed == room.sells(5, reduce_only=True)
    room.run(s=241)
    assert not isinstance(room.buys(12), Refusal)
    room.run(s=60)
    assert OutsideHours(of="venue", opens_wall_ns=0) == room.buys(13), (
        "past the last session nobody told of more"
    )


def test_a_calendar_that_is_not_there_is_closed():
    room = a_core(structs.replace(BTC_ROW, calendar="y"), ETH_ROW)
    assert OutsideHours(of="venue", opens_wall_ns=0) == room.buys(10)


def test_the_flatten_lane_is_asked_for_no_hours():
    """Only the venue knows whether it takes an exit: it is asked, and keeps being asked."""
    room = a_core()
    room.targets(10)
    room.tell(a_read(structs.replace(BTC_ROW, calendar="y"), ETH_ROW, digest="d2"))
    assert room.says("flatten").accepted
    room.run(s=10)
    assert 0 == room.position()


# --- bands, shares, net ---------------------------------------------------------------------------------------------


def test_bands_come_from_the_file_and_change_with_it():
    room = a_core(structs.replace(BTC_ROW, band_high_ticks=BTC_TICKS - 1), ETH_ROW)
    outside = OutsideBands(price_ticks=BTC_TICKS, low_ticks=0, high_ticks=BTC_TICKS - 1)
    assert outside == room.buys(10, at=BTC_TICKS)
    room.tell(a_read(digest="d2"))
    assert not isinstance(room.buys(10, at=BTC_TICKS), Refusal)


def buys_eth(room, lots):
    return room.buys(lots, instrument=ETH, at=ETH_TICKS)


def test_a_group_is_counted_as_one_and_a_new_grouping_recounts_it():
    room = a_core(account_limits=account_limits(group_share_ppm_max=300_000))
    room.buys(45)  # 2,700 of 10,000
    assert OverShare(of="crypto", would_be_ppm=320_000, limit_ppm=300_000) == buys_eth(room, 200)
    room.tell(a_read(BTC_ROW, structs.replace(ETH_ROW, group="other"), digest="d2"))
    assert not isinstance(buys_eth(room, 200), Refusal)
    room.tell(a_read(digest="d3"))
    assert 3_200 * E8 == room.state.session.account.groups["crypto"].gross_e8
    assert 0 == room.state.session.account.groups["other"].gross_e8


def test_net_counts_the_orders_side_over_all_instruments():
    room = a_core(account_limits=account_limits(net_notional_e8_max=3_000 * E8))
    room.buys(45)
    assert OverNet(would_be_e8=3_200 * E8, limit_e8=3_000 * E8) == buys_eth(room, 200)
    assert not isinstance(room.sells(200, instrument=ETH, at=ETH_TICKS), Refusal)


@pytest.mark.parametrize("seed", range(8))
def test_the_sums_equal_those_of_the_naive_twin(seed):
    """Kept by differences, they must never drift from what a list and a sum say."""
    rng = random.Random(seed)
    groups = ["crypto", "other"]
    room = a_core(
        account_limits=account_limits(net_notional_e8_max=20_000 * E8, group_share_ppm_max=3_000_000)
    )
    for number in range(120):
        instrument = rng.choice([BTC, ETH])
        lots, side = rng.randint(1, 60), rng.choice([room.buys, room.sells])
        match rng.randrange(6):
            case 0:
                rows = (BTC_ROW, structs.replace(ETH_ROW, group=rng.choice(groups)))
                room.tell(a_read(*rows, digest=str(number)))
            case 1:
                room.quotes(instrument, mid=room.mids[instrument] + rng.randint(-500, 500))
            case 2:
                room.targets(rng.randint(-50, 50))
            case _:
                side(lots, instrument=instrument, at=room.mids[instrument] + rng.randint(-20, 20))
        if rng.random() < 0.2:
            room.run(ms=rng.choice([50, 1_100]))
        account = room.state.session.account
        rows = room.state.exposures.values()
        assert sum(row.long_e8 for row in rows) == account.net.long_e8
        assert sum(row.short_e8 for row in rows) == account.net.short_e8
        for instrument in (BTC, ETH):
            room.state.refresh_gross(instrument)
        assert naive.net_e8(room.state) == (account.net.long_e8, account.net.short_e8)
        told = {row.instrument: row.group for row in room.state.session.reference.instruments}
        for group in groups:
            mine = [name for name, its in told.items() if its == group]
            kept = account.groups[group].gross_e8 if group in account.groups else 0
            assert naive.gross_of(room.state, mine) == kept
    assert room.position() != 0


# --- falls of the market --------------------------------------------------------------------------------------------

HALTS = (
    MarketHalt(fall_ppm=20_000, level=L.REDUCED, everywhere=False),
    MarketHalt(fall_ppm=30_000, level=L.REDUCE_ONLY, everywhere=True),
    MarketHalt(fall_ppm=40_000, level=L.HALTED, everywhere=True),
)


def falls_to(room, ppm, instrument=BTC):
    mid = (BTC_TICKS if instrument == BTC else ETH_TICKS) * (1_000_000 - ppm) // 1_000_000
    room.quotes(instrument, mid=mid)
    room.run(ms=300)


def a_market(**changes):
    room = a_running_core(benchmark=BTC, market_halts=HALTS, **changes)
    room.run(ms=300)
    return room


def test_a_fall_of_the_benchmark_holds_the_account_by_steps_and_ends_below_the_first():
    """`market_halt`: markets pause at set falls; so do we, and by ourselves."""
    room = a_market()
    falls_to(room, 19_990)
    assert [] == room.causes()
    falls_to(room, 20_000)
    assert (L.REDUCED, L.NONE) == (room.level(), room.level(instrument=ETH))
    falls_to(room, 30_000)
    assert (L.REDUCE_ONLY, L.REDUCE_ONLY) == (room.level(), room.level(instrument=ETH))
    falls_to(room, 40_000)
    assert L.HALTED == room.level()
    falls_to(room, 30_000)
    room.run(s=5)
    assert L.HALTED == room.level(), "a step back is no release"
    falls_to(room, 25_000)
    room.run(s=4)
    assert (L.REDUCED, L.NONE) == (room.level(), room.level(instrument=ETH))


def test_another_instruments_fall_holds_that_one():
    room = a_market()
    falls_to(room, 45_000, ETH)
    assert (L.NONE, L.REDUCED) == (room.level(), room.level(instrument=ETH))


def test_the_fall_is_counted_from_the_days_first_price_over_restarts_until_the_day_rolls():
    """A crash of ours in the middle of a crash of theirs must not begin a new day."""
    room = a_market()
    falls_to(room, 15_000)
    room.restarts()
    room.run(s=1)
    falls_to(room, 31_000)
    assert "market_halt" in room.causes()
    assert 2 == len(room.facts_of(DayPriced))
    room.wall_ns += DAY_MS * 10**6
    room.run(s=5)
    assert "market_halt" not in room.causes()
    assert 4 == len(room.facts_of(DayPriced))


# --- journals -------------------------------------------------------------------------------------------------------


def test_a_start_from_before_these_limits_is_read_and_means_that_none_was_in_force():
    """Limits are journaled by position: what came later stands last."""
    start = a_start(settings=settings())
    rows = msgspec.msgpack.decode(msgspec.msgpack.encode(start))
    told = rows[Started.__struct_fields__.index("settings") + 1]
    account, instruments = told[5], told[6]
    del account[account_count() :]
    for one in instruments:
        del one[instrument_count() :]
    del told[settings_count() :]
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(rows), type=Started)
    assert start == old
    names = limits_of(old.settings)
    assert "account.net_notional_max" not in names
    assert f"instrument.{BTC}.adv_share_max" not in names
    state = State()
    state.begin(old)
    desk = state.desks["alpha"][BTC]
    assert (0, NO_LIMIT, NO_LIMIT) == (desk.depth_ppm, desk.share_ppm, desk.account.net_most_e8)
    desk.account.mark(OPENING_E8)
    assert NO_LIMIT == desk.account.group_most_e8


def account_count():
    return account_limits().__struct_fields__.index("net_notional_e8_max")


def instrument_count():
    return instrument_limits().__struct_fields__.index("equity_share_ppm_max")


def settings_count():
    return settings().__struct_fields__.index("reference")
