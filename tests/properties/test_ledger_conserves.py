"""The ledger against its slow twin, on random days: nothing is lost, nothing is made, everything sums up."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.ledger.ledger import HOUSE, QUARANTINE
from holdfast.vocab.orders import Side
from tests.core.test_ledger import a_bust, a_fill, a_ledger
from tests.house.naive import FractionPosition
from tests.house.setup import BTC, MONO_NS

UNIT = 10_000
fills = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 60),
        st.integers(1, 2_000),
        st.integers(-50, 500),
        st.sampled_from(["alpha", "beta", "gamma", HOUSE, QUARANTINE]),
    ),
    max_size=60,
)


def day(trades):
    ledger, twin, fees = a_ledger(), FractionPosition(UNIT), 0
    for number, (side, lots, price, fee, strategy) in enumerate(trades):
        fees += fee
        twin.trade(int(side), lots, price)
        ledger.fill(
            a_fill(f"t{number}", side, lots, price, fee_e8=fee, strategy=strategy, venue_ns=number),
            mono_ns=MONO_NS,
        )
        yield ledger, twin, fees


@given(fills)
@settings(max_examples=200, deadline=None)
def test_the_account_is_exact_against_fractions(trades):
    """Quantity exactly; money exactly conserved; what is realised below the textbook by less than 1e-8 a fill."""
    for number, (ledger, twin, fees) in enumerate(day(trades), start=1):
        row = ledger.position(BTC)
        assert twin.lots == row.position_lots
        assert -twin.moved_e8 == row.realised_e8 - row.cost_e8
        assert row.realised_e8 - fees == ledger.wallet_e8["USDT"]
        short_by = twin.realised_e8 - row.realised_e8
        assert short_by == twin.cost_e8 - row.cost_e8
        assert Fraction(0) <= short_by < number
        if row.position_lots == 0:
            assert 0 == row.cost_e8
            assert twin.realised_e8 == row.realised_e8


@given(fills)
@settings(max_examples=200, deadline=None)
def test_attribution_sums_to_the_account(trades):
    """Whoever traded, and whatever an exit of the house closed for whom."""
    for ledger, _, fees in day(trades):
        row = ledger.position(BTC)
        parts = [rows[BTC] for rows in ledger.attributed.values() if BTC in rows]
        assert row.position_lots == sum(part.position_lots for part in parts)
        assert row.bought_lots == sum(part.bought_lots for part in parts)
        assert row.sold_lots == sum(part.sold_lots for part in parts)
        assert row.realised_e8 - row.cost_e8 == sum(part.realised_e8 - part.cost_e8 for part in parts)
        assert fees == row.fee_e8 == sum(part.fee_e8 for part in parts)


@given(fills, st.integers(1, 2_000))
@settings(max_examples=100, deadline=None)
def test_what_closing_now_would_make_is_what_closing_then_makes(trades, price):
    *_, (ledger, _, _) = [*day(trades), (a_ledger(), None, 0)][:-1] or [(a_ledger(), None, 0)]
    row = ledger.position(BTC)
    before, unrealised = row.realised_e8, row.unrealised_e8(price_ticks=price, tick_lot_e8=UNIT)
    held = row.position_lots
    if held:
        row.book(side=Side(-1 if held > 0 else 1), qty_lots=abs(held), price_ticks=price, tick_lot_e8=UNIT)
    assert unrealised == row.realised_e8 - before


@given(fills, st.data())
@settings(max_examples=200, deadline=None)
def test_an_execution_taken_back_leaves_what_the_others_alone_would(trades, data):
    """The account's row and money exactly, whatever came behind it; and each strategy's where no exit of the house was
    shared out among them by what they held then.
    """
    if not trades:
        return
    gone = data.draw(st.integers(0, len(trades) - 1))
    *_, (ledger, _, _) = day(trades)
    side, lots, price, _, _ = trades[gone]
    ledger.bust(a_bust(f"t{gone}", side, lots, price), mono_ns=MONO_NS)
    left = a_ledger()
    for number, (side, lots, price, fee, strategy) in enumerate(trades):
        if number != gone:
            left.fill(
                a_fill(f"t{number}", side, lots, price, fee_e8=fee, strategy=strategy, venue_ns=number),
                mono_ns=MONO_NS,
            )
    row = ledger.position(BTC)
    left.position(BTC).changed_mono_ns = MONO_NS
    assert left.position(BTC) == row
    assert {asset: e8 for asset, e8 in left.wallet_e8.items() if e8} == {
        asset: e8 for asset, e8 in ledger.wallet_e8.items() if e8
    }
    parts = {who: rows[BTC] for who, rows in ledger.attributed.items() if BTC in rows}
    assert row.position_lots == sum(part.position_lots for part in parts.values())
    assert row.realised_e8 - row.cost_e8 == sum(part.realised_e8 - part.cost_e8 for part in parts.values())
    assert row.fee_e8 == sum(part.fee_e8 for part in parts.values())
    assert row.bought_lots == sum(part.bought_lots for part in parts.values())
    if all(strategy != HOUSE for *_, strategy in trades):
        for who, part in parts.items():
            assert left.position_of(who, BTC) == part


@given(fills, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_executions_found_in_any_order_lead_to_the_same_account(trades, rng):
    """One that the stream lost comes late: the venue's wallet does not wait for us to hear of it."""
    *_, (straight, _, _) = [*day(trades), (a_ledger(), None, 0)][:-1] or [(a_ledger(), None, 0)]
    shuffled = a_ledger()
    for number, (side, lots, price, fee, strategy) in sorted(enumerate(trades), key=lambda _: rng.random()):
        shuffled.fill(
            a_fill(f"t{number}", side, lots, price, fee_e8=fee, strategy=strategy, venue_ns=number),
            mono_ns=MONO_NS,
        )
    assert straight.position(BTC) == shuffled.position(BTC)
    assert straight.wallet_e8 == shuffled.wallet_e8
