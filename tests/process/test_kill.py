"""kill -9 with orders in flight: the next start is halted, knows every order's fate, and is soon ready to arm."""

import random
import time

import pytest

from holdfast.journal.chain import Chain
from holdfast.journal.codec import HEADER_BYTES
from holdfast.journal.segments import segment_name
from holdfast.vocab.orders import OrderState
from tests.process.conftest import FULL
from tests.process.processes import PATIENCE_S, Bot, until
from tests.process.reading import faults_of, read_story, read_writes
from tests.process.strategies import WRITES, counters

pytestmark = pytest.mark.process
READY_S_MAX = 10.0


def ready_to_arm(bot: Bot, patience_s: float = PATIENCE_S) -> tuple[float, float]:
    """Start it; (seconds, seconds of the processor) until a person could arm it."""
    began = time.monotonic()
    bot.start(patience_s)
    assert "halted" == bot.status()["level"]
    until(lambda: armable(bot), "it is reconciled", bot.tell, patience_s)
    return time.monotonic() - began, bot.worked_s()


def armable(bot: Bot) -> bool:
    """Reconciled with the venue since this start, by its own word."""
    bot.alive()
    return len(bot.alerts("start.reconciled")) == bot.starts


def tear(bot: Bot) -> None:
    """Leave half a record behind the last one, as a crash in the middle of a write does."""
    chain = Chain(str(bot.journal_dir))
    chain.prove()
    place = chain.place
    assert place is not None
    path = bot.journal_dir / segment_name(place.number)
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES)
        start = file.read(30)
        file.seek(place.offset)
        file.write(start)


def after_writes(bot: Bot, count: int) -> None:
    """Wait until so many more orders are written."""
    written = counters(bot.signal)
    target = written[WRITES] + count
    until(lambda: written[WRITES] >= target, "orders flow", bot.tell, pause_s=0.0002)


def faults(bot: Bot) -> list[str]:
    """What the journal and the venue's ground truth disagree on now."""
    truth = bot.sim.truth()
    return faults_of(read_story(bot.journal_dir), truth, tag=bot.tag, control_url=bot.sim.control_url)


@pytest.mark.timeout(600)
def test_killed_again_and_again_it_loses_no_order_and_doubles_none(home, size, figure):
    """G8: the journal has every order before the socket has it, so whatever the moment, the venue can be asked."""
    sim = home.sim()
    bot = home.bot(
        sim, strategy="Burster", params={"signal": str(home.path / "bot" / "signal"), "trade": True}
    )
    rng = random.Random(3)
    first_s, _ = ready_to_arm(bot)
    in_flight: list[int] = []
    unwritten: list[int] = []
    ready: list[tuple[float, float]] = []
    wanted, tries = size(3, 20), 0
    while sum(count > 0 for count in in_flight) < wanted:
        tries += 1
        assert tries <= 2 * wanted, (
            "the kills miss the orders in flight: this machine is too busy for this test"
        )
        done, said = bot.tell_to("arm")
        assert done, said
        time.sleep(rng.uniform(0.2, 0.6))
        after_writes(bot, rng.randint(0, 60))
        bot.kill()

        story = read_story(bot.journal_dir)
        silent = [number for number, order in story.orders.items() if order.state is OrderState.SENT]
        reached = {one.order_id for one in read_writes(bot.stamps)}
        in_flight.append(len(silent))
        unwritten.append(len([number for number in silent if number not in reached]))
        seq = sim.truth()["requests_total"]
        if tries == 1:
            tear(bot)
        ready.append(ready_to_arm(bot))
        assert [] == sim.requests("place", "place_algo", "amend", since_seq=seq), "halted is halted"
        assert [] == faults(bot), bot.tell()
    took, worked = [one for one, _ in ready], [one for _, one in ready]
    figure(
        f"{len(ready)} kills; in flight {in_flight}, of them not at the socket {unwritten}; "
        f"ready to arm: first start {first_s:.2f} s, then {min(took):.2f}…{max(took):.2f} s, "
        f"of the processor {min(worked):.2f}…{max(worked):.2f} s"
    )
    # in the quick size the machine is busy with others: what there was to do is judged, the proof is the full size's worst
    assert (max(took) if FULL else max(worked)) < READY_S_MAX
    assert ["torn tail cut"] == [row["event"] for row in bot.logged() if "torn" in row["event"]]
    assert 0 == bot.stop(), bot.log()
    assert [] == faults(bot)
    code, said = bot.cli("journal", "replay", "--state-dir", str(bot.state_dir))
    assert 0 == code, said  # each life as far as it was written, with every frame that a record counts on
