"""What the gate reads, set by hand: a desk at which everything is in order."""

from types import MappingProxyType

from holdfast.core.gate.desk import NOTHING_ASKED, AccountDesk, Desk, rates_of
from holdfast.core.gate.exposure import Exposure, GroupSum
from holdfast.core.gate.facts import Facts
from holdfast.core.gate.flow import Flow
from holdfast.core.gate.resting import Resting
from holdfast.core.ingest.market import market_of, take_mark, take_quote, take_trade
from holdfast.core.ledger.positions import PositionRow
from holdfast.core.orders.book import Day, OpenLots
from holdfast.core.orders.parents import Parent, Parents
from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Release, Scope
from holdfast.vocab.orders import Side
from tests.house.events import a_mark, a_print, a_quote, an_intent
from tests.house.setup import (
    BTC,
    MONO_NS,
    OPENING_E8,
    WALL_NS,
    a_spec,
    account_limits,
    instrument_limits,
    strategy_limits,
    timings,
)

NS_PER_MS = 1_000_000


def a_hold(level=HoldLevel.HALTED, cause=HoldCause.HALT, *, hold_id=7, scope=None, **changes):
    """A hold by Ann."""
    fields = {
        "release": Release.PERSON,
        "by": "ann",
        "reason": "because",
        "since_wall_ns": WALL_NS,
        "since_mono_ns": MONO_NS,
        **changes,
    }
    return Hold(
        hold_id=hold_id, scope=Scope() if scope is None else scope, level=level, cause=cause, **fields
    )


def _asked(one):
    return one if isinstance(one, tuple) else (one, "alpha", BTC)


def a_desk(
    *,
    position=0,
    others=0,
    open_buys=0,
    open_sells=0,
    others_open_buys=0,
    others_open_sells=0,
    level=HoldLevel.NONE,
    quote_age_ms=0,
    mark=None,
    equity_e8=OPENING_E8,
    open_orders=0,
    asked_ms_ago=(),
    elsewhere_e8=0,
    spec=None,
    account=None,
    instrument=None,
    strategy=None,
    quoted=True,
    ask=None,
    last=None,
    mark_age_ns=0,
    duplicate_window_ms=0,
    facts=None,
    group_elsewhere_e8=0,
    net_elsewhere_e8=0,
    window=None,
    shown=1_000,
    day=MappingProxyType({}),
    own_bid=None,
    own_ask=None,
    parents=MappingProxyType({}),
    forgotten_parent=0,
    flow=None,
    sent=(),
    group_flow=None,
    group_sent=(),
):
    """Alpha's desk in BTC. ``position``, ``open_…``: its own; ``others…``: of everybody else, on top.

    ``asked_ms_ago``: when orders were asked for before: by alpha in BTC, or (when, by whom, in what).
    ``parents``: number to (size, taken up).
    ``flow``: rules of it; ``sent``: what was let through before, as (ms ago, by whom, side, lots, middle, exit).
    ``group_flow``, ``group_sent``: the same of a group, as (ms ago, by whom, in what, side, notional, exit).
    ``facts``: words of ``Facts``. ``window``: our own hours, as (until, opens, whose).
    """
    spec = a_spec(BTC) if spec is None else spec
    limits = instrument_limits(BTC) if instrument is None else instrument
    rules = account_limits() if account is None else account
    market = market_of(limits, timings())
    if quoted:
        touch = {} if ask is None else {"ask_ticks": ask}
        assert take_quote(market, a_quote(mono_ns=MONO_NS - quote_age_ms * NS_PER_MS, lots=shown, **touch))
    if mark is not None:
        assert take_mark(market, a_mark(price=mark, mono_ns=MONO_NS - mark_age_ns))
    if last is not None:
        assert take_trade(market, a_print(price=last))
    mine = strategy_limits() if strategy is None else strategy
    asked = NOTHING_ASKED.sized(rates_of(rules, [limits], [mine]))
    for ago_ms, who, where in sorted((_asked(one) for one in asked_ms_ago), reverse=True):
        asked.ask(an_intent(mono_ns=MONO_NS - ago_ms * NS_PER_MS, strategy=who, instrument=where))
    asked.ask(an_intent())  # the intent to be judged
    row = AccountDesk(
        limits=rules,
        asked=asked,
        day=Day(**day),
        quote_age_ns_max=timings().quote_age_ms_max * NS_PER_MS,
        duplicate_window_ns=duplicate_window_ms * NS_PER_MS,
        equity_e8=equity_e8,
        open_orders_count=open_orders,
    )
    resting = Resting()
    for side, price in ((Side.BUY, own_bid), (Side.SELL, own_ask)):
        if price is not None:
            resting.send(price, side, price)
    all_position = PositionRow(position_lots=position + others)
    all_open = OpenLots(buy_lots=open_buys + others_open_buys, sell_lots=open_sells + others_open_sells)
    desk = Desk(
        strategy="alpha",
        spec=spec,
        resting=resting,
        parents=Parents(
            known={
                number: Parent(instrument=BTC, side=Side.BUY, parent_lots=lots, taken_lots=taken)
                for number, (lots, taken) in parents.items()
            },
            forgotten_id=forgotten_parent,
        ),
        limits=mine,
        instrument_limits=limits,
        market=market,
        account=row,
        exposure=Exposure(
            spec=spec, position=all_position, open_lots=all_open, market=market, net=row.net, summed=True
        ),
        my_position=PositionRow(position_lots=position),
        all_position=all_position,
        my_open=OpenLots(buy_lots=open_buys, sell_lots=open_sells),
        all_open=all_open,
        facts=Facts() if facts is None else Facts(**facts),
    )
    row.gross_e8 = desk.exposure.recount() + elsewhere_e8
    desk.exposure.join(GroupSum(gross_e8=group_elsewhere_e8))
    row.net.long_e8 += net_elsewhere_e8
    row.net.short_e8 += net_elsewhere_e8
    if window is not None:
        desk.window_until_ns, desk.window_opens_ns, desk.window_of = window
        desk.learn()
    if flow is not None:
        desk.flow = Flow(rules=flow)
        for ago_ms, who, side, lots, mid, exits in sent:
            desk.flow.take(
                who,
                side,
                notional_e8=lots * mid * spec.tick_lot_e8,
                mid2_ticks=2 * mid,
                now_mono_ns=MONO_NS - ago_ms * NS_PER_MS,
                exits=exits,
            )
    if group_flow is not None:
        desk.group_flows = {group_flow.group: Flow(rules=group_flow)}
        for ago_ms, who, where, side, e8, exits in group_sent:
            desk.group_flows[group_flow.group].take(
                f"{who}/{where}",
                side,
                notional_e8=e8,
                mid2_ticks=0,
                now_mono_ns=MONO_NS - ago_ms * NS_PER_MS,
                exits=exits,
            )
    desk.fold(None if level is HoldLevel.NONE else a_hold(level))
    return desk
