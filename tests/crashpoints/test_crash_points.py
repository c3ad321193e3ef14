"""The whole bot dies at every act that changes anything outside it, and another life begins from what is left.

By default some of the points, spread over the day; HOLDFAST_FULL=1 takes every one of them, kill and power loss,
and for each kind of place a second death at every act of the recovery.
"""

import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from holdfast.vocab.events import BasketIntent
from holdfast.vocab.facts import OrderApproved
from tests.crashpoints.checks import recovered
from tests.crashpoints.script import flat_claims, the_day

FULL = os.environ.get("HOLDFAST_FULL") == "1"
EACH, EACH_POWER, EACH_SECOND = (1, 1, 4) if FULL else (11, 29, 25)


@pytest.fixture(scope="module")
def day():
    """The day, and what a crash at each of its points would leave."""
    lefts = []
    life = the_day(on_left=lefts.append)
    life.machine.close()
    return life, lefts


def told(left):
    return f"{left.what}{' torn' if left.torn else ''} at {left.mono_ns}"


def test_the_day_has_everything_in_it(day):
    """A day without doubt, fills and a flatten would prove little."""
    life, lefts = day
    kinds = Counter(left.what for left in lefts)
    assert life.ended.error is None
    assert flat_claims(life)
    assert 12 < len([what for what in kinds if what.startswith("send")])
    for what in ("disk write", "disk sync", "disk rename", "disk create", "disk sync_dir", "store commit"):
        assert kinds[what] > 1, what
    for what in ("guard write latch", "guard write lease", "guard append who", "guard link"):
        assert kinds[what] > 0, what
    states = Counter(type(record).__name__ for record in life.records)
    for name in (
        "OrderApproved",
        "FillBooked",
        "OrderAmended",
        "FlattenEnded",
        "LatchSeen",
        "HoldReleased",
        "BasketIntent",
    ):
        assert states[name], name
    dids = {record.did.value for record in life.records if type(record).__name__ == "OrderMoved"}
    assert {"ack", "full_fill", "part_fill", "go_silent", "absent", "cancel_ask", "cancelled"} <= dids
    assert any(left.on_the_way for left in lefts)
    assert any(left.halted for left in lefts)
    assert len(lefts) > 600
    # what is promised grows with the day: else nothing would be asked of a recovery
    records = len(life.records)
    assert records - 10 < lefts[-1].written_count <= records
    assert records - 10 < lefts[-1].synced_count <= records
    assert 10 < len({left.synced_count for left in lefts})


def test_killed_at_any_act_it_recovers_from_the_bytes_alone(day, capsys):
    """G9: before, half done and done: nothing promised is lost, nothing is doubled, halted, and soon armable."""
    _, lefts = day
    picked = lefts[::EACH]
    bad = {told(left): found for left in picked if (found := recovered(left)[1])}
    assert {} == bad
    _say(capsys, f"{len(picked)} of {len(lefts)} points, killed")


def test_killed_while_a_basket_leaves_no_part_of_it_is_at_the_venue_and_not_in_the_journal(day):
    """Before its record, between its records, between its sends: nothing of it unknown to us, nothing sent twice."""
    life, lefts = day
    basket = next(place for place, one in enumerate(life.records) if type(one) is BasketIntent)
    began = life.records[basket].mono_ns
    ids = {one.order_id for one in life.records[basket:] if type(one) is OrderApproved}
    ids = {*sorted(ids)[: len(life.records[basket].legs)]}
    then = [left for left in lefts if 0 <= left.mono_ns - began < 20_000_000]
    assert {0, 1, 2} == {len(ids & left.sent_ids) for left in then}, (
        "before, between and behind its two sends"
    )
    bad = {told(left): found for left in then if (found := recovered(left)[1])}
    for number, left in enumerate(then):
        files = left.files.copied()
        files.lose_power(random.Random(number))
        if found := recovered(replace(left, files=files, power=True, guard={}))[1]:
            bad[f"{told(left)}, without power"] = found
    assert {} == bad


def test_without_power_at_any_act_it_recovers_what_was_synced(day, capsys):
    """What was not synced is old or new, sector by sector; the latch was in memory: it is new, and tripped."""
    _, lefts = day
    picked = [(number, left) for number, left in enumerate(lefts) if number % EACH_POWER == 0]
    bad = {}
    for number, left in picked:
        files = left.files.copied()
        files.lose_power(random.Random(number))
        found = recovered(replace(left, files=files, power=True, guard={}))[1]
        if found:
            bad[told(left)] = found
    assert {} == bad
    _say(capsys, f"{len(picked)} of {len(lefts)} points, without power")


def test_killed_again_at_any_act_of_the_recovery_it_recovers_all_the_same(day, capsys):
    """I24: recovery begun, killed, begun again: the same."""
    _, lefts = day
    chosen, seen = [], Counter()
    for left in lefts:
        seen[left.what, left.torn] += bool(left.sent_ids)  # before the first order there is little to lose
        if seen[left.what, left.torn] == 1 and left.sent_ids:
            chosen.append(left)
    if not FULL:
        chosen = chosen[::5]
    bad, again_count = {}, 0
    for left in chosen:
        again = []
        first, found = recovered(left, on_left=again.append)
        if found:
            bad[told(left)] = found
        for second in again[len(chosen) % EACH_SECOND :: EACH_SECOND]:
            again_count += 1
            found = recovered(second)[1]
            if found:
                bad[f"{told(left)}, then {told(second)}"] = found
        assert first.oracle
    assert {} == bad
    _say(capsys, f"{again_count} second deaths in {len(chosen)} recoveries")


def _say(capsys, text):
    if FULL:
        with capsys.disabled():
            print(f"\n  [{text}]")
