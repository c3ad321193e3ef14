"""The simulated venue as a port: requests to outcomes, engine events to the vocabulary, latency, faults."""

import asyncio

import pytest

from holdfast.ports.venue import VenuePort
from holdfast.sim.answers import Kind, outcome_of
from holdfast.sim.model import Refused
from holdfast.vocab.events import (
    CashHinted,
    NoticeKind,
    OrderReported,
    TradeReported,
    VenueNotice,
)
from holdfast.vocab.ids import client_id_text
from holdfast.vocab.orders import Lane, OrderTerms, OrderType, TimeInForce
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.reports import (
    Balances,
    CashEntries,
    Done,
    FillCause,
    NoSuchOrder,
    OrderReport,
    Specs,
    Trades,
    VenueStatus,
)
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    SetLeverage,
)
from holdfast.vocab.units import E8
from tests.sim.engine_house import BUY, SELL, T0, S, X
from tests.sim.port_house import TAG, Bench


def test_it_is_a_venue_port():
    bench = Bench()
    port: VenuePort = bench.port
    assert tuple(bench.venue.exchange.specs.values()) == asyncio.run(port.load())


def test_an_order_is_answered_under_our_client_id():
    bench = Bench()
    outcome = bench.place(7)
    assert (
        Ok(
            value=OrderReport(
                order_id=7,
                client_id=client_id_text(account_tag=TAG, order_id=7),
                venue_order_id=str(next(iter(bench.venue.a.orders))),
                instrument=X,
                side=BUY,
                status=VenueStatus.NEW,
                qty_lots=5,
                filled_lots=0,
                price_ticks=1000,
                reduce_only=False,
                conditional=False,
                venue_ns=bench.venue.now_ns,
            )
        )
        == outcome
    )
    assert [
        OrderReported(wall_ns=T0 + bench.time.now, mono_ns=bench.time.now, report=outcome.value)
    ] == bench.heard


def test_a_fill_is_told_with_its_order():
    bench = Bench()
    bench.venue.a.fee_taker_ppm = 500
    bench.place(7, price=0)
    (told,) = (event for event in bench.heard if isinstance(event, TradeReported))
    (fill,) = bench.venue.a.fills
    trade = told.trade
    assert (str(fill.trade_id), 7, fill.fee_e8, "USDT") == (
        trade.trade_id,
        trade.order_id,
        trade.fee_e8,
        trade.fee_asset,
    )
    assert (5, 1001, False, FillCause.ORDER) == (trade.qty_lots, trade.price_ticks, trade.maker, trade.cause)
    assert told.report is not None
    assert (VenueStatus.FILLED, 5) == (told.report.status, told.report.filled_lots)


@pytest.mark.parametrize(("tif", "code"), [(TimeInForce.FOK, "-5021"), (TimeInForce.POST_ONLY, "-5022")])
def test_a_definite_refusal_is_fatal_with_the_venues_code(tif, code):
    outcome = Bench().place(7, lots=60, price=1001, tif=tif)
    assert (Fatal, code) == (type(outcome), outcome.code)


def test_an_id_that_the_venue_has_already_may_be_this_very_order():
    """-4116 on a resend means that the first one arrived: never a refusal."""
    bench = Bench()
    bench.place(7)
    outcome = bench.place(7)
    assert (Unknown, "-4116", False) == (type(outcome), outcome.code, outcome.unlisted)


def test_senseless_terms_never_reach_the_venue():
    bench = Bench()
    assert isinstance(bench.place(7, lots=0), Fatal)
    assert isinstance(bench.place(7, price=0, order_type=OrderType.LIMIT), Fatal)
    assert isinstance(bench.place(7, price=0, order_type=OrderType.STOP_MARKET), Fatal)
    assert {} == bench.venue.a.orders


def test_an_order_that_is_not_there_is_an_answer_not_an_error():
    bench = Bench()
    client_id = client_id_text(account_tag=TAG, order_id=9)
    assert Ok(value=NoSuchOrder(client_id=client_id)) == bench.query(9) == bench.cancel(9)
    assert Ok(value=NoSuchOrder(client_id=client_id)) == bench.query(9, conditional=True)
    assert Ok(value=NoSuchOrder(client_id=client_id)) == bench.cancel(9, conditional=True)


def test_an_order_is_found_cancelled_and_found_again():
    bench = Bench()
    bench.place(7)
    assert VenueStatus.NEW is bench.query(7).value.status
    assert VenueStatus.CANCELLED is bench.cancel(7).value.status
    assert VenueStatus.CANCELLED is bench.query(7).value.status
    assert isinstance(bench.cancel(7).value, NoSuchOrder)


def test_a_foreign_order_is_cancelled_by_the_venues_id():
    bench = Bench()
    foreign = bench.venue.place(bench.venue.a, BUY, 5, 990, client_id="by-hand")
    bench.port.drain()
    (open_order,) = bench.ask(QueryOpenOrders(), Lane.READ).value.orders
    assert (None, "by-hand") == (open_order.order_id, open_order.client_id)
    request = CancelOrder(order_id=None, venue_order_id=str(foreign.order_id), instrument=X)
    assert VenueStatus.CANCELLED is bench.ask(request, Lane.CANCEL).value.status
    bad = CancelOrder(order_id=None, venue_order_id="x", instrument=X)
    assert isinstance(bench.ask(bad, Lane.CANCEL), Fatal)


def test_amending_goes_by_our_id():
    bench = Bench()
    bench.place(7)
    request = AmendOrder(order_id=7, venue_order_id="", instrument=X, side=BUY, qty_lots=6, price_ticks=998)
    report = bench.ask(request).value
    assert (6, 998) == (report.qty_lots, report.price_ticks)
    outcome = bench.ask(request)
    assert (Unknown, "-5027") == (type(outcome), outcome.code), "it is as asked, perhaps by a lost amend"
    bench.cancel(7)
    assert (Fatal, "-2013") == (type(bench.ask(request)), bench.ask(request).code)


def test_a_stop_rests_as_conditional_and_triggers_into_a_plain_order():
    bench = Bench()
    bench.place(1, price=0)
    bench.venue.trade(1000, 1, SELL)
    stop = bench.place(
        7, SELL, price=0, order_type=OrderType.STOP_MARKET, trigger_ticks=990, reduce_only=True
    ).value
    assert (True, VenueStatus.NEW, 990) == (stop.conditional, stop.status, stop.trigger_ticks)
    assert [7] == [o.order_id for o in bench.ask(QueryOpenOrders(), Lane.READ).value.orders]
    bench.heard.clear()
    bench.venue.trade(990, 1, SELL)
    bench.port.drain()
    assert {7} == {(e.trade if isinstance(e, TradeReported) else e.report).order_id for e in bench.heard}
    (trade,) = [event.trade for event in bench.heard if isinstance(event, TradeReported)]
    assert (-5, SELL) == (-trade.qty_lots, trade.side)
    last = bench.heard[-1].report
    assert (VenueStatus.FILLED, False, trade.venue_order_id) == (
        last.status,
        last.conditional,
        last.venue_order_id,
    )
    assert VenueStatus.FILLED is bench.query(7, conditional=True).value.status
    assert VenueStatus.FILLED is bench.query(7).value.status


def test_cancel_all_leaves_the_conditional_ones_unless_asked():
    bench = Bench()
    bench.place(1)
    bench.place(2, SELL, price=0, order_type=OrderType.STOP_MARKET, trigger_ticks=900, close_position=True)
    assert Ok(value=Done()) == bench.ask(CancelAll(instrument=X), Lane.CANCEL)
    assert [2] == [o.order_id for o in bench.ask(QueryOpenOrders(), Lane.READ).value.orders]
    bench.ask(CancelAll(instrument=X, conditional=True), Lane.CANCEL)
    assert () == bench.ask(QueryOpenOrders(), Lane.READ).value.orders


def test_three_sources_tell_the_positions_and_there_is_no_fourth():
    bench = Bench()
    bench.place(1, price=0)
    for source in range(3):
        answer = bench.ask(QueryPositions(source=source), Lane.READ).value
        (row,) = answer.positions
        assert (source, X, 5) == (answer.source, row.instrument, row.position_lots)
        assert bench.venue.exchange.mark_ticks(X) == row.mark_ticks
    assert isinstance(bench.ask(QueryPositions(source=3), Lane.READ), Fatal)


def test_balances_name_the_account():
    answer = Bench().ask(QueryBalances(), Lane.READ).value
    assert (Balances, "uid-a", False) == (type(answer), answer.account_uid, answer.can_withdraw)
    assert [("USDT", 1_000_000 * E8)] == [(row.asset, row.wallet_e8) for row in answer.balances]


def test_the_list_of_trades_names_orders_by_the_venues_id_only():
    """As the real list does: whoever needs our id must know the venue's."""
    bench = Bench()
    bench.place(1, price=0)
    since = bench.venue.now_ns + 1
    bench.place(2, price=0)
    answer = bench.ask(QueryTrades(instrument=X, since_venue_ns=since), Lane.READ).value
    (trade,) = answer.trades
    assert (Trades, True, None, "") == (type(answer), answer.complete, trade.order_id, trade.client_id)
    assert str(bench.venue.a.fills[-1].order_id) == trade.venue_order_id


def test_cash_is_everything_that_no_execution_tells():
    bench = Bench()
    bench.venue.a.fee_taker_ppm = 500
    bench.place(1, price=0)
    bench.venue.exchange.transfer(bench.venue.a, "USDT", 3 * E8, bench.venue.tick())
    bench.venue.exchange.advance((T0 // (8 * 3600 * S) + 1) * 8 * 3600 * S)
    bench.port.drain()
    answer = bench.ask(QueryCash(since_venue_ns=0), Lane.READ).value
    assert (CashEntries, True) == (type(answer), answer.complete)
    assert ["TRANSFER", "FUNDING_FEE"] == [entry.kind for entry in answer.entries]
    assert 2 == len({entry.cash_id for entry in answer.entries})
    hints = [(event.kind, event.asset) for event in bench.heard if isinstance(event, CashHinted)]
    assert [("DEPOSIT", "USDT"), ("FUNDING_FEE", "USDT")] == hints


def test_settings_and_facts():
    bench = Bench()
    assert Ok(value=Done()) == bench.ask(SetLeverage(instrument=X, leverage=3))
    assert 3 == bench.venue.exchange.leverage(bench.venue.a, X)
    (notice,) = [event for event in bench.heard if isinstance(event, VenueNotice)]
    assert (NoticeKind.LEVERAGE_CHANGED, X) == (notice.kind, notice.instrument)
    assert isinstance(bench.ask(SetLeverage(instrument=X, leverage=999)), Fatal)
    answer = bench.ask(QuerySpecs(), Lane.READ).value
    assert (Specs, [X]) == (type(answer), [spec.instrument for spec in answer.specs])


def test_the_deadman_cancels_when_it_is_not_asked_again():
    bench = Bench()
    bench.place(1)
    assert Ok(value=Done()) == bench.ask(ArmDeadman(instrument=X, countdown_ms=5000))
    bench.venue.exchange.advance(bench.venue.now_ns + 5 * S)
    bench.port.drain()
    assert VenueStatus.CANCELLED is bench.heard[-1].report.status


def test_a_liquidation_is_told_as_one():
    bench = Bench()
    bench.venue.exchange.transfer(bench.venue.a, "USDT", -999_900 * E8, bench.venue.tick())
    bench.place(1, lots=50, price=0)
    bench.venue.mark(800)
    bench.port.drain()
    causes = [event.trade.cause for event in bench.heard if isinstance(event, TradeReported)]
    assert FillCause.LIQUIDATION in causes
    assert ("INSURANCE_CLEAR", "USDT") in [
        (event.kind, event.asset) for event in bench.heard if isinstance(event, CashHinted)
    ]


def test_other_accounts_are_none_of_its_business():
    bench = Bench()
    bench.venue.place(bench.venue.b, BUY, 5)
    bench.port.drain()
    assert [] == bench.heard


# --- the last hop -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", [Lane.RISK, Lane.CANCEL, Lane.FLATTEN])
def test_what_the_last_hop_withholds_the_venue_never_sees(lane):
    bench = Bench()
    request = PlaceOrder(
        order_id=1,
        terms=OrderTerms(
            instrument=X,
            side=BUY,
            qty_lots=5,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.GTC,
            price_ticks=1000,
        ),
    )
    assert Suppressed(by=Withheld.LATCH) == bench.ask(request, lane, Withheld.LATCH)
    assert ({}, 1) == (bench.venue.a.orders, bench.asked)


def test_reads_do_not_ask_the_last_hop():
    bench = Bench()
    assert isinstance(bench.ask(QueryOpenOrders(), Lane.READ, Withheld.LATCH), Ok)
    assert 0 == bench.asked


# --- what a refusal proves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "kinds_of_outcome"),
    [
        (-2019, Kind.PLACE, Fatal),
        (-2011, Kind.CANCEL, Ok),
        (-2011, Kind.PLACE, Fatal),
        (-2013, Kind.QUERY, Ok),
        (-2013, Kind.AMEND, Fatal),
        (-1021, Kind.PLACE, Transient),
        (-5028, Kind.PLACE, Transient),
        (-1003, Kind.READ, Transient),
        (-1007, Kind.PLACE, Unknown),
        (-1007, Kind.READ, Transient),
        (-1008, Kind.CANCEL, Unknown),
        (-4117, Kind.CANCEL, Transient),
        (-4046, Kind.CONFIG, Ok),
    ],
)
def test_a_refusal_proves_what_it_does_for_its_kind_of_request(code, kind, kinds_of_outcome):
    assert kinds_of_outcome is type(outcome_of(Refused(code, "words"), kind))
