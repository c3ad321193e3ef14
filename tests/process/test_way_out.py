"""A halted bot's way out, by the command line and proven by the venue's word; and how fast its commands start."""

import statistics
import time

import pytest

from holdfast.vocab.facts import FlattenEnded
from tests.process.processes import until
from tests.process.reading import read_story

pytestmark = pytest.mark.process
START_S_MAX = 0.3


def test_flatten_while_halted_ends_with_the_venues_word_and_commands_start_in_a_blink(home, size, figure):
    """A halt that cannot be left in good order is half a halt; one that takes long to give is none."""
    sim = home.sim()
    bot = home.bot(sim, strategy="Holder", params={"lots": 300})
    bot.start()
    bot.arm()
    until(lambda: sim.position_lots() == 300, "a position", bot.tell)

    took: dict[str, list[float]] = {"status": [], "halt": []}
    for _ in range(size(3, 15)):
        for word, times in took.items():
            began = time.perf_counter()
            code, said = bot.cli(word)
            times.append(time.perf_counter() - began)
            assert 0 == code, said
    figure("; ".join(f"{word}: median {statistics.median(times):.3f} s" for word, times in took.items()))
    # this machine may be busy with others, but the work itself must be small
    assert max(min(times) for times in took.values()) < START_S_MAX, took
    assert bot.halted_by("halt"), bot.tell()
    assert 300 == sim.position_lots()

    began = time.perf_counter()
    code, said = bot.cli("flatten", "--yes", "--reason", "done for today")
    flat_s = time.perf_counter() - began
    assert 0 == code, said
    assert "two venue reads agree on zero" in said
    assert 0 == sim.position_lots()
    assert bot.halted_by("halt"), "getting flat does not lift a halt"
    exits = [one for one in sim.requests("place") if one["reduce_only"]]
    figure(f"flat while halted in {flat_s:.2f} s by {len(exits)} reduce-only orders")
    assert 2 == len(exits), "0.3 BTC in clips of 0.25"
    assert 2 == bot.status()["exits_today"]
    assert 0 == bot.stop(), bot.log()
    assert [True] == [fact.flat for fact in read_story(bot.journal_dir).of(FlattenEnded)]
