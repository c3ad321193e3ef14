"""A start that takes longer than the lease lives has it again: nothing was sent yet, so nothing is lost."""

import time

from holdfast.app.renewing import have_again
from holdfast.guard.lease import Lease
from holdfast.runtime.clock import SystemClock


def test_a_lease_that_ran_out_before_the_first_turn_of_the_loop_is_had_again(tmp_path):
    """Left lost, the first renewal of the loop would halt the bot, for a person to resume."""
    clock = SystemClock()
    tmp_path.chmod(0o700)
    lease = Lease(
        str(tmp_path),
        "k",
        by="test",
        now_wall_ns=clock.wall_ns(),
        now_mono_ns=clock.mono_ns(),
        ttl_ns=50_000_000,
    )
    try:
        time.sleep(0.06)
        assert not lease.fresh(clock.mono_ns())
        have_again(lease, clock)
        assert lease.fresh(clock.mono_ns())
        assert 1 == lease.generation, "nobody else had it"
    finally:
        lease.release()
