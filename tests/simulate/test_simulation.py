"""Seeds of everything going wrong: nothing is broken; and they were worth it."""

from holdfast.core.orders.lifecycle import FINAL, NEXT
from holdfast.simulate.totals import told
from holdfast.simulate.walked import name_of
from holdfast.vocab.orders import Did, OrderState
from tests.simulate.conftest import FULL, SEEDS

# Rows for what may come behind a final state and that no part of the core asks for: each asks first whether it is over.
NEVER_ASKED = {
    name_of(state, did)
    for state in FINAL
    for did in (Did.CANCEL_REFUSED, Did.REFUSED, Did.NOT_SENT, Did.GO_SILENT)
}


# Too rare for the short size: what comes behind a final state, and what takes two faults at the same moment.
SELDOM = {name_of(state, did) for state, did in NEXT if state in FINAL} | {
    name_of(OrderState.SENT, Did.PART_FILL),
    name_of(OrderState.SENT, Did.CANCELLED),
    name_of(OrderState.SENT, Did.GO_SILENT),
    name_of(OrderState.LIVE, Did.GO_SILENT),
    name_of(OrderState.CANCEL_SENT, Did.NOT_SENT),
    name_of(OrderState.CANCEL_SENT, Did.GO_SILENT),
    name_of(OrderState.UNKNOWN, Did.NOT_SENT),
    name_of(OrderState.UNKNOWN, Did.GO_SILENT),
    name_of(OrderState.UNKNOWN, Did.REFUSED),
    name_of(OrderState.UNKNOWN, Did.RESOLVED),
}
SELDOM_FAULTS = {"resolve", "spec_changed", "sync_refused"}


def test_no_seed_breaks_a_rule(totals):
    """The first line names the seed: ``holdfast simulate --seeds 1 --first-seed N`` shows it again."""
    assert [] == [f"seed {one.seed} at step {one.at_step}: {one.said}" for one in totals.failures]
    print("\n".join(told(totals)))


def test_every_kind_of_fault_was_observed(totals):
    """A fault that never happens is not survived. What is counted is its effect."""
    seldom = totals.seldom(20 if FULL else 1)
    assert {} == {name: count for name, count in seldom.items() if FULL or name not in SELDOM_FAULTS}


def test_every_row_of_the_order_table_was_walked(totals):
    unwalked = set(totals.unwalked()) - NEVER_ASKED - (set() if FULL else SELDOM)
    assert set() == unwalked


def test_the_fills_came_at_the_worst_of_times(totals):
    """Only a fill while its order is UNKNOWN, or while only reducing is allowed, tries what counts then."""
    assert totals.doubtful_percent() >= 30


def test_the_seeds_were_worth_it(totals):
    assert totals.orders > 100 * SEEDS
    assert totals.fills > 50 * SEEDS
    assert totals.crashes > SEEDS // 2
    assert {"rate", "burst", "sticky"} == set(totals.manners)
    assert len(totals.checks_by_rule) > 45
