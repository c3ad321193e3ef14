"""The rehearsal's small world does what it says, so that a strategy's own tests mean something."""

from holdfast.sim.sources import BTCUSDT, Generated, stamped
from holdfast.strategy.examples.two_sided_quoter import TwoSidedQuoter
from holdfast.strategy.rehearsal import Rehearsal
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import OrderType

MS = 1_000_000


def quote(bid, *, at_ms, lots=50):
    return Quote("BTCUSDT", at_ms, bid, lots, bid + 1, lots, 0, at_ms * MS, at_ms * MS)


class Once:
    """Wants one thing with the first quote."""

    def __init__(self, wish):
        self.wish = wish
        self.facts = []

    def on_quote(self, ctx, quote):
        wish, self.wish = self.wish, None
        return wish(ctx) if wish else None

    def on_order(self, ctx, fact):
        self.facts.append(fact)


def test_a_rehearsed_taker_fills_at_the_touch_up_to_its_size():
    once = Once(lambda ctx: ctx.buy("BTCUSDT", qty_lots=80, price_ticks=618_005, ioc=True))
    rehearsal = Rehearsal(once, specs=[BTCUSDT])
    rehearsal.play([quote(618_000, at_ms=1)])
    (fill,) = rehearsal.fills
    assert (618_001, 50, False) == (fill.price_ticks, fill.qty_lots, fill.maker)
    assert [] == rehearsal.open_orders("", "BTCUSDT")


def test_a_rehearsed_post_only_order_that_would_take_expires():
    once = Once(lambda ctx: ctx.buy("BTCUSDT", qty_lots=5, price_ticks=618_001, post_only=True))
    rehearsal = Rehearsal(once, specs=[BTCUSDT])
    rehearsal.play([quote(618_000, at_ms=1)])
    assert [] == rehearsal.fills
    assert "expired" == once.facts[-1].state.value


def test_a_rehearsed_resting_order_fills_when_the_market_comes_through():
    once = Once(lambda ctx: ctx.sell("BTCUSDT", qty_lots=5, price_ticks=618_010))
    rehearsal = Rehearsal(once, specs=[BTCUSDT])
    rehearsal.play([quote(618_000, at_ms=1), quote(618_009, at_ms=2)])
    assert [] == rehearsal.fills
    rehearsal.play([quote(618_011, at_ms=3)])
    assert [(618_010, 5, True)] == [(one.price_ticks, one.qty_lots, one.maker) for one in rehearsal.fills]


def test_a_strategy_that_answers_itself_for_ever_is_stopped():
    class Echo:
        def on_quote(self, ctx, quote):
            return ctx.buy("BTCUSDT", qty_lots=1)

        def on_fill(self, ctx, fill):
            return ctx.buy("BTCUSDT", qty_lots=1, order_type=OrderType.MARKET)

    rehearsal = Rehearsal(Echo(), specs=[BTCUSDT])
    rehearsal.play([quote(618_000, at_ms=1)])
    assert "without end" in rehearsal.failure


def test_stamped_frames_can_be_played():
    source = Generated(seed=1, seconds=2)
    rehearsal = Rehearsal(TwoSidedQuoter(), specs=source.specs)
    rehearsal.play(
        stamped(frame.event, offset_ns=0, wall_ns=frame.recv_ns, mono_ns=frame.recv_ns)
        for frame in source.frames()
    )
    assert {"BTCUSDT", "ETHUSDT"} == {intent.instrument for intent in rehearsal.intents}
