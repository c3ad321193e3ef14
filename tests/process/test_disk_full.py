"""The disk is full: a halt works as ever, risk stops once the journal has room for the exit only, the exit works."""

import contextlib
import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.guard.latch import shell_line
from holdfast.journal.recover import open_for_append
from holdfast.journal.segments import RESERVE_BYTES
from holdfast.vocab.events import StrategySaved
from holdfast.vocab.facts import FlattenEnded
from holdfast.vocab.orders import Lane
from tests.process.processes import NAME, until
from tests.process.reading import client_id, judge, order_id, read_story, read_writes
from tests.process.test_halt import a_striker

pytestmark = pytest.mark.process
DISK_MB = 76  # one journal segment of 64 MB, and no room for the next
ROOM_BYTES = 700_000  # of the journal, before only the reserve is left


@pytest.fixture
def small_disk(home):
    """A disk of our own that a test may fill."""
    place = home.path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    home.close()
    subprocess.run(["umount", str(place)], check=True)


def a_nearly_used_up_journal(directory: Path) -> None:
    """A journal of earlier days with a little room left in its only segment."""
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    journal = open_for_append(str(directory), account=NAME).journal
    filler = bytes(60_000)
    while journal.free_bytes > RESERVE_BYTES + ROOM_BYTES + 2 * len(filler):
        journal.append(StrategySaved(wall_ns=1, mono_ns=1, strategy="earlier", state=filler), 0)
    journal.close()


def fill(place: Path) -> None:
    """Take every byte that is left."""
    with (place / "junk").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_stops_risk_and_neither_the_halt_nor_the_exit(home, small_disk, figure):
    """A journal that cannot grow must not leave a bot trading unrecorded, nor one that cannot get out."""
    sim = home.sim()
    state_dir = small_disk / "state"
    a_nearly_used_up_journal(state_dir / "journal")
    params = {"signal": str(home.path / "bot" / "signal"), "trade": True}
    bot = home.bot(sim, strategy="Burster", params=params, state_dir=state_dir)
    bot.start()
    bot.arm()
    until(lambda: sim.position_lots() != 0, "a position", bot.tell)
    strike = a_striker(home, bot)
    time.sleep(1.2)
    fill(small_disk)

    # the disk is full and the journal still has room: a halt is a halt
    halt = strike(3)
    until(lambda: bot.halted_by("halt"), "the halt is seen", bot.tell)
    code, said = bot.cli("halt", "--reason", "the disk is full")
    assert 0 == code, said
    line = shell_line(str(bot.latch))
    nonce = bot.status()["latch"]["nonce"]
    assert 0 == subprocess.run(["sh", "-c", line], capture_output=True).returncode
    until(lambda: bot.status()["latch"]["nonce"] != nonce, "the shell line halts as well", bot.tell)
    until(
        lambda: "unknown" in [hold["by"] for hold in bot.holds("halt")],
        "and its hold stands beside the others",
        bot.tell,
    )
    resumed_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    bot.resume()

    # the journal runs out of room: risk stops by itself, and nobody can make it go on
    until(lambda: bot.halted_by("halt"), "risk stops", bot.tell)
    assert ["journal"] == [hold["by"] for hold in bot.holds("halt")]
    position = sim.position_lots()
    assert position != 0, "something to get out of"
    bot.resume()
    time.sleep(0.6)
    seq = sim.truth()["requests_total"]
    time.sleep(0.8)
    assert [] == sim.requests("place", since_seq=seq), (
        "strategies are not heard while only the reserve is left"
    )

    # the way out
    code, said = bot.cli("cancel")
    assert 0 == code, said
    until(lambda: sim.truth()["open_orders"] == [], "every order is cancelled", bot.tell)
    began = time.monotonic()
    code, said = bot.cli("flatten", "--yes", "--reason", "out of disk")
    assert 0 == code, said
    assert 0 == sim.position_lots()
    figure(
        f"flat in {time.monotonic() - began:.1f} s with the disk full; {json.dumps(bot.status()['journal'])}"
    )
    assert 0 == bot.stop(), bot.log()

    story = read_story(bot.journal_dir)
    writes = {one.order_id: one for one in read_writes(bot.stamps)}
    judged = judge(replace(halt, resumed_ns=resumed_ns), story, writes)
    assert (0, True) == (judged.behind, judged.passing <= 1)
    asked = {order_id(bot.tag, one["client_id"]) for one in sim.requests("place")}
    assert asked <= {*story.orders}, "no order without its record"
    assert {one["client_id"] for one in sim.requests("place")} == {client_id(bot.tag, one) for one in writes}
    assert any(one.lane is Lane.FLATTEN for one in writes.values())
    assert [True] == [fact.flat for fact in story.of(FlattenEnded)]
    code, said = bot.cli("journal", "verify", "--state-dir", str(state_dir))
    assert 0 == code, said
