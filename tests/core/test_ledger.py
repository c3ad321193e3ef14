"""The ledger: fills once, exact cost, and every amount accounted for."""

import random

import pytest

from holdfast.core.ledger.ledger import HOUSE, QUARANTINE, TRADE_IDS_KEPT_MAX, Ledger
from holdfast.core.ledger.positions import TAIL_FILLS_MAX, PositionRow
from holdfast.vocab.facts import (
    BooksOpened,
    CashBooked,
    CashKind,
    FillAccepted,
    FillBooked,
    FillBusted,
    FillClaimed,
    PositionAdjusted,
)
from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.orders import Side
from holdfast.vocab.reports import FillCause
from tests.house.setup import BTC, MONO_NS

BUY, SELL = Side.BUY, Side.SELL
UNIT = 10_000


def a_ledger():
    return Ledger(settle_asset="USDT", tick_lot_e8={BTC: UNIT})


def a_bust(trade_id="t1", side=BUY, lots=10, price=1_000, **changes):
    fields = {
        "order_id": 1,
        "instrument": BTC,
        "booked": True,
        "counted": False,
        "by": "venue",
        "reason": "a clear error",
        "venue_ns": 100,
        **changes,
    }
    return FillBusted(trade_id=trade_id, side=side, qty_lots=lots, price_ticks=price, **fields)


def a_fill(trade_id="t1", side=BUY, lots=10, price=1_000, **changes):
    fields = {
        "order_id": 1,
        "strategy": "alpha",
        "instrument": BTC,
        "fee_e8": 0,
        "fee_asset": "USDT",
        "maker": False,
        "cause": FillCause.ORDER,
        "quarantined": False,
        "venue_ns": 1,
        **changes,
    }
    return FillBooked(trade_id=trade_id, side=side, qty_lots=lots, price_ticks=price, **fields)


def booked(*fills):
    ledger = a_ledger()
    for fill in fills:
        ledger.fill(fill, mono_ns=MONO_NS)
    return ledger


def cash(amount_e8, kind=CashKind.OTHER, **changes):
    fields = {"cash_id": "c1", "asset": "USDT", "instrument": "", "venue_ns": 5, **changes}
    return CashBooked(kind=kind, amount_e8=amount_e8, **fields)


def test_opening_and_closing_realises_the_difference():
    ledger = booked(a_fill(price=1_000), a_fill("t2", SELL, price=1_010))
    row = ledger.position(BTC)
    assert (0, 0, 10 * 10 * UNIT) == (row.position_lots, row.cost_e8, row.realised_e8)
    assert 10 * 10 * UNIT == ledger.wallet_e8["USDT"]


def test_a_short_makes_money_when_the_price_falls():
    row = booked(a_fill(side=SELL, price=1_010), a_fill("t2", BUY, price=1_000)).position(BTC)
    assert (0, 0, 10 * 10 * UNIT) == (row.position_lots, row.cost_e8, row.realised_e8)


def test_a_flip_closes_the_old_and_opens_the_new_at_the_fills_price():
    row = booked(a_fill(lots=10, price=1_000), a_fill("t2", SELL, 25, 1_010)).position(BTC)
    assert (-15, -15 * 1_010 * UNIT, 10 * 10 * UNIT) == (row.position_lots, row.cost_e8, row.realised_e8)
    assert (10, 25, 2) == (row.bought_lots, row.sold_lots, row.fills_count)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_split_of_money_is_rounded_against_us_and_nothing_is_lost(side):
    """A third of an odd cost: the realised part is the smaller one, the rest stays in the cost."""
    row = PositionRow()
    row.book(side=side, qty_lots=1, price_ticks=101, tick_lot_e8=1)
    row.book(side=side, qty_lots=2, price_ticks=103, tick_lot_e8=1)
    realised = row.book(side=Side(-side), qty_lots=1, price_ticks=103, tick_lot_e8=1)
    exact_thirds = 3 * 103 * int(side) - int(side) * (101 + 2 * 103)  # three times the exact profit
    assert realised <= exact_thirds / 3 < realised + 1
    assert int(side) * (101 + 2 * 103 - 103) == row.cost_e8 - row.realised_e8


def test_a_fill_is_booked_once():
    ledger = booked(a_fill())
    assert ledger.knows_trade(BTC, "t1")
    with pytest.raises(InvariantBroken, match="once"):
        ledger.fill(a_fill(), mono_ns=MONO_NS)


def test_a_fill_has_a_size():
    with pytest.raises(InvariantBroken, match="size"):
        booked(a_fill(lots=0))


def test_the_memory_of_trade_ids_is_bounded():
    ledger = a_ledger()
    ledger.trade_ids[BTC] = {f"old{number}": 0 for number in range(TRADE_IDS_KEPT_MAX)}
    ledger.fill(a_fill(), mono_ns=MONO_NS)
    assert TRADE_IDS_KEPT_MAX == len(ledger.trade_ids[BTC])
    assert ledger.knows_trade(BTC, "t1")
    assert not ledger.knows_trade(BTC, "old0")


def test_fees_leave_the_wallet_of_their_asset():
    ledger = booked(a_fill(fee_e8=7), a_fill("t2", fee_e8=-2), a_fill("t3", fee_e8=3, fee_asset="BNB"))
    assert {"USDT": -5, "BNB": -3} == ledger.wallet_e8
    assert {"USDT": 5, "BNB": 3} == ledger.fees_e8
    assert 5 == ledger.position(BTC).fee_e8 == ledger.position_of("alpha", BTC).fee_e8


def test_each_strategy_has_its_own_position_and_they_sum_to_the_account():
    ledger = booked(
        a_fill("t1", BUY, 10, 1_000, strategy="alpha"),
        a_fill("t2", SELL, 4, 1_010, strategy="beta"),
        a_fill("t3", BUY, 1, 990, strategy=QUARANTINE, order_id=None, quarantined=True),
    )
    assert {"alpha": 10, "beta": -4, QUARANTINE: 1} == {
        name: rows[BTC].position_lots for name, rows in ledger.attributed.items()
    }
    assert 7 == ledger.position(BTC).position_lots


def test_an_exit_for_the_account_closes_what_the_strategies_hold():
    """After a kill nobody may be left with a position on paper that the account has not."""
    ledger = booked(
        a_fill("t1", BUY, 10, strategy="beta"),
        a_fill("t2", BUY, 5, strategy="alpha"),
        a_fill("t3", SELL, 3, strategy="gamma"),
        a_fill("t4", SELL, 12, strategy=HOUSE),
    )
    assert {"beta": 3, "alpha": 0, "gamma": -3} == {
        name: rows[BTC].position_lots for name, rows in ledger.attributed.items()
    }
    assert 0 == ledger.position(BTC).position_lots


def test_an_exit_closes_only_what_lies_in_its_way():
    """A strategy on the other side, or in another instrument only, is left as it is."""
    ledger = a_ledger()
    ledger.tick_lot_e8["ETH"] = 1_000
    ledger.position_of("aaa", "ETH").position_lots = 5
    for number, (side, lots, strategy) in enumerate([(SELL, 3, "abc"), (BUY, 10, "beta"), (SELL, 4, HOUSE)]):
        ledger.fill(a_fill(f"t{number}", side, lots, strategy=strategy), mono_ns=MONO_NS)
    assert (-3, 6) == (
        ledger.position_of("abc", BTC).position_lots,
        ledger.position_of("beta", BTC).position_lots,
    )
    assert BTC not in ledger.attributed["aaa"]


def test_the_newest_stamp_of_a_fill_is_kept_for_the_next_question():
    ledger = booked(a_fill("t1", venue_ns=50), a_fill("t2", venue_ns=20))
    assert {BTC: 50} == ledger.last_fill_venue_ns


def test_a_late_execution_is_put_where_it_belongs():
    """Bought at 100, sold at 130, and the buy at 120 before it was lost on the way: the average was 110."""
    in_order = booked(
        a_fill("t1", BUY, 1, 100, venue_ns=1),
        a_fill("t2", BUY, 1, 120, venue_ns=2),
        a_fill("t3", SELL, 1, 130, venue_ns=3),
    )
    late = booked(
        a_fill("t1", BUY, 1, 100, venue_ns=1),
        a_fill("t3", SELL, 1, 130, venue_ns=3),
        a_fill("t2", BUY, 1, 120, venue_ns=2),
    )
    assert 20 * UNIT == late.wallet_e8["USDT"] == in_order.wallet_e8["USDT"]
    assert in_order.position(BTC) == late.position(BTC)


def test_within_one_stamp_the_trade_id_decides():
    in_order = booked(a_fill("t9", BUY, 1, 100), a_fill("t10", BUY, 1, 120), a_fill("t11", SELL, 1, 130))
    late = booked(a_fill("t9", BUY, 1, 100), a_fill("t11", SELL, 1, 130), a_fill("t10", BUY, 1, 120))
    assert in_order.wallet_e8 == late.wallet_e8


def test_a_day_of_many_executions_in_a_slightly_wrong_order_comes_out_right():
    """More than the tail holds: what falls out of it is settled, the rest can still be put in place."""
    rng = random.Random(5)
    day = [
        a_fill(f"t{n}", rng.choice([BUY, SELL]), rng.randrange(1, 50), rng.randrange(900, 1_100), venue_ns=n)
        for n in range(500)
    ]
    jumbled = sorted(day, key=lambda fill: fill.venue_ns + rng.randrange(0, 30))
    assert day != jumbled
    assert booked(*day).wallet_e8 == booked(*jumbled).wallet_e8
    assert booked(*day).position(BTC) == booked(*jumbled).position(BTC)
    assert TAIL_FILLS_MAX == len(booked(*day).tails[BTC].fills)


def test_what_came_before_a_person_adopted_is_settled():
    ledger = booked(a_fill("t1", BUY, 1, 100, venue_ns=1), a_fill("t3", SELL, 1, 130, venue_ns=3))
    ledger.adjust(
        PositionAdjusted(instrument=BTC, delta_lots=1, price_ticks=120, by="ann", reason="lost"),
        mono_ns=MONO_NS,
    )
    before = dict(ledger.wallet_e8)
    ledger.fill(a_fill("t4", SELL, 1, 120, venue_ns=2), mono_ns=MONO_NS)
    assert (before, 0) == (ledger.wallet_e8, ledger.position(BTC).position_lots)


def test_a_ledger_of_an_older_build_goes_on_from_the_position_it_has():
    ledger = booked(a_fill("t1", BUY, 2, 100, venue_ns=5))
    ledger.tails.clear()
    ledger.fill(a_fill("t2", SELL, 1, 130, venue_ns=6), mono_ns=MONO_NS)
    ledger.fill(a_fill("t3", SELL, 1, 120, venue_ns=5), mono_ns=MONO_NS)
    assert 50 * UNIT == ledger.wallet_e8["USDT"]


def test_what_an_exit_closes_beyond_the_strategies_is_the_houses():
    ledger = booked(a_fill("t1", BUY, 5, strategy="alpha"), a_fill("t2", SELL, 8, strategy=HOUSE))
    assert (0, -3) == (
        ledger.position_of("alpha", BTC).position_lots,
        ledger.position_of(HOUSE, BTC).position_lots,
    )


def test_a_fill_that_nobody_explains_counts_and_waits_for_a_person():
    ledger = booked(
        a_fill(strategy=QUARANTINE, order_id=None, quarantined=True), a_fill("t2", SELL, 1), a_fill("t3")
    )
    ledger.fill(a_fill("t4", SELL, 9), mono_ns=MONO_NS)
    assert [f"{BTC}/t1"] == list(ledger.quarantined)
    assert 10 == ledger.position(BTC).position_lots
    ledger.accept(FillAccepted(key=f"{BTC}/t1", by="ann", reason="mine"))
    assert {} == ledger.quarantined
    assert 10 == ledger.position(BTC).position_lots
    with pytest.raises(InvariantBroken):
        ledger.accept(FillAccepted(key=f"{BTC}/t1", by="ann", reason="mine"))


def held(ledger):
    return {
        name: rows[BTC].position_lots for name, rows in ledger.attributed.items() if rows[BTC].position_lots
    }


def test_what_a_signed_fill_closed_no_strategy_holds_and_its_order_may_still_claim_it():
    """A strategy that sold once more what was sold by hand would open a short of the account."""
    ledger = booked(
        a_fill("t1", BUY, 5, 100),
        a_fill("t2", BUY, 3, 100, strategy="beta"),
        a_fill("t3", SELL, 9, 110, strategy=QUARANTINE, order_id=None, quarantined=True),
    )
    assert {"alpha": 5, "beta": 3, QUARANTINE: -9} == held(ledger)
    before = ledger.wallet_e8["USDT"]
    ledger.accept(FillAccepted(key=f"{BTC}/t3", by="ann", reason="my own click"))
    assert ({QUARANTINE: -1}, before) == (held(ledger), ledger.wallet_e8["USDT"])
    assert 50 * UNIT == ledger.position_of("alpha", BTC).realised_e8
    assert None is ledger.may_take_back(BTC, "t3")

    assert 9 == ledger.claim(FillClaimed(key=f"{BTC}/t3", order_id=7, strategy="beta"))
    assert {"alpha": 5, "beta": -6} == held(ledger)


def test_cash_is_booked_once_by_its_id_and_transfers_are_kept_apart():
    ledger = a_ledger()
    ledger.cash(cash(1_000, CashKind.OPENING, cash_id=""))
    ledger.cash(cash(-30, CashKind.FUNDING, cash_id="f1", instrument=BTC))
    ledger.cash(cash(500, CashKind.TRANSFER, cash_id="x1", venue_ns=9))
    ledger.cash(cash(500, CashKind.TRANSFER, cash_id="x2", asset="BNB"))
    ledger.cash(cash(0, CashKind.FUNDING, cash_id="f2"))
    assert [BTC] == list(ledger.positions)
    assert {"USDT": 1_470, "BNB": 500} == ledger.wallet_e8
    assert (500, -30, 9) == (
        ledger.transfers_e8,
        ledger.position(BTC).funding_e8,
        ledger.cash_since_venue_ns,
    )
    with pytest.raises(InvariantBroken, match="once"):
        ledger.cash(cash(500, CashKind.TRANSFER, cash_id="x1"))


def test_what_lies_in_a_balance_that_was_taken_as_a_whole_is_known():
    ledger = a_ledger()
    ledger.cash(cash(1_000, CashKind.OPENING, cash_id="", venue_ns=7))
    ledger.cash(cash(1, CashKind.FUNDING, cash_id="f1", venue_ns=9))
    assert 7 == ledger.cash_counted_venue_ns
    ledger.cash(cash(1, CashKind.ADJUSTMENT, cash_id="a1", venue_ns=11))
    assert 11 == ledger.cash_counted_venue_ns


def test_what_came_behind_the_opening_balance_is_in_the_wallet_though_the_fill_before_it_is_told_last():
    """It closed what that fill had opened, and not something else: the venue has realised it since."""
    ledger = a_ledger()
    ledger.cash(cash(1_000 * UNIT, CashKind.OPENING, cash_id="", venue_ns=10))
    ledger.fill(a_fill("t2", BUY, 15, 104, venue_ns=20), mono_ns=MONO_NS)
    ledger.fill(a_fill("t1", SELL, 15, 100, venue_ns=5), mono_ns=MONO_NS)
    assert (940 * UNIT, 1_000 * UNIT) == (ledger.wallet_e8["USDT"], ledger.opening_e8["USDT"])

    ledger.bust(a_bust("t1", SELL, 15, 100, venue_ns=6, counted=True), mono_ns=MONO_NS)
    assert (1_000 * UNIT, 1_000 * UNIT) == (ledger.wallet_e8["USDT"], ledger.opening_e8["USDT"])


def test_a_person_can_make_our_position_follow_the_venues():
    ledger = booked(a_fill(lots=10))
    for delta in (-15, 2):
        ledger.adjust(
            PositionAdjusted(instrument=BTC, delta_lots=delta, price_ticks=1_000, by="ann", reason="adl"),
            mono_ns=MONO_NS,
        )
    assert -3 == ledger.position(BTC).position_lots
    assert {"alpha": 0, QUARANTINE: -3} == {
        name: rows[BTC].position_lots for name, rows in ledger.attributed.items()
    }
    assert {} == {name: amount for name, amount in ledger.wallet_e8.items() if amount}


def test_the_books_open_at_the_venues_time():
    ledger = a_ledger()
    ledger.open(BooksOpened(venue_ns=77))
    assert (77, 77) == (ledger.books_since_venue_ns, ledger.cash_since_venue_ns)


def test_an_average_price_is_only_a_view():
    row = PositionRow()
    assert 0 == row.average_ticks(tick_lot_e8=UNIT)
    row.book(side=BUY, qty_lots=1, price_ticks=100, tick_lot_e8=UNIT)
    row.book(side=BUY, qty_lots=2, price_ticks=101, tick_lot_e8=UNIT)
    assert 100 == row.average_ticks(tick_lot_e8=UNIT)
    assert 3 * 110 * UNIT - 302 * UNIT == row.unrealised_e8(price_ticks=110, tick_lot_e8=UNIT)


def test_a_fill_is_taken_back_once_and_one_that_was_not_booked_never_is_afterwards():
    ledger = booked(a_fill("t1"))
    ledger.bust(a_bust("t1"), mono_ns=MONO_NS)
    with pytest.raises(InvariantBroken, match="taken back once"):
        ledger.bust(a_bust("t1"), mono_ns=MONO_NS)
    ledger.bust(a_bust("t2", booked=False), mono_ns=MONO_NS)
    assert ledger.knows_trade(BTC, "t1")
    assert ledger.knows_trade(BTC, "t2")
    assert 0 == ledger.position(BTC).position_lots


def test_a_bust_that_the_opening_balance_has_counted_moves_what_the_books_began_with():
    """It was read after the venue had given the money back: the wallet stands."""
    ledger = booked(a_fill("t1", price=1_000, fee_e8=7), a_fill("t2", SELL, 10, 1_010, venue_ns=2))
    ledger.cash(cash(1_000_000, CashKind.OPENING, cash_id="", venue_ns=50))
    wallet_e8, opening_e8 = ledger.wallet_e8["USDT"], ledger.opening_e8["USDT"]
    ledger.bust(a_bust("t2", SELL, 10, 1_010, venue_ns=40, counted=True), mono_ns=MONO_NS)
    assert wallet_e8 == ledger.wallet_e8["USDT"]
    assert opening_e8 + 10 * 10 * UNIT == ledger.opening_e8["USDT"]


def test_a_position_adopted_at_the_venues_price_has_its_cost_and_nobody_elses():
    fact = PositionAdjusted(
        instrument=BTC, delta_lots=7, price_ticks=1_000, by="ann", reason="found", cost_e8=7 * 900 * UNIT + 3
    )
    ledger = a_ledger()
    ledger.adjust(fact, mono_ns=MONO_NS)
    for row in (ledger.position(BTC), ledger.position_of(QUARANTINE, BTC)):
        assert (7, 7 * 900 * UNIT + 3, 0) == (row.position_lots, row.cost_e8, row.realised_e8)
    ledger = booked(a_fill("t1", BUY, 7), a_fill("t2", SELL, 7, strategy=QUARANTINE))
    ledger.adjust(fact, mono_ns=MONO_NS)
    parts = [rows[BTC] for rows in ledger.attributed.values()]
    row = ledger.position(BTC)
    assert row.realised_e8 - row.cost_e8 == sum(part.realised_e8 - part.cost_e8 for part in parts)
    assert [0] == [part.cost_e8 for part in parts if not part.position_lots]
