"""Money: fees, realised P&L, funding, margin, leverage, transfers, liquidation."""

import pytest

from holdfast.sim.model import AccountEvent, ConfigEvent, MarginCallEvent, OrderEvent
from holdfast.sim.rules import DEFAULT_BRACKETS, SymbolRules
from holdfast.vocab.units import E8
from tests.sim.engine_house import BUY, SELL, T0, S, Venue, X, a_spec, code_of, config, one_bracket

UNIT = a_spec().tick_lot_e8
HOUR = 3600 * S


def test_makers_and_takers_pay_their_own_rate_rounded_up():
    venue = Venue(specs=[a_spec(tick_lot_e8=7)])
    account = venue.account("fees", maker=200, taker=501)
    venue.place(account, BUY, 3)
    venue.place(account, SELL, 3, 1001)
    venue.trade(1005, 3, BUY)
    taker, maker = account.fills  # of 21021e-8: 10.53 and 4.2
    assert (11, "USDT", 5) == (taker.fee_e8, taker.fee_asset, maker.fee_e8)
    assert 1_000_000 * E8 - taker.fee_e8 - maker.fee_e8 == venue.wallet(account)


def test_a_rebate_is_a_negative_fee():
    venue = Venue()
    account = venue.account("rebate", maker=-100)
    venue.place(account, BUY, 3, 1000)
    venue.trade(999, 3, SELL)
    assert -3 * 1000 * UNIT * 100 // 1_000_000 == account.fills[0].fee_e8
    assert venue.wallet(account) > 1_000_000 * E8


def test_closing_realises_against_the_average_and_opening_realises_nothing():
    venue = Venue(quote=(1000, 100, 1010, 100))
    venue.place(venue.a, BUY, 10)
    venue.quote(1020, 100, 1030, 100)
    venue.place(venue.a, BUY, 10)
    venue.place(venue.a, SELL, 5)
    assert [0, 0, 5 * (1020 - 1020) * UNIT] == [fill.realised_e8 for fill in venue.a.fills]
    venue.quote(1040, 100, 1050, 100)
    venue.place(venue.a, SELL, 15)
    assert 15 * (1040 - 1020) * UNIT == venue.a.fills[3].realised_e8
    assert (0, 0) == (venue.lots(venue.a), venue.a.positions[X, "BOTH"].cost_e8)


def test_a_flip_realises_the_closed_part_and_opens_the_rest_at_its_price():
    venue = Venue(quote=(1000, 100, 1010, 100))
    venue.place(venue.a, BUY, 10)
    venue.quote(990, 100, 1000, 100)
    venue.place(venue.a, SELL, 25)
    position = venue.a.positions[X, "BOTH"]
    assert (-15, -15 * 990 * UNIT) == (position.position_lots, position.cost_e8)
    assert 10 * (990 - 1010) * UNIT == venue.a.fills[1].realised_e8
    assert 990 * E8 == position.entry_ticks_e8(UNIT)


def test_rounding_of_an_average_is_against_the_account_and_made_good_at_the_end():
    venue = Venue(specs=[a_spec(tick_lot_e8=1)], quote=(1000, 1, 1001, 1))
    venue.place(venue.a, BUY, 1)
    venue.quote(1000, 2, 1002, 2)
    venue.place(venue.a, BUY, 2)  # cost 3005 for 3 lots
    venue.place(venue.a, SELL, 1)
    assert 1000 - 1002 == venue.a.fills[2].realised_e8
    venue.quote(1000, 3, 1002, 2)
    venue.place(venue.a, SELL, 2)
    assert 3 * 1000 - 3005 == sum(fill.realised_e8 for fill in venue.a.fills)


def test_the_account_event_comes_before_the_order_event_and_adds_up():
    venue = Venue()
    account = venue.account("evented", taker=500)
    venue.place(account, BUY, 3)
    kinds = [type(e).__name__ for name, e in venue.told if name == "evented"]
    assert ["OrderEvent", "AccountEvent", "OrderEvent"] == kinds
    (told,) = venue.events(AccountEvent, "evented")
    (change,) = told.balances
    assert ("ORDER", -account.fills[0].fee_e8) == (told.reason, change.change_e8)
    assert (venue.wallet(account), 3) == (change.wallet_e8, told.positions[0].position_lots)


# --- marks and funding ----------------------------------------------------------------------------------------


def test_without_recorded_marks_the_mark_follows_the_mid_slowly():
    venue = Venue(quote=(1000, 50, 1000, 50))
    assert 1000 == venue.exchange.mark_ticks(X)
    venue.quote(1100, 50, 1100, 50)
    assert 1000 == venue.exchange.mark_ticks(X), "once per interval, not per quote"
    venue.tick(S)
    venue.quote(1100, 50, 1100, 50)
    assert 1010 == venue.exchange.mark_ticks(X)
    venue.tick(60 * S)
    venue.quote(1100, 50, 1100, 50)
    assert 1100 == venue.exchange.mark_ticks(X)


def test_a_recorded_mark_wins_over_the_mid():
    venue = Venue()
    venue.mark(1234)
    venue.tick(5 * S)
    venue.quote(1000, 50, 1001, 50)
    assert 1234 == venue.exchange.mark_ticks(X)


def test_longs_pay_shorts_a_positive_funding_rate_on_the_mark():
    venue = Venue(quote=(1000, 100, 1000, 100), settings=config(funding_interval_ns=HOUR))
    venue.place(venue.a, BUY, 10)
    venue.place(venue.b, SELL, 10)
    venue.mark(1100, funding_ppb=100_000)
    before = venue.wallet(venue.a), venue.wallet(venue.b)
    due = (T0 // HOUR + 1) * HOUR
    assert (100_000, due) == (venue.exchange.funding(X).rate_ppb, venue.exchange.funding(X).next_ns)
    assert due == venue.exchange.next_due_ns()
    venue.exchange.advance(due + HOUR - 1)
    paid = 10 * 1100 * UNIT // 10_000
    assert (before[0] - paid, before[1] + paid) == (venue.wallet(venue.a), venue.wallet(venue.b))
    entry = venue.a.incomes[-1]
    assert ("FUNDING_FEE", -paid, X, due) == (entry.kind, entry.amount_e8, entry.symbol, entry.venue_ns)
    assert ["FUNDING_FEE"] == [e.reason for e in venue.events(AccountEvent, "a")][-1:]


def test_every_missed_funding_time_is_paid():
    venue = Venue(quote=(1000, 100, 1000, 100), settings=config(funding_interval_ns=HOUR))
    venue.place(venue.a, BUY, 10)
    venue.exchange.advance((T0 // HOUR + 3) * HOUR)
    times = [entry.venue_ns for entry in venue.a.incomes if entry.kind == "FUNDING_FEE"]
    assert [(T0 // HOUR + n) * HOUR for n in (1, 2, 3)] == times


def test_funding_is_paid_by_the_next_market_event_too():
    venue = Venue(quote=(1000, 100, 1000, 100), settings=config(funding_interval_ns=HOUR))
    venue.place(venue.a, BUY, 10)
    venue.tick(HOUR)
    venue.quote(1000, 100, 1001, 100)
    assert "FUNDING_FEE" == venue.a.incomes[-1].kind


# --- margin ---------------------------------------------------------------------------------------------------


def test_initial_margin_counts_the_worse_of_both_sides():
    venue = Venue(quote=(1000, 100, 1000, 100))
    venue.exchange.set_leverage(venue.a, X, 10, venue.tick())
    venue.place(venue.a, BUY, 10)
    venue.place(venue.a, BUY, 5, 900)
    venue.place(venue.a, SELL, 12, 1100)
    summary = venue.exchange.summary(venue.a, "USDT")
    position = 10 * 1000 * UNIT // 10
    assert position == summary.position_initial_e8
    assert 5 * 900 * UNIT // 10 == summary.order_initial_e8, "12 sold of 10 held opens only 2"
    assert summary.margin_e8 - summary.initial_e8 == summary.available_e8


def test_an_order_beyond_the_margin_is_refused():
    venue = Venue(quote=(1000, 10_000, 1000, 10_000))
    poor = venue.account("poor", usdt=100)
    venue.exchange.set_leverage(poor, X, 10, venue.tick())
    assert -2019 == code_of(venue.place, poor, BUY, 101, 1000)
    assert "NEW" == venue.place(poor, BUY, 100, 999).status
    assert -2019 == code_of(venue.place, poor, BUY, 1, 1000)
    assert 0 == code_of(venue.place, poor, SELL, 50, 1001), "the other side is covered by the larger one"


def test_a_bad_price_costs_its_loss_as_well():
    venue = Venue(quote=(900, 10_000, 1000, 10_000))
    venue.mark(900)
    poor = venue.account("poor", usdt=100)
    venue.exchange.set_leverage(poor, X, 10, venue.tick())
    assert -2019 == code_of(venue.place, poor, BUY, 60, 1000, tif="IOC")
    assert 0 == code_of(venue.place, poor, BUY, 50, 1000, tif="IOC")


def test_closing_is_possible_with_no_margin_left():
    venue = Venue(quote=(1000, 10_000, 1000, 10_000))
    poor = venue.account("poor", usdt=100)
    venue.exchange.set_leverage(poor, X, 10, venue.tick())
    venue.place(poor, BUY, 100)
    assert 0 == venue.exchange.summary(poor, "USDT").available_e8
    assert "FILLED" == venue.place(poor, SELL, 100).status


def test_amending_upwards_needs_margin_too():
    venue = Venue(quote=(1000, 10_000, 1000, 10_000))
    poor = venue.account("poor", usdt=100)
    venue.exchange.set_leverage(poor, X, 10, venue.tick())
    order = venue.place(poor, BUY, 90, 990)
    assert -2019 == code_of(venue.amend, poor, order, lots=110)
    assert (90, 990) == (order.qty_lots, order.price_ticks)


def test_the_leverage_bounds_the_notional():
    rules = SymbolRules(brackets=DEFAULT_BRACKETS)
    venue = Venue(quote=(1000, 100_000, 1000, 100_000), settings=config(rules_default=rules))
    assert 50_000 * E8 == venue.exchange.set_leverage(venue.a, X, 125, venue.tick())
    assert -2027 == code_of(venue.place, venue.a, BUY, 5_001, 1000)
    assert "FILLED" == venue.place(venue.a, BUY, 5_000).status
    assert -2027 == code_of(venue.place, venue.a, BUY, 1, 1000)


def test_leverage_is_checked_told_and_kept():
    venue = Venue(quote=(1000, 10_000, 1000, 10_000))
    change = venue.exchange.set_leverage
    assert -4028 == code_of(change, venue.a, X, 0, venue.tick())
    assert -4028 == code_of(change, venue.a, X, 126, venue.tick())
    change(venue.a, X, 7, venue.tick())
    change(venue.a, X, 7, venue.tick())
    assert [(X, 7)] == [(e.symbol, e.leverage) for e in venue.events(ConfigEvent)], "told once"
    assert {X: 7} == venue.exchange.ground_truth(venue.a, venue.now_ns).leverages
    poor = venue.account("poor", usdt=110)
    venue.place(poor, BUY, 200)
    assert -2028 == code_of(change, poor, X, 1, venue.tick())
    assert 20 == venue.exchange.leverage(poor, X)


def test_margin_types_are_not_half_done():
    venue = Venue()
    change = venue.exchange.set_margin_type
    assert -4046 == code_of(change, venue.a, X, "cross", venue.tick())
    assert -4168 == code_of(change, venue.a, X, "isolated", venue.tick())
    order = venue.place(venue.a, BUY, 5, 1000)
    assert -4047 == code_of(change, venue.a, X, "isolated", venue.tick())
    venue.cancel(venue.a, order)
    venue.place(venue.a, BUY, 5)
    assert -4048 == code_of(change, venue.a, X, "isolated", venue.tick())


def test_settle_assets_are_separate_pools_unless_asked_otherwise():
    specs = [a_spec(), a_spec("YUSDC", settle_asset="USDC", quote_asset="USDC")]
    venue = Venue(specs=specs)
    venue.quote(1000, 100, 1000, 100, symbol="YUSDC")
    assert -2019 == code_of(venue.place, venue.a, BUY, 5, symbol="YUSDC")
    venue.exchange.set_multi_assets(venue.a, multi_assets=True, now_ns=venue.tick())
    assert "FILLED" == venue.place(venue.a, BUY, 5, symbol="YUSDC").status
    assert -4171 == code_of(venue.exchange.set_multi_assets, venue.a, multi_assets=True, now_ns=venue.tick())


# --- transfers ------------------------------------------------------------------------------------------------


def test_deposits_and_withdrawals_are_told_and_listed():
    venue = Venue()
    venue.exchange.transfer(venue.a, "USDT", 5 * E8, venue.tick())
    venue.exchange.transfer(venue.a, "USDT", -2 * E8, venue.tick())
    assert 1_000_003 * E8 == venue.wallet(venue.a)
    assert ["DEPOSIT", "WITHDRAW"] == [e.reason for e in venue.events(AccountEvent)]
    rows = venue.exchange.incomes(venue.a, kind="TRANSFER")
    assert [5 * E8, -2 * E8] == [row.amount_e8 for row in rows]


def test_only_what_is_free_may_leave():
    venue = Venue(quote=(1000, 10_000, 1000, 10_000))
    poor = venue.account("poor", usdt=100)
    venue.exchange.set_leverage(poor, X, 10, venue.tick())
    venue.place(poor, BUY, 60)
    out = venue.exchange.transfer
    assert -2018 == code_of(out, poor, "USDT", -41 * E8, venue.tick())
    assert 0 == code_of(out, poor, "USDT", -40 * E8, venue.tick())
    assert -2018 == code_of(out, poor, "BNB", -1, venue.tick())


# --- liquidation ----------------------------------------------------------------------------------------------


def on_the_edge(*, usdt=100, liquidation_fee_ppm=10_000):
    rules = SymbolRules(
        brackets=one_bracket(maintenance_ppm=50_000),
        price_up_ppm=10_000_000,
        price_down_ppm=1,
        market_take_ppm=1_000_000,
        liquidation_fee_ppm=liquidation_fee_ppm,
    )
    venue = Venue(quote=(1000, 10_000, 1000, 10_000), settings=config(rules_default=rules))
    venue.mark(1000)
    account = venue.account("edge", usdt=usdt)
    venue.exchange.set_leverage(account, X, 10, venue.tick())
    venue.place(account, BUY, 100)  # 1000 USDT on 100
    return venue, account


def test_the_liquidation_price_is_where_margin_meets_maintenance():
    venue, account = on_the_edge()
    price = venue.exchange.liquidation_ticks(account, account.positions[X, "BOTH"])
    venue.mark(price + 1)
    assert 100 == venue.lots(account)
    venue.mark(price - 1)
    assert 0 == venue.lots(account)


def test_liquidation_cancels_closes_and_takes_its_fee():
    venue, account = on_the_edge()
    resting = venue.place(account, SELL, 50, 1100)
    stop = venue.algo(account, SELL, 50, "STOP_MARKET", 500)
    venue.quote(945, 10_000, 946, 10_000)
    venue.mark(940)
    assert ("CANCELED", "CANCELED", 0) == (resting.status, stop.status, venue.lots(account))
    fill = account.fills[-1]
    assert ("LIQUIDATION", 945) == (fill.cause, fill.price_ticks)
    assert fill.client_id.startswith("autoclose-")
    assert "CALCULATED" == venue.events(OrderEvent, "edge")[-1].execution
    fee = -(-100 * 940 * UNIT * 10_000 // 1_000_000)
    last = account.incomes[-1]
    assert ("INSURANCE_CLEAR", -fee) == (last.kind, last.amount_e8)
    assert 100 * E8 - 100 * 55 * UNIT - fee == venue.wallet(account)


def test_the_insurance_fund_fills_the_hole_and_no_wallet_stays_below_zero():
    venue, account = on_the_edge()
    venue.quote(700, 10_000, 701, 10_000)
    venue.mark(700)
    last = account.incomes[-1]
    assert ("INSURANCE_CLEAR", 200 * E8, 0) == (last.kind, last.amount_e8, venue.wallet(account))


def test_what_the_book_cannot_take_the_fund_takes_at_the_mark():
    venue, account = on_the_edge()
    venue.quote(945, 30, 946, 10_000)
    venue.mark(940)
    assert [(945, 30), (940, 70)] == [(f.price_ticks, f.qty_lots) for f in list(account.fills)[-2:]]
    order = venue.exchange.order(account, X, account.fills[-1].order_id)
    assert ("FILLED", "LIMIT", "IOC", True) == (order.status, order.type, order.tif, order.reduce_only)


def test_a_margin_call_comes_first_and_once():
    venue, _ = on_the_edge()
    venue.mark(955)
    venue.mark(954)
    assert 1 == len(venue.events(MarginCallEvent, "edge"))
    venue.mark(1000)
    venue.mark(955)
    assert 2 == len(venue.events(MarginCallEvent, "edge"))


@pytest.mark.parametrize("cash", ["funding", "withdrawal", "fee"])
def test_nothing_that_takes_money_forgets_to_judge(cash):
    """A position that only funding kills must die by funding."""
    venue, account = on_the_edge()
    if cash == "funding":
        venue.mark(950, funding_ppb=10_000_000)
        venue.exchange.advance((T0 // (8 * HOUR) + 1) * 8 * HOUR)
    elif cash == "withdrawal":
        venue.mark(1000)
        account.balances["USDT"] -= 60 * E8  # as if lost elsewhere
        venue.exchange.transfer(account, "USDT", 1, venue.tick())
    else:
        venue.mark(950)
        account.fee_taker_ppm = 500_000
        venue.place(account, SELL, 1)
    assert 0 == venue.lots(account)


def test_other_accounts_are_untouched_by_a_liquidation():
    venue, account = on_the_edge()
    bystander = venue.place(venue.b, BUY, 40, 950)
    venue.quote(940, 10, 960, 10)
    venue.mark(940)
    assert (40, "FILLED") == (bystander.filled_lots, bystander.status), "it is a counterparty like any other"
    assert 0 == venue.lots(account)
