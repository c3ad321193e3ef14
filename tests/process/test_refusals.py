"""Every refusal of the gate, made by a running bot: its own market, its venue's answers, people who lower its limits.

What reference data refuses is in ``test_reference``. Which test shows which is the table in ``scripts/docs_controls.py``,
and a refusal that no test shows fails ``tests/repo``.
"""

import json
import time

import pytest

from holdfast.ops.ctl import Control
from holdfast.runtime.wire import Act
from tests.process.processes import Bot, SimProcess, until
from tests.process.test_reference import BTC, ETH, comes_to_refuse, passes, refused, sent

pytestmark = pytest.mark.process
FLOWS = """
[flow.BTCUSDT]
window = "10s"
same_side_max = "8000000 USDT"
walk_max = "20%"

[flow_group.crypto]
window = "10s"
same_side_max = "8000000 USDT"
"""


def order(lots: int = 8, **words: object) -> dict[str, object]:
    """A buy of BTC two percent below the market, where it rests."""
    return {"instrument": BTC, "lots": lots, **words}


def asks(bot: Bot, *orders: dict[str, object], basket: bool = False) -> None:
    """What its strategy asks for from now on."""
    path = bot.home / "wish.json"
    path.with_suffix(".new").write_text(json.dumps({"orders": orders, "basket": basket}))
    path.with_suffix(".new").rename(path)


def lowers(bot: Bot, name: str, value: str) -> None:
    """One person lowers a limit."""
    act = Act(verb="limit_set", by="ada", reason="to see it refuse", limit=name, value=value)
    with Control(bot.socket_path) as control:
        answer = control.act(act)
    assert answer.ok, answer.text


def an_asker(home, sim: SimProcess, **options: object) -> Bot:
    return home.bot(sim, strategy="Asker", params={"wish": str(home.path / "bot" / "wish.json")}, **options)


def test_a_running_bot_refuses_as_each_check_says(home, figure):
    """A check that was never seen refusing outside its own test may be fed by nothing."""
    began = time.monotonic()
    sim = home.sim()
    sim.control("POST", "/freeze", {"symbol": ETH, "stream": "bookTicker"})
    bot = an_asker(home, sim, extra=FLOWS)
    bot.start()
    asks(bot, order())
    assert "startup" == comes_to_refuse(bot, "held")["cause"]
    bot.arm()
    passes(bot, sim)
    asks(bot, order(100, instrument=ETH, ticks=200_000))
    assert "quote" == comes_to_refuse(bot, "no_reference")["what"]
    sim.control("DELETE", "/freeze")

    # orders that make no sense, or not there, or not now
    asks(bot, order(ticks=0))
    comes_to_refuse(bot, "bad_terms")
    asks(bot, order(instrument="DOGEUSDT", ticks=5))
    comes_to_refuse(bot, "not_allowed")
    asks(bot, {"cancel": 12_345})
    comes_to_refuse(bot, "no_such_own_order")
    asks(bot, order(0))
    comes_to_refuse(bot, "qty_out_of_range")
    asks(bot, order(1, instrument=ETH))
    comes_to_refuse(bot, "under_notional")
    asks(bot, order(501))
    assert "500" == comes_to_refuse(bot, "over_order_size")["limit_lots"]
    asks(bot, order(ppm=-100_000))
    comes_to_refuse(bot, "outside_collar")
    asks(bot, order(reduce_only=True))
    comes_to_refuse(bot, "not_reducing")
    asks(bot, order(), order())
    comes_to_refuse(bot, "duplicate_intent")
    asks(bot, order(), order(side="sell"))
    comes_to_refuse(bot, "self_match")
    asks(bot, order(child=[1, 10]), order(child=[1, 10], ppm=-20_100))
    assert "16" == comes_to_refuse(bot, "over_parent")["would_be_lots"]
    sim.control("POST", "/freeze", {"symbol": BTC, "stream": "bookTicker"})
    asks(bot, order())
    comes_to_refuse(bot, "stale_reference")
    sim.control("DELETE", "/freeze")
    passes(bot, sim)

    # too much: from the last of the checks to the first, as each is asked before those that refuse already
    lowers(bot, f"flow.{BTC}.walk_max", "0.1%")
    asks(bot, order(), order(ppm=10_000))
    comes_to_refuse(bot, "walked")
    lowers(bot, "account.open_orders_max", "1")
    asks(bot, order(), order(ppm=-20_100))
    comes_to_refuse(bot, "too_many_orders")
    asks(bot, order())
    passes(bot, sim)
    lowers(bot, "flow_group.crypto.same_side_max", "1 USDT")
    assert "crypto" == comes_to_refuse(bot, "over_flow")["of"]
    lowers(bot, f"flow.{BTC}.same_side_max", "1 USDT")
    until(lambda: not bot.look("why")["numbers"].get("of"), "its own flow", bot.tell)
    lowers(bot, "account.orders_per_day_max", "1")
    assert "orders" == comes_to_refuse(bot, "over_day")["what"]
    lowers(bot, f"strategy.test.{BTC}.orders_per_s_refuse", "1")
    assert "strategy" == comes_to_refuse(bot, "over_rate")["of"]
    lowers(bot, "account.gross_notional_max", "1 USDT")
    comes_to_refuse(bot, "over_gross")
    sim.control("POST", "/transfer", {"amount": "-100000"})
    comes_to_refuse(bot, "unknown_equity")
    lowers(bot, f"instrument.{BTC}.position_max", "0.005 BTC")
    assert "instrument" == comes_to_refuse(bot, "over_position")["of"]
    lowers(bot, f"strategy.test.{BTC}.slippage_max", "1%")
    asks(bot, order(decided_ppm=-40_000))
    comes_to_refuse(bot, "slipped")
    lowers(bot, f"instrument.{BTC}.order_notional_max", "120 USDT")
    asks(bot, order())
    comes_to_refuse(bot, "over_order_notional")
    assert 0 == bot.stop(), bot.log()

    sim.control("POST", "/halt", {"symbol": BTC})
    bot.start()
    bot.arm()
    comes_to_refuse(bot, "not_trading")
    figure(f"25 kinds of refusals in two lives, {sent(sim)} orders sent, {time.monotonic() - began:.1f} s")
    assert 0 == bot.stop(), bot.log()


def test_a_basket_leaves_whole_or_not_at_all(home):
    """One leg too large: not even the others reach the venue. All in order: all of them do, time after time."""
    sim = home.sim()
    bot = an_asker(home, sim)
    bot.start()
    bot.arm()
    legs = (order(), order(100, instrument=ETH), order(side="sell", ppm=20_000))
    asks(bot, *legs, order(9_000, instrument=ETH, ppm=-21_000), basket=True)
    assert {"qty_lots": "9000", "limit_lots": "8000"} == comes_to_refuse(bot, "over_order_size")
    why = bot.look("why")["text"]
    assert why.startswith("leg 4 of a basket of 4, of which nothing was sent: "), why
    assert 0 == sent(sim)
    # each within the limit, together 0.6 BTC where 0.5 may be held
    asks(bot, order(300), order(300, ppm=-20_100), basket=True)
    assert "600" == comes_to_refuse(bot, "over_position")["would_be_lots"]
    assert 0 == sent(sim)
    asks(bot, *legs, basket=True)
    until(lambda: sent(sim) >= 6, "two baskets are sent", bot.tell)
    asks(bot)
    count = until_quiet(bot, sim)
    assert 0 == count % 3
    placed = [(one["symbol"], one["side"]) for one in sim.requests("place")]
    assert [(BTC, "BUY"), (ETH, "BUY"), (BTC, "SELL")] * (count // 3) == placed
    assert 0 == refused(bot, "self_match")
    assert 0 == bot.stop(), bot.log()


def until_quiet(bot: Bot, sim: SimProcess) -> int:
    """How many orders were sent, once no more are."""
    seen = [-1]

    def quiet() -> bool:
        before, seen[0] = seen[0], sent(sim)
        return before == seen[0]

    until(quiet, "no more are sent", bot.tell, pause_s=0.3)
    return seen[0]


CRITERIA = """
[criteria.test]
day_loss_max = "100000 USDT"
drawdown_max = "100000 USDT"
fill_share_min = "0.1%"
slippage_cost_max = "100000 USDT"
reject_share_max = "100%"
orders_min = 10000
window = "1h"
over_intended_max = "1.5x"
"""


def test_a_position_beyond_what_was_intended_may_only_be_reduced(home):
    """It names a target and buys beside it (oversized): the product's own fills take it past 1.5 times what it wanted."""
    sim = home.sim()
    bot = an_asker(home, sim, extra=CRITERIA)
    bot.start()
    bot.arm()
    asks(bot, {"target": 20})
    until(lambda: sim.position_lots() == 20, "the target is held", bot.tell)
    time.sleep(1.2)  # its first mark of equity: from then on it is watched
    asks(bot, {"target": 24})
    until(lambda: sim.position_lots() == 24, "the next target is held", bot.tell)
    assert [] == bot.holds("oversized")
    asks(bot, order(8, ppm=1_000))
    until(lambda: bot.holds("oversized") != [], "it is held", bot.tell)
    assert "and intended 24 on that side" in bot.holds("oversized")[0]["reason"]
    comes_to_refuse(bot, "not_reducing")
    held = sim.position_lots()
    assert 36 < held <= 36 + 2 * 8
    asks(bot, order(8, side="sell", ppm=-1_000))
    until(lambda: sim.position_lots() < held, "it may get out", bot.tell)
    assert 0 == bot.stop(), bot.log()
