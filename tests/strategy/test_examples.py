"""The examples trade: against the real exchange engine, on recorded and generated markets."""

import runpy
from collections import Counter
from typing import Any

import pytest

from holdfast.sim.sources import BTCUSDT, ETHUSDT, Generated, demo_source, quotes_only, recorded_paths
from holdfast.strategy import Bar, History, load_strategy
from holdfast.strategy.examples.flipper import Flipper
from holdfast.strategy.examples.momentum_taker import MomentumTaker
from holdfast.strategy.examples.two_sided_quoter import TwoSidedQuoter
from holdfast.strategy.rehearsal import Rehearsal
from holdfast.vocab.events import AmendIntent, CancelIntent, OrderIntent, TargetIntent
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Side
from tests.repo.reading import ROOT
from tests.strategy.desk import Desk

PORTED = ROOT / "examples" / "ported_ccxt_bot.py"
MS = 1_000_000


def wanted(rehearsal) -> list[Any]:
    return rehearsal.intents


def quote(bid, *, at_ms, ask=None, lots=50):
    return Quote("BTCUSDT", at_ms, bid, lots, ask or bid + 1, lots, 0, at_ms * MS, at_ms * MS)


def bar(close, number, *, interval_ms=500):
    return Bar("BTCUSDT", interval_ms, number * interval_ms * MS, close, close, close, close, 0, 1)


# --- on a market -----------------------------------------------------------------------------------------------


def check_lively(desk):
    seen = desk.seen
    orders = seen["orders", "BTCUSDT"] + seen["orders", "ETHUSDT"]
    assert [] == desk.failures
    assert orders > 200
    assert seen["fills", "BTCUSDT"] > 40
    assert seen["fills", "ETHUSDT"] > 40
    assert seen["makers"] == seen["TRADE"], "post-only never takes"
    assert seen["partial"] > 20
    assert seen["CANCELED"] > 30
    assert seen["AMENDMENT"] > 20
    for spec in desk.source.specs:
        name = spec.instrument
        assert 0 < desk.positions_max[name]
        venue = desk.exchange.positions(desk.account)
        assert desk.positions[name] == sum(one.position_lots for one in venue if one.symbol == name)


@pytest.mark.data
def test_the_quoter_trades_the_recorded_session_in_a_minute(data_dir):
    """The demo must show life: hundreds of orders, partial fills, cancels, both instruments."""
    if not recorded_paths(data_dir):
        pytest.skip(f"the recorded session of 2024-08-08 is not in {data_dir}")
    check_lively(Desk(TwoSidedQuoter(), demo_source(data_dir, 1)).run(60))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_quoter_trades_a_generated_market_in_a_minute(seed):
    check_lively(Desk(TwoSidedQuoter(), Generated(seed=seed)).run(60))


def test_the_taker_follows_a_generated_market():
    desk = Desk(MomentumTaker(), Generated(seed=1)).run(60)
    assert [] == desk.failures
    assert 0 == desk.seen["makers"]
    assert desk.seen["fills", "BTCUSDT"] + desk.seen["fills", "ETHUSDT"] > 24


@pytest.mark.data
def test_the_taker_follows_the_recorded_session(data_dir):
    if not recorded_paths(data_dir):
        pytest.skip(f"the recorded session of 2024-08-08 is not in {data_dir}")
    desk = Desk(MomentumTaker(), demo_source(data_dir, 1)).run(60)
    assert [] == desk.failures
    assert desk.seen["fills", "BTCUSDT"] + desk.seen["fills", "ETHUSDT"] > 24


# --- rule by rule ------------------------------------------------------------------------------------------------


def test_the_quoter_joins_both_sides_of_the_touch():
    rehearsal = Rehearsal(TwoSidedQuoter(notional=3_000), specs=[BTCUSDT])
    rehearsal.play([quote(618_000, at_ms=1)])
    buy, sell = wanted(rehearsal)
    assert (Side.BUY, 618_000, Side.SELL, 618_001) == (buy.side, buy.price_ticks, sell.side, sell.price_ticks)
    assert 48 == buy.qty_lots == sell.qty_lots


def test_the_quoter_amends_after_a_small_move_and_cancels_after_a_large_one():
    rehearsal = Rehearsal(TwoSidedQuoter(requote_ticks=2), specs=[BTCUSDT])
    rehearsal.play([quote(618_000, at_ms=1), quote(617_997, ask=618_010, at_ms=100)])
    assert {OrderIntent: 2, AmendIntent: 1, CancelIntent: 1} == Counter(map(type, wanted(rehearsal)))
    rehearsal.play([quote(617_997, ask=618_010, at_ms=200)])
    assert (OrderIntent, 618_010) == (type(wanted(rehearsal)[-1]), wanted(rehearsal)[-1].price_ticks)


def test_the_quoter_leans_against_its_position_and_stops_at_its_bound():
    quoter = TwoSidedQuoter(position_orders=2, skew_ticks=10, requote_ticks=1)
    rehearsal = Rehearsal(quoter, specs=[BTCUSDT])
    # the market falls through the bid again and again
    rehearsal.play(quote(618_000 - 100 * step, at_ms=100 * step) for step in range(1, 40))
    position = rehearsal.position_lots("", "BTCUSDT")
    lots = wanted(rehearsal)[0].qty_lots
    assert 0 < position <= 3 * lots
    sells = [order for order in rehearsal.open_orders("", "BTCUSDT") if order.side is Side.SELL]
    buys = [order for order in rehearsal.open_orders("", "BTCUSDT") if order.side is Side.BUY]
    assert [] == buys
    assert sells
    assert "" == rehearsal.failure


def test_the_taker_uses_its_history_enters_turns_and_leaves():
    taker = MomentumTaker(bars=2, enter_ppm=1_000, notional=6_180)
    history = History(tuple(bar(618_000, number) for number in range(2)))
    rehearsal = Rehearsal(taker, specs=[BTCUSDT], history=history)
    prices = [618_000, 620_000, 620_000, 620_000, 617_000, 617_000, 617_000]
    rehearsal.play(quote(price, at_ms=1_000 + 500 * number) for number, price in enumerate(prices))
    targets = [intent.target_lots for intent in wanted(rehearsal) if isinstance(intent, TargetIntent)]
    assert [99, 0, -100] == [target // abs(target) * abs(target) if target else 0 for target in targets[:3]]
    assert {fill.maker for fill in rehearsal.fills} == {False}


def test_the_takers_state_survives_a_restart():
    taker = MomentumTaker(bars=1, enter_ppm=10)
    rehearsal = Rehearsal(taker, specs=[BTCUSDT])
    rehearsal.play(quote(618_000 + 100 * number, at_ms=500 * number) for number in range(1, 6))
    assert b"BTCUSDT=1" == rehearsal.saved
    reborn = MomentumTaker()
    reborn.load(rehearsal.saved)
    assert rehearsal.saved == reborn.save()
    reborn.load(b"")
    assert b"" == reborn.save()


def test_the_flipper_wants_the_opposite_with_every_quote():
    """It is there to be stopped: if it ever behaves, the limits are no longer shown."""
    rehearsal = Rehearsal(Flipper(lots=10), specs=[BTCUSDT, ETHUSDT])
    rehearsal.play(quotes_only(200, seed=1))
    targets = [intent.target_lots for intent in wanted(rehearsal)]
    assert 200 == len(targets)
    assert [-10, 10, -10, 10] == targets[:4]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: TwoSidedQuoter(notional=0), "at least 1"),
        (lambda: TwoSidedQuoter(skew_ticks=-1), "at least 0"),
        (lambda: MomentumTaker(enter_ppm=0), "at least 1"),
    ],
)
def test_senseless_parameters_are_refused(build, said):
    with pytest.raises(ValueError, match=said):
        build()


# --- the ported bot ---------------------------------------------------------------------------------------------


def test_the_ported_bot_holds_its_size_while_the_fast_average_leads():
    bot = load_strategy(f"{PORTED}:AverageCross", {"size": "0.01", "bar_ms": 500, "fast": 2, "slow": 4})
    history = History(tuple(bar(618_000, number) for number in range(3)))
    rehearsal = Rehearsal(bot, specs=[BTCUSDT], history=history)
    prices = [618_000, 619_000, 619_000, 619_000, 617_000, 616_000, 616_000]
    rehearsal.play(quote(price, at_ms=2_000 + 500 * number) for number, price in enumerate(prices))
    assert "" == rehearsal.failure
    assert [10, 0] == [intent.target_lots for intent in wanted(rehearsal)]
    assert [(Side.BUY, 10), (Side.SELL, 10)] == [(fill.side, fill.qty_lots) for fill in rehearsal.fills]


def test_the_ported_bot_waits_until_it_is_warm():
    bot = load_strategy(f"{PORTED}:AverageCross", {"bar_ms": 500})
    rehearsal = Rehearsal(bot, specs=[BTCUSDT])
    rehearsal.play(quote(618_000 + 50 * number, at_ms=500 * number) for number in range(20))
    assert [] == wanted(rehearsal)
    rehearsal.play(quote(618_000 + 50 * number, at_ms=500 * number) for number in range(20, 23))
    assert 1 == len(wanted(rehearsal))


def test_the_ported_bot_runs_as_its_guide_says(capsys):
    runpy.run_path(str(PORTED), run_name="__main__")
    assert "fills" in capsys.readouterr().out.splitlines()[-1]


def test_the_guide_shows_the_code_that_runs():
    guide = (ROOT / "docs" / "how-to" / "port-your-ccxt-bot.md").read_text()
    code = PORTED.read_text()
    shown = guide.split("## After")[1].split("```python\n")[1].split("```")[0].split("        ...\n")
    assert 2 == len(shown)
    for part in shown:
        assert part.strip("\n") in code
