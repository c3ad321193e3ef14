"""What the look at the venue's contract means: no arming before it, a hold with its reason, and its end."""

from holdfast.core.state import State
from holdfast.vocab.events import LatchSeen, Probed
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.probe import Check, Verdict
from tests.house.events import a_start
from tests.house.records import folded
from tests.house.room import Room, a_running_core
from tests.house.setup import settings
from tests.house.venue import NaiveVenue

GOOD = Check(name="clock", verdict=Verdict.OK, found="all is well")
ODD = Check(name="clock", verdict=Verdict.WARN, found="far away", advice="mind it")
BAD = Check(name="withdrawals", verdict=Verdict.FAIL, found="the key may withdraw", advice="make another")
WORSE = Check(name="account", verdict=Verdict.FAIL, found="somebody else's")


def probed(*checks):
    return Probed(wall_ns=0, mono_ns=0, checks=checks)


def a_probing_core(**changes):
    """A core that has started beside a look at the contract that is not over."""
    config = settings(**changes)
    room = Room(config=config, venue=NaiveVenue(config.instruments))
    room.tell(a_start(settings=config, probes=True))
    room.tell(LatchSeen(wall_ns=0, mono_ns=0, nonce=room.trip_nonce, by="start", reason="born tripped"))
    room.stream_is(up=True)
    room.run(s=2)
    return room


def test_nothing_is_armed_before_the_look_is_over():
    room = a_probing_core(arm_auto=True)
    assert ["startup"] == room.causes()
    said = room.says("arm")
    assert not said.accepted
    assert "contract" in said.text
    room.tell(probed(GOOD, ODD))
    assert [] == room.causes()
    assert ["clock: far away; mind it"] == [one.text for one in room.alerts if one.kind == "venue.contract"]


def test_a_failed_venue_contract_holds_with_its_reason_and_the_next_good_look_lifts_it():
    room = a_probing_core(arm_auto=True)
    room.tell(probed(GOOD, BAD, WORSE))
    assert {"startup", "venue_contract"} == set(room.causes())
    hold = room.hold("venue_contract")
    assert (HoldLevel.HALTED, "withdrawals: the key may withdraw; make another (and 1 more)") == (
        hold.level,
        hold.reason,
    )
    said = room.says("arm")
    assert not said.accepted
    assert "the key may withdraw" in said.text
    told = len(room.alerts)
    room.tell(probed(GOOD, BAD, WORSE))
    assert told == len(room.alerts), "one incident, told once"
    room.tell(probed(GOOD))
    assert [] == room.causes()


def test_what_goes_wrong_while_trading_stops_it_and_a_restart_keeps_it_stopped():
    room = a_running_core()
    room.tell(probed(BAD))
    assert ["venue_contract"] == room.causes()
    assert HoldLevel.HALTED == room.level()
    assert room.state.books_hash() == State(folded(room.records)).books_hash()
    room.restarts()
    assert "venue_contract" in room.causes()


def test_a_run_without_a_look_does_not_wait_for_one():
    assert [] == a_running_core().causes()
