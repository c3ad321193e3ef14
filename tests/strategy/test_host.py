"""The host: what strategies are told, what becomes of what they want, and of what they do wrong."""

import itertools
from typing import Any

import pytest

from holdfast.sim.sources import BTCUSDT, ETHUSDT
from holdfast.strategy import BarSource, Hosted, Strategy, StrategyHost
from holdfast.strategy.seat import INTENTS_MAX, SAVED_BYTES_MAX
from holdfast.vocab.events import (
    AmendIntent,
    CancelIntent,
    OrderIntent,
    StrategyFailed,
    StrategySaved,
    TargetIntent,
)
from holdfast.vocab.facts import (
    FillBooked,
    HoldPlaced,
    HoldReleased,
    IntentRefused,
    OrderApproved,
    OrderMoved,
)
from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Release, Scope
from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.orders import Did, Lane, OrderState, OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.refusals import TooManyOrders
from holdfast.vocab.reports import FillCause

SPECS = (BTCUSDT, ETHUSDT)
BTC, ETH = "BTCUSDT", "ETHUSDT"


def quote(instrument=BTC, *, bid=618_000, at_ns=1_000):
    return Quote(instrument, 1, bid, 5, bid + 1, 6, 0, at_ns, at_ns)


def trade(instrument=BTC, *, ticks=618_000, at_ns=1_000):
    return Trade(instrument, 1, ticks, 5, 1, True, 0, at_ns, at_ns)


class Books:
    """What the core would say."""

    def __init__(self):
        self.newest = {BTC: quote()}
        self.orders: tuple[Any, ...] = ()

    def position_lots(self, strategy, instrument):
        return 7

    def open_orders(self, strategy, instrument):
        return self.orders

    def level(self, strategy, instrument):
        return HoldLevel.REDUCED

    degraded = True

    def quote(self, instrument):
        return self.newest.get(instrument)


class Does(Strategy):
    """Does on each quote what it was given to do."""

    def __init__(self, act):
        self.act = act
        self.calls = 0

    def on_quote(self, ctx, quote):
        self.calls += 1
        return self.act(ctx)


def host_of(*strategies, instruments=(BTC, ETH), clock=None):
    hosted = [Hosted(f"s{number}", one, instruments) for number, one in enumerate(strategies, start=1)]
    return StrategyHost(hosted, specs=SPECS, books=Books(), clock_ns=clock or (lambda: 0))


def failure_of(act):
    events = host_of(Does(act)).on_market(quote())
    assert [StrategyFailed] == [type(event) for event in events]
    return events[0].error


# --- events in, intents out -----------------------------------------------------------------------------------


def test_what_a_callback_returns_comes_out_numbered_and_stamped():
    host = host_of(Does(lambda ctx: ctx.buy(BTC, qty_lots=3, price_ticks=618_000, post_only=True)))
    (first,) = host.on_market(quote(at_ns=10))
    (second,) = host.on_market(quote(at_ns=20))
    expected = OrderIntent(
        wall_ns=10,
        mono_ns=10,
        strategy="s1",
        intent_seq=1,
        instrument=BTC,
        side=Side.BUY,
        qty_lots=3,
        price_ticks=618_000,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.POST_ONLY,
        decision_ticks=618_000,
    )
    assert expected == first
    assert (2, 20) == (second.intent_seq, second.mono_ns)


def test_every_wish_can_be_made():
    def act(ctx):
        yield ctx.sell(BTC, qty_lots=1)
        yield ctx.buy(BTC, qty_lots=1, price_ticks=5, ioc=True, reduce_only=True)
        yield ctx.sell(BTC, qty_lots=1, order_type=OrderType.STOP_MARKET, trigger_ticks=9)
        yield ctx.target(ETH, -4)
        yield ctx.cancel(BTC, 17)
        yield ctx.cancel_all(BTC)
        yield ctx.amend(BTC, 17, qty_lots=2, price_ticks=6)

    market, ioc, stop, target, cancel, every, amend = host_of(Does(act)).on_market(quote())
    assert (OrderType.MARKET, None, Side.SELL) == (market.order_type, market.price_ticks, market.side)
    assert (TimeInForce.IOC, True) == (ioc.tif, ioc.reduce_only)
    assert (OrderType.STOP_MARKET, 9, None) == (stop.order_type, stop.trigger_ticks, stop.price_ticks)
    assert (TargetIntent, -4, None) == (type(target), target.target_lots, target.decision_ticks)
    assert [(CancelIntent, 17), (CancelIntent, 0)] == [(type(one), one.order_id) for one in (cancel, every)]
    assert (AmendIntent, 17, 2, 6) == (type(amend), amend.order_id, amend.qty_lots, amend.price_ticks)
    assert list(range(1, 8)) == [one.intent_seq for one in (market, ioc, stop, target, cancel, every, amend)]


def test_strategies_answer_in_their_configured_order_each_with_its_own_numbers():
    buy = lambda ctx: [ctx.buy(BTC, qty_lots=1), ctx.sell(BTC, qty_lots=1)]  # noqa: E731
    events = host_of(Does(buy), Does(buy)).on_market(quote())
    assert [("s1", 1), ("s1", 2), ("s2", 1), ("s2", 2)] == [(one.strategy, one.intent_seq) for one in events]


def test_intents_returned_in_another_order_than_made_are_numbered_as_returned():
    """The gate takes a number that does not grow for a duplicate."""

    def act(ctx):
        place, cancel = ctx.buy(BTC, qty_lots=1), ctx.cancel_all(BTC)
        return [cancel, place]

    cancel, place = host_of(Does(act)).on_market(quote())
    assert isinstance(cancel, CancelIntent)
    assert cancel.intent_seq < place.intent_seq


def test_an_intent_kept_from_an_earlier_callback_counts_from_now():
    kept: list[OrderIntent] = []

    def act(ctx):
        if not kept:
            kept.append(ctx.buy(BTC, qty_lots=1))
            return None
        return kept[0]

    host = host_of(Does(act))
    assert () == host.on_market(quote(at_ns=10))
    (one,) = host.on_market(quote(at_ns=99))
    assert (99, 99, 2) == (one.wall_ns, one.mono_ns, one.intent_seq)


def test_only_overridden_callbacks_and_listed_instruments_are_called():
    does = Does(lambda ctx: ctx.cancel_all(BTC))
    host = host_of(does, instruments=(BTC,))
    for event in (
        quote(ETH),
        trade(),
        Mark(BTC, 1, 0, 0, 0, 5, 5),
        Depth(BTC, 1, 1, 0, (), (), False, 0, 5, 5),
    ):
        assert () == host.on_market(event)
    assert 0 == does.calls
    assert 1 == len(host.on_market(quote()))


def test_a_plain_class_needs_no_base():
    class Plain:
        def on_trade(self, ctx, trade):
            return ctx.target(trade.instrument, 1)

    (one,) = host_of(Plain()).on_market(trade(ETH))
    assert ("s1", ETH, 1) == (one.strategy, one.instrument, one.target_lots)


def test_the_view_tells_what_the_core_and_the_market_said():
    told: dict[str, Any] = {}

    class Looks(Strategy):
        def on_mark(self, ctx, mark):
            told.update(
                now=ctx.now_ns,
                mono=ctx.mono_ns,
                quote=ctx.quote(BTC),
                nothing=ctx.quote(ETH),
                trade=ctx.trade(BTC),
                mark=ctx.mark(BTC),
                position=ctx.position_lots(BTC),
                level=ctx.level(BTC),
                ticks=ctx.ticks(BTC, "61800.1"),
                lots=ctx.lots(BTC, "0.01"),
                floor=ctx.lots_floor(BTC, "0.0109"),
                texts=(ctx.price_text(BTC, 618_001), ctx.qty_text(BTC, 10)),
            )

    host = host_of(Looks())
    print_, mark = trade(), Mark(BTC, 618_002, 0, 0, 0, 50, 60)
    host.on_market(print_)
    host.on_market(mark)
    assert (50, 60, quote(), None) == (told["now"], told["mono"], told["quote"], told["nothing"])
    assert (print_, mark, 7, HoldLevel.REDUCED) == (
        told["trade"],
        told["mark"],
        told["position"],
        told["level"],
    )
    assert (618_001, 10, 10, ("61800.1", "0.01")) == (
        told["ticks"],
        told["lots"],
        told["floor"],
        told["texts"],
    )


# --- what strategies do wrong ------------------------------------------------------------------------------------


def raises(ctx):
    return dict[str, int]()["gone"]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (raises, "KeyError: 'gone' (test_host.py:"),
        (lambda ctx: ctx.buy(BTC, qty_lots=0.5), "qty_lots must be a whole number, not 0.5"),
        (lambda ctx: ctx.buy(BTC, qty_lots=float("nan")), "qty_lots must be a whole number, not nan"),
        (lambda ctx: ctx.buy(BTC, qty_lots=True), "qty_lots must be a whole number, not True"),
        (lambda ctx: ctx.buy(BTC, qty_lots=1, price_ticks="61800"), "price_ticks must be a whole number"),
        (lambda ctx: ctx.target(BTC, 1 << 80), "target_lots is out of all bounds"),
        (lambda ctx: ctx.amend(BTC, 1, qty_lots=1, price_ticks=None), "price_ticks must be a whole number"),
        (lambda ctx: ctx.cancel(BTC, 0), "0 is no order id"),
        (lambda ctx: ctx.buy("", qty_lots=1), "no instrument's name"),
        (lambda ctx: ctx.buy(BTC, qty_lots=1, tif="gtc"), "tif must be of TimeInForce"),
        (lambda ctx: ctx.ticks(BTC, "61800.15"), "not a whole multiple of 0.10"),
        (lambda ctx: ctx.lots("NOPE", "1"), "no instrument 'NOPE'; there are BTCUSDT, ETHUSDT"),
        (lambda ctx: 5, "returned 5: None, an intent or several are expected"),
        (lambda ctx: "buy", "returned 'b', which is no intent"),
        (lambda ctx: [None], "returned None, which is no intent"),
        (lambda ctx: [ctx.cancel_all(BTC)] * 2, "returned the same intent twice"),
        (lambda ctx: (ctx.cancel_all(BTC) for _ in itertools.count()), f"more than {INTENTS_MAX} intents"),
        (
            lambda ctx: TargetIntent(
                wall_ns=1, mono_ns=1, strategy="s2", intent_seq=1, instrument=BTC, target_lots=1
            ),
            "in the name of 's2'",
        ),
    ],
)
def test_what_a_strategy_gets_wrong_is_one_line_and_nothing_leaves(act, said):
    error = failure_of(act)
    assert said in error
    assert "\n" not in error


def test_of_an_answer_that_is_wrong_in_part_nothing_leaves():
    """Half a hedge is a position."""

    def act(ctx):
        yield ctx.buy(BTC, qty_lots=1)
        yield ctx.sell(ETH, qty_lots=0.5)

    assert "qty_lots" in failure_of(act)


def test_a_failed_strategy_is_not_called_again_and_the_others_are():
    bad, good = Does(raises), Does(lambda ctx: ctx.cancel_all(BTC))
    host = host_of(bad, good)
    assert [StrategyFailed, CancelIntent] == [type(one) for one in host.on_market(quote())]
    assert [CancelIntent] == [type(one) for one in host.on_market(quote())]
    assert (1, 2) == (bad.calls, good.calls)


def test_lifting_the_hold_of_a_failure_lets_the_strategy_run_again():
    bad = Does(raises)
    host = host_of(bad)
    host.on_market(quote())
    hold = Hold(
        hold_id=4,
        scope=Scope(strategy="s1"),
        level=HoldLevel.HALTED,
        cause=HoldCause.STRATEGY_FAILED,
        release=Release.PERSON,
        by="host",
        reason="raised",
        since_wall_ns=1,
        since_mono_ns=1,
    )
    host.on_fact(HoldPlaced(hold=hold), wall_ns=1, mono_ns=1)
    host.on_fact(HoldReleased(hold_id=3, by="ann", reason="other"), wall_ns=1, mono_ns=1)
    host.on_market(quote())
    assert 1 == bad.calls
    host.on_fact(HoldReleased(hold_id=4, by="ann", reason="fixed"), wall_ns=1, mono_ns=1)
    host.on_market(quote())
    assert 2 == bad.calls


def test_a_broken_invariant_is_never_eaten():
    """Ours, not the strategy's: the process must end."""

    def act(ctx):
        raise InvariantBroken("books are true")

    with pytest.raises(InvariantBroken):
        host_of(Does(act)).on_market(quote())


# --- facts, timers, bars, state ------------------------------------------------------------------------------------


class Hears(Strategy):
    timer_ms = 100
    bars_ms = 1_000
    bars_from = BarSource.QUOTES

    def __init__(self):
        self.heard = []
        self.state = b""

    def on_start(self, ctx, history):
        self.heard.append(("start", len(history.bars)))

    def on_fill(self, ctx, fill):
        self.heard.append(("fill", fill.qty_lots))
        return ctx.target(fill.instrument, 0)

    def on_order(self, ctx, fact):
        self.heard.append(("order", type(fact).__name__, fact.order_id))

    def on_refused(self, ctx, fact):
        self.heard.append(("refused", fact.refusal.count))

    def on_timer(self, ctx):
        self.heard.append(("timer", ctx.mono_ns))

    def on_bar(self, ctx, bar):
        self.heard.append(("bar", bar.close_ticks))

    def save(self):
        return self.state

    def load(self, state):
        self.heard.append(("load", state))


def fill(strategy="s1"):
    return FillBooked(
        trade_id="1",
        order_id=9,
        strategy=strategy,
        instrument=BTC,
        side=Side.BUY,
        qty_lots=2,
        price_ticks=1,
        fee_e8=0,
        fee_asset="USDT",
        maker=True,
        cause=FillCause.ORDER,
        quarantined=False,
        venue_ns=0,
    )


def approved(order_id=9, strategy="s1"):
    return OrderApproved(
        order_id=order_id,
        strategy=strategy,
        intent_seq=1,
        lane=Lane.RISK,
        terms=OrderTerms(
            instrument=BTC, side=Side.BUY, qty_lots=1, order_type=OrderType.MARKET, tif=TimeInForce.GTC
        ),
        reference_ticks=0,
        decision_ticks=None,
        approved_mono_ns=0,
    )


def moved(order_id=9, state=OrderState.LIVE):
    return OrderMoved(order_id=order_id, did=Did.ACK, state=state, venue_order_id="", why="", mono_ns=0)


def test_facts_reach_the_strategy_they_are_about_and_no_other():
    one, two = Hears(), Hears()
    host = host_of(one, two)
    target, _ = host.on_fact(fill(), wall_ns=5, mono_ns=6)
    assert (TargetIntent, "s1", 5, 6) == (type(target), target.strategy, target.wall_ns, target.mono_ns)
    refused = IntentRefused(
        strategy="s2", intent_seq=1, instrument=BTC, refusal=TooManyOrders(count=8, limit=7)
    )
    host.on_fact(refused, wall_ns=5, mono_ns=6)
    for fact in (approved(), moved(), moved(state=OrderState.FILLED), moved(), moved(order_id=77)):
        host.on_fact(fact, wall_ns=5, mono_ns=6)
    host.on_fact(fill(strategy="nobody"), wall_ns=5, mono_ns=6)
    assert [("fill", 2), ("order", "OrderApproved", 9), *[("order", "OrderMoved", 9)] * 2] == one.heard
    assert [("refused", 8)] == two.heard


def test_timers_come_when_due_once_for_several_missed():
    hears = Hears()
    host = host_of(hears)
    host.start(wall_ns=0, mono_ns=0)
    assert 100_000_000 == host.next_due_mono_ns()
    for mono_ns in (99_999_999, 100_000_000, 150_000_000, 730_000_000, 799_999_999, 800_000_000):
        host.on_timer(wall_ns=mono_ns, mono_ns=mono_ns)
    assert [100_000_000, 730_000_000, 800_000_000] == [at for what, at in hears.heard if what == "timer"]


def test_a_bar_comes_by_the_next_event_or_by_time_before_anything_else():
    hears = Hears()
    host = host_of(hears)
    second = 10**9
    host.on_market(quote(bid=100, at_ns=second))
    host.on_market(quote(bid=200, at_ns=2 * second))
    host.on_timer(wall_ns=3 * second, mono_ns=3 * second)
    assert [("bar", 100), ("bar", 200)] == [one for one in hears.heard if one[0] == "bar"]


def test_state_is_saved_after_intents_when_it_changed_and_at_stop():
    hears = Hears()
    host = host_of(hears)
    hears.state = b"one"
    kinds = [type(one) for one in host.on_fact(fill(), wall_ns=5, mono_ns=6)]
    assert [TargetIntent, StrategySaved] == kinds
    assert [TargetIntent] == [type(one) for one in host.on_fact(fill(), wall_ns=5, mono_ns=6)]
    assert () == tuple(host.stop(wall_ns=7, mono_ns=8))
    hears.state = b"two"
    assert (StrategySaved(wall_ns=7, mono_ns=8, strategy="s1", state=b"two"),) == tuple(
        host.stop(wall_ns=7, mono_ns=8)
    )


@pytest.mark.parametrize("state", ["text", b"x" * (SAVED_BYTES_MAX + 1), None])
def test_a_state_that_cannot_be_kept_is_a_failure_and_the_intents_stay_in(state):
    """A strategy that trades on and cannot be restored is worse than one that stops."""
    hears = Hears()
    hears.state = state
    assert [StrategyFailed] == [type(one) for one in host_of(hears).on_fact(fill(), wall_ns=5, mono_ns=6)]


def test_a_start_loads_first_and_then_begins():
    hears, raw = Hears(), Hears()
    host = host_of(hears, raw)
    host.start(wall_ns=1, mono_ns=2, saved={"s1": b"kept"})
    assert [("load", b"kept"), ("start", 0)] == hears.heard
    assert [("start", 0)] == raw.heard


def test_a_state_that_cannot_be_loaded_fails_that_strategy_alone():
    class Breaks(Hears):
        def load(self, state):
            raise ValueError("of another version")

    breaks, hears = Breaks(), Hears()
    (failed,) = host_of(breaks, hears).start(wall_ns=1, mono_ns=2, saved={"s1": b"?", "s2": b"!"})
    assert "ValueError: of another version" in failed.error
    assert [] == breaks.heard
    assert ("start", 0) in hears.heard


def test_two_strategies_of_one_name_are_refused():
    with pytest.raises(ValueError, match="one name"):
        StrategyHost([Hosted("a", Hears(), ())] * 2, specs=SPECS, books=Books(), clock_ns=lambda: 0)


def test_orders_from_before_a_restart_are_heard_of():
    class Order:
        order_id = 9

    hears = Hears()
    books = Books()
    books.orders = (Order(),)
    host = StrategyHost([Hosted("s1", hears, (BTC,))], specs=SPECS, books=books, clock_ns=lambda: 0)
    host.start(wall_ns=1, mono_ns=1)
    host.on_fact(moved(), wall_ns=1, mono_ns=1)
    assert ("order", "OrderMoved", 9) in hears.heard
