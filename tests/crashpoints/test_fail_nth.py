"""Every file operation and every call to the venue fails, one after the other, once and from then on for good.

After it the disk and the venue are whole again, another life begins, and everything must agree: no order lost, none
doubled, and flat was never said where it was not so. By default some of the calls; HOLDFAST_FULL=1 goes to exhaustion.
"""

import errno
import os
from dataclasses import replace

import pytest

from holdfast.guard.latch import GuardUnusable
from holdfast.ports.journal import JournalFailed
from holdfast.vocab.outcome import Fatal, Fault, Transient, Unknown
from tests.crashpoints.checks import recovered
from tests.crashpoints.machine import KEY, Disk, How, Life, Machine
from tests.crashpoints.script import DAY, Day, DayVenue, the_day

FULL = os.environ.get("HOLDFAST_FULL") == "1"
EACH_DISK, EACH_GUARD, EACH_CALL = (1, 1, 1) if FULL else (67, 23, 37)
SECONDS = 24  # the day, and the patience of a stop that waits for fates

HOWS = {
    "lost": How(outcome=Unknown(why="no answer"), instead=True),
    "muffled": How(outcome=Unknown(why="no answer")),
    "late": How(outcome=Unknown(why="no answer"), late_s=0.6),
    "transient": How(outcome=Transient(why="busy", code="-1003"), instead=True),
    "fatal": How(outcome=Fatal(why="no", code="-1102"), instead=True),
    "unlisted": How(outcome=Unknown(why="what", code="-9999", unlisted=True), instead=True),
    "refused key": How(outcome=Fatal(why="key", code="-2015", fault=Fault.AUTH), instead=True),
}
HOLD_OF = {"unlisted": "unknown_error", "refused key": "venue_auth"}


def the_day_on(disk=None, **faults):
    """The day with faults; returns (life, why it could not even begin)."""
    machine = Machine(venue=DayVenue)
    if disk is not None:
        machine.files = disk
    life = Life(machine, strategy=Day(), script=DAY, **faults)
    try:
        life.run(until=lambda one: False, seconds=SECONDS)
    except (JournalFailed, GuardUnusable) as error:
        return life, str(error)
    return life, ""


def healed(life):
    """What is left, on a disk that works again; after a failure only what was synced was promised."""
    left = life.left()
    left.files.fail_at, left.files.sticky_from = {}, None
    return replace(left, written_count=left.synced_count)


def after(life):
    """What is wrong once another life has recovered from it."""
    left = healed(life)
    life.machine.close()
    return [*life.false_claims, *recovered(left)[1]]


def causes(life):
    return {record.hold.cause.value for record in life.records if type(record).__name__ == "HoldPlaced"}


# --- files ----------------------------------------------------------------------------------------------------------


def calls_of_a_day():
    life = the_day()
    life.machine.close()
    return life.machine.files.call_count, life.port.calls_count


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("sticky", [False, True])
def test_any_file_operation_may_fail(code, sticky):
    """It does not matter, or it is the end, latched: never an order that no journal has."""
    total, _ = calls_of_a_day()
    ended, bad = 0, {}
    for at in range(1 + (code == errno.ENOSPC), total + 2, EACH_DISK):
        disk = Disk()
        disk.error = code
        if sticky:
            disk.sticky_from = at
        else:
            disk.fail_at = {at: code}
        life, refused = the_day_on(disk)
        error = life.ended.error if life.ended is not None else None
        found = []
        if error is not None:
            ended += 1
            if not isinstance(error, JournalFailed):
                found.append(f"ended by {error!r}")
            latch = (life.machine.guard / f"{KEY}.latch").read_bytes()
            if latch[:16] == latch[16:32]:
                found.append("the end did not trip the latch")
        elif not refused and life.ended is None:
            found.append("the day did not end")
        found += after(life)
        if found:
            bad[at] = found
    assert {} == bad
    assert ended > 0


def test_any_write_to_latch_and_lease_may_fail():
    """A latch that cannot be written is broken, and halts; a lease that cannot be renewed lets nothing out."""
    bad, halted = {}, 0
    for sticky in (False, True):
        for at in range(1, 80, EACH_GUARD):
            asked = [0]

            def fails(at=at, asked=asked, sticky=sticky):
                asked[0] += 1
                return asked[0] >= at if sticky else asked[0] == at

            life, refused = the_day_on(guard_fails=fails)
            if not refused and asked[0] >= at:
                halted += bool(causes(life) & {"lost_lease", "halt"}) or life.ended is None
            found = after(life)
            if found:
                bad[at, sticky] = found
    assert {} == bad
    assert halted > 0


# --- the venue ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("sticky", [False, True])
def test_any_call_to_the_venue_may_fail(how, sticky):
    """Ack lost, answer lost, refused, late, strange: filled equals intended, and flat means flat."""
    _, total = calls_of_a_day()
    bad = {}
    for at in range(1 + list(HOWS).index(how), total + 2, EACH_CALL):
        struck = []

        def fault(number, at=at, struck=struck):
            if number < at or (number > at and not sticky):
                return None
            struck.append(number)
            return HOWS[how]

        life, refused = the_day_on(fault=fault)
        found = [refused] if refused else []
        if struck and how in HOLD_OF and HOLD_OF[how] not in causes(life):
            found.append(f"{how}, and no hold: {causes(life)}")
        found += after(life)
        if found:
            bad[at] = found
    assert {} == bad
