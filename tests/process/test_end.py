"""The end of a run as whoever started it sees it: one code, and the lines that say why it is not 0."""

import pytest

from holdfast.app.errors import Exit
from tests.process.processes import until
from tests.process.test_refusals import an_asker, asks, order

pytestmark = pytest.mark.process


def test_a_stop_that_cannot_learn_what_became_of_an_order_says_so_in_its_code_and_names_it(home):
    """A 0 would tell a supervisor that nothing rests at the venue."""
    sim = home.sim()
    bot = an_asker(home, sim)
    bot.start()
    bot.arm()
    asks(bot, order())
    until(lambda: sim.truth()["open_orders"], "an order rests", bot.tell)
    sim.control("POST", "/faults", {"kind": "hang", "method": "DELETE"})
    sim.control("POST", "/faults", {"kind": "hang", "path": "/fapi/v1/order"})
    assert Exit.UNFINISHED == bot.stop(), bot.log()
    (said,) = [line for line in bot.log().splitlines() if line.startswith("holdfast: the stop gave up")]
    for left in sim.truth()["open_orders"]:
        assert f"BTCUSDT, {left['client_id']}" in said
