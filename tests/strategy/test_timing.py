"""Slow callbacks are named, at no cost to the fast ones."""

import itertools

from tests.strategy.test_host import BTC, Does, host_of, quote


def test_a_slow_callback_is_named_after_its_first_slow_batch():
    now = [0]

    def slow(ctx):
        now[0] += 3_000_000

    host = host_of(Does(slow), Does(lambda ctx: None), clock=lambda: now[0])
    for _ in range(2):
        host.batch_began()
        host.on_market(quote())
        host.batch_ended()
    (found,) = host.take_slow()
    assert ("s1", "on_quote", 1, 3_000_000) == (
        found.strategy,
        found.callback,
        found.count,
        found.worst_ns,
    )
    assert () == host.take_slow()


def test_timing_changes_nothing_of_what_comes_out():
    def act(ctx):
        yield ctx.buy(BTC, qty_lots=1)
        yield ctx.cancel_all(BTC)

    now = itertools.count(step=2_000_000)
    timed, plain = host_of(Does(act), clock=now.__next__), host_of(Does(act))
    for _ in range(3):
        timed.batch_began()
        assert plain.on_market(quote()) == timed.on_market(quote())
        timed.batch_ended()
    assert 2 == timed.take_slow()[0].count
