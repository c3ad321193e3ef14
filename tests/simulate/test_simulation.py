"""Seeds of everything going wrong: nothing is broken; and they were worth it."""

import msgspec
import pytest

from holdfast.core.orders.lifecycle import NEVER_ASKED
from holdfast.simulate.run import Outcome
from holdfast.simulate.totals import told
from holdfast.simulate.walked import name_of
from holdfast.vocab.orders import Did, OrderState
from tests.simulate.conftest import PARTS, SEEDS, outcomes_of, summed

S = OrderState
# Each takes two rare faults upon one order at the same moment, or a second final word behind a first that came too
# early, or an order that was proven void and was not: 300 seeds may walk it or not. The tests of the core walk them all.
SELDOM = {
    name_of(state, did)
    for state, dids in {
        S.SENT: (Did.CANCELLED, Did.PART_FILL),
        S.CANCEL_SENT: (Did.NOT_SENT,),
        S.UNKNOWN: (Did.NOT_SENT, Did.GO_SILENT),
        S.FILLED: (Did.CANCELLED, Did.EXPIRED, Did.REFUSED),
        S.CANCELLED: (Did.FULL_FILL, Did.EXPIRED, Did.REFUSED, Did.NOT_SENT),
        S.EXPIRED: (Did.FULL_FILL, Did.CANCELLED, Did.REFUSED),
        S.REJECTED: (Did.PART_FILL, Did.FULL_FILL, Did.CANCELLED, Did.EXPIRED, Did.REFUSED),
        S.UNSENT: (
            Did.ACK,
            Did.PART_FILL,
            Did.FULL_FILL,
            Did.CANCELLED,
            Did.EXPIRED,
            Did.REFUSED,
            Did.NOT_SENT,
        ),
    }.items()
    for did in dids
}


@pytest.mark.slow
@pytest.mark.timeout(600)  # ten seconds where nothing else runs
@pytest.mark.parametrize("part", range(PARTS))
def test_no_seed_breaks_a_rule_and_the_seeds_were_worth_it(part, tmp_path_factory, testrun_uid):
    """A failing one names the command that shows it again.

    A fault that never happens is not survived: counted is its effect. And only a fill while its order is UNKNOWN, or
    while only reducing is allowed, tries what counts then. Whichever part ends last judges what all came to.
    """
    outcomes = outcomes_of(part)
    again = "holdfast simulate --seeds 1 --first-seed"
    broken = {one.seed: one for one in outcomes if one.rule}
    assert [] == [f"{again} {seed}: step {one.at_step}: {one.said}" for seed, one in broken.items()]
    shared = tmp_path_factory.getbasetemp().parent
    mine = shared / f"seeds-{testrun_uid}-{part}.json"
    beside = mine.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(outcomes))
    beside.replace(mine)
    files = [shared / f"seeds-{testrun_uid}-{number}.json" for number in range(PARTS)]
    if all(path.exists() for path in files):
        judge([one for path in files for one in msgspec.json.decode(path.read_bytes(), type=list[Outcome])])


def judge(outcomes):
    totals = summed(outcomes)
    print("\n".join(told(totals)))
    assert SEEDS == totals.seeds
    assert {} == totals.seldom(20)
    unwalked = set(totals.unwalked())
    never = {name_of(*row) for row in NEVER_ASKED}
    assert never <= unwalked, "it was asked for: the reason beside the table is wrong"
    assert set() == unwalked - never - SELDOM
    assert totals.doubtful_percent() >= 30
    assert totals.orders > 100 * SEEDS
    assert totals.fills > 50 * SEEDS
    assert totals.crashes > SEEDS // 2
    assert {"rate", "burst", "sticky"} == set(totals.manners)
    assert len(totals.checks_by_rule) > 45
