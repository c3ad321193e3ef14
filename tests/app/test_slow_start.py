"""A start that takes longer than the lease lives has it again: nothing was sent yet, so nothing is lost."""

import asyncio
import time

import pytest

from holdfast.app.renewing import have_again, renewing
from holdfast.guard.lease import Lease, LeaseTaken
from holdfast.runtime.clock import SystemClock


def a_lease(directory, clock):
    directory.chmod(0o700)
    return Lease(
        str(directory),
        "k",
        by="test",
        now_wall_ns=clock.wall_ns(),
        now_mono_ns=clock.mono_ns(),
        ttl_ns=50_000_000,
    )


def test_a_lease_that_ran_out_before_the_first_turn_of_the_loop_is_had_again(tmp_path):
    """Left lost, the first renewal of the loop would halt the bot, for a person to resume."""
    clock = SystemClock()
    lease = a_lease(tmp_path, clock)
    try:
        time.sleep(0.06)
        assert not lease.fresh(clock.mono_ns())
        have_again(lease, clock)
        assert lease.fresh(clock.mono_ns())
        assert 1 == lease.generation, "nobody else had it"
    finally:
        lease.release()


def test_what_was_begun_under_a_lease_tidies_up_when_another_has_it(tmp_path):
    """A canary may be in the air: its order must not stay behind."""
    clock = SystemClock()
    lease = a_lease(tmp_path, clock)
    tidied = []

    async def flight():
        try:
            lease.release()
            path.unlink()
            others.append(a_lease(tmp_path, clock))
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            tidied.append(True)

    async def start():
        with pytest.raises(LeaseTaken):
            await renewing(flight(), lease, clock)
        return list(tidied)  # before the loop ends: that would end it as well

    (path,) = (one for one in tmp_path.iterdir() if one.is_file())
    others = []
    try:
        assert [True] == asyncio.run(start())
    finally:
        for one in others:
            one.release()
