"""Out of a position: reduce-only, bounded, one at a time, never past zero, and flat only by two reads."""

import itertools
import threading
import time
from decimal import Decimal

import pytest

from holdfast.ports.last_resort import Held, LastResortFailed
from holdfast.watchdog.flatten import Flatten
from holdfast.watchdog.orders import ExitLimits
from tests.house.simulated import BUY, SELL
from tests.watchdog.conftest import eventually, some_orders

ORDER, ACCOUNT, RISK = "/fapi/v1/order", "/fapi/v3/account", "/fapi/v3/positionRisk"


def flatten(venue, asked, **changes):
    return Flatten(venue.client(order_window_ms=400), some_orders(**changes), asked.asks).run()


def exits(venue):
    """Every exit that reached the venue; each must be one that cannot open anything."""
    sent = venue.requests("place")
    ours = [one for one in sent if one["client_id"].startswith("hfwd-")]
    assert all(one["reduce_only"] and one["type"] == "LIMIT" for one in ours), ours
    assert len({one["client_id"] for one in ours}) == len(ours)
    return ours


def test_it_is_flat_by_clips_in_both_directions(venue, asked):
    venue.order(BUY, "0.600")
    venue.order(SELL, "3.000", symbol="ETHUSDT")
    assert "" == flatten(venue, asked)
    assert {} == venue.amounts()
    sizes = [(one["symbol"], one["side"], Decimal(one["qty"])) for one in exits(venue)]
    assert all(size <= (Decimal("0.25") if symbol == "BTCUSDT" else 4) for symbol, _, size in sizes)
    assert {("BTCUSDT", "SELL"), ("ETHUSDT", "BUY")} == {one[:2] for one in sizes}
    assert len(sizes) >= 4


def test_an_exit_is_never_priced_beyond_its_collar(venue, asked):
    """Out at any price is how a falling market takes everything."""
    venue.order(BUY, "0.010")
    mark = venue.client().reference("BTCUSDT")
    assert "" == flatten(venue, asked)
    (exit_,) = exits(venue)
    assert mark * Decimal("0.97") < Decimal(exit_["price"]) < mark * Decimal("0.99")


def test_nothing_to_close_is_flat_after_two_reads(venue, asked):
    assert "" == flatten(venue, asked)
    assert [] == exits(venue)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse", "http": 503, "code": -1001},
        {"kind": "refuse", "http": 400, "code": -2022},
        {"kind": "reset"},
        {"kind": "ack_reset"},
        {"kind": "ack_error"},
        {"kind": "ack_empty"},
        {"kind": "ack_garbage"},
        {"kind": "ack_truncated"},
    ],
    ids=lambda one: f"{one['kind']}{one.get('code', '')}",
)
def test_an_exit_whose_fate_is_not_told_is_asked_after_before_another_is_sent(venue, asked, fault):
    """Sending again what may have filled is how a dead switch turns a long into a short."""
    venue.order(BUY, "0.200")
    venue.fault(method="POST", path=ORDER, count=2, **fault)
    assert "" == flatten(venue, asked)
    assert {} == venue.amounts()
    assert venue.struck() == 0 or len(exits(venue)) >= 1
    filled = sum(Decimal(one["qty"]) for one in venue.truth()["trades"] if one["side"] == "SELL")
    assert Decimal("0.200") == filled


@pytest.mark.parametrize("path", [ACCOUNT, RISK])
def test_one_source_of_positions_is_enough_where_the_other_is_retired(venue, asked, path):
    """The bot of the airplane lost one endpoint and could no longer close."""
    venue.order(BUY, "0.100")
    venue.fault("retire", path=path, http=410)
    assert "" == flatten(venue, asked)
    assert {} == venue.amounts()


def test_with_no_source_of_positions_nothing_is_sent_and_nothing_claimed(venue, asked):
    venue.order(BUY, "0.100")
    for path in (ACCOUNT, RISK):
        venue.fault("retire", path=path, http=410)
    left = []
    thread = threading.Thread(target=lambda: left.append(flatten(venue, asked, escalate_after_s=0.2)))
    thread.start()
    eventually(lambda: asked.late, "it is said")
    assert "not flat after 0.2 s: no position has been read" in asked.late[0]
    assert [] == exits(venue)
    venue.heal()
    thread.join(20)
    assert [""] == left
    assert {} == venue.amounts()


def test_a_question_that_is_never_answered_holds_up_the_claim_and_not_the_way_out(venue, asked):
    """What became of an exit decides whether it may be called flat, not whether the next one may be sent."""
    venue.order(BUY, "0.100")
    venue.fault("reset", method="POST", path=ORDER, count=1)
    venue.fault("retire", method="GET", path=ORDER, http=404, body="json")
    left = []
    thread = threading.Thread(target=lambda: left.append(flatten(venue, asked)))
    thread.start()
    eventually(lambda: not venue.amounts(), "it is out", 20)
    thread.join(1.0)
    assert [] == left, "and does not say so"
    venue.heal()
    thread.join(20)
    assert [""] == left


def test_what_has_no_limits_is_left_to_people_and_named(venue, asked):
    """A missing limit never permits, least of all when nobody is at the desk."""
    venue.order(BUY, "0.100")
    venue.order(BUY, "2.000", symbol="ETHUSDT")
    limits = {"BTCUSDT": ExitLimits(clip=Decimal("0.25"), collar_ppm=20_000)}
    left = flatten(venue, asked, limits=limits)
    assert "ETHUSDT 2.000 has no limits here" in left
    assert ["ETHUSDT"] == list(venue.amounts())


def test_a_size_below_the_venues_step_is_said_and_not_sent(venue, asked):
    venue.order(BUY, "0.100")
    limits = {"BTCUSDT": ExitLimits(clip=Decimal("0.0001"), collar_ppm=20_000)}
    thread = threading.Thread(target=lambda: flatten(venue, asked, limits=limits))
    thread.start()
    eventually(lambda: any("smaller than" in text for text in asked.said), "it is said")
    asked.alone = False
    thread.join(20)
    assert [] == exits(venue)


def test_a_price_or_rules_that_are_not_told_send_nothing(venue, asked):
    venue.order(BUY, "0.100")
    venue.fault("refuse", path="/fapi/v1/exchangeInfo", http=500, code=-1000, count=1)
    venue.fault("refuse", path="/fapi/v1/premiumIndex", http=500, code=-1000, count=1)
    assert "" == flatten(venue, asked)
    assert 1 == len(exits(venue))
    assert 2 == sum("exit of BTCUSDT" in text for text in asked.said)


def test_a_symbol_that_the_venue_does_not_know_is_not_traded(venue, asked):
    plan = Flatten(
        venue.client(),
        some_orders(limits={"GONEUSDT": ExitLimits(clip=Decimal(1), collar_ppm=1)}),
        asked.asks,
    )
    with pytest.raises(LastResortFailed, match="no such symbol"):
        plan._plan(Held(symbol="GONEUSDT", amount=Decimal(1), one_way=True))


def test_it_stops_where_the_bot_shows_signs_of_life(venue, asked):
    """Two that close one position reopen it between them."""
    venue.order(BUY, "0.100")
    asked.alone = False
    assert "no position has been read; stopped: the bot shows signs of life" in flatten(venue, asked)
    assert {"BTCUSDT": Decimal("0.100")} == venue.amounts()


def test_it_asks_again_right_before_an_exit(venue, asked):
    """Between reading a position and sending an exit the bot may have woken up."""
    venue.order(BUY, "0.100")
    answers = iter([True, False, False])
    asks = asked.asks
    plan = Flatten(
        venue.client(),
        some_orders(),
        type(asks)(
            **{name: getattr(asks, name) for name in asks.__struct_fields__ if name != "alone"},
            alone=lambda: next(answers),
        ),
    )
    assert "BTCUSDT 0.100 after 0 exit orders; stopped" in plan.run()
    assert [] == exits(venue)


def test_a_market_outside_the_collar_is_waited_for_and_not_hammered(venue, asked):
    """An exit that does not fill is final at once: without a pause that is a thousand orders a minute."""
    venue.order(BUY, "0.100")
    limits = {"BTCUSDT": ExitLimits(clip=Decimal("0.25"), collar_ppm=-20_000)}  # nobody pays that
    thread = threading.Thread(target=lambda: flatten(venue, asked, limits=limits, retry_s=0.2))
    thread.start()
    eventually(lambda: len(exits(venue)) >= 3, "it tries")
    time.sleep(2.0)
    asked.alone = False
    thread.join(20)
    tried = exits(venue)
    assert all(one["accepted"] for one in tried)
    assert {"BTCUSDT": Decimal("0.100")} == venue.amounts()
    gaps_ms = [(b["boot_ns"] - a["boot_ns"]) // 1_000_000 for a, b in itertools.pairwise(tried)]
    assert gaps_ms[0] >= 190
    assert gaps_ms[-1] > gaps_ms[0], "longer and longer"
