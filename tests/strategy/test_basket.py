"""A basket on its way out of a strategy: numbered and stamped leg by leg, whole or not at all."""

import pytest
from msgspec.structs import replace

from holdfast.strategy.rehearsal import Rehearsal
from holdfast.strategy.seat import INTENTS_MAX
from holdfast.vocab.events import BASKET_LEGS_MAX, BasketIntent, OrderIntent, StrategyFailed
from tests.strategy.test_host import BTC, ETH, SPECS, Does, failure_of, host_of, quote


def pair(ctx):
    return [
        ctx.buy(BTC, qty_lots=3, price_ticks=600_000),
        ctx.sell(ETH, qty_lots=60, price_ticks=280_000),
    ]


def seqs(basket):
    return [leg.intent_seq for leg in basket.legs]


def test_a_basket_comes_out_with_its_legs_numbered_and_stamped():
    host = host_of(Does(lambda ctx: ctx.basket(pair(ctx))))
    (first,) = host.on_market(quote(at_ns=10))
    (second,) = host.on_market(quote(at_ns=20))
    assert (BasketIntent, "s1", 20, 20) == (type(second), second.strategy, second.wall_ns, second.mono_ns)
    assert [(BTC, 3), (ETH, 60)] == [(leg.instrument, leg.qty_lots) for leg in first.legs]
    assert [1, 2] == seqs(first)
    assert [3, 4] == seqs(second)
    assert {20} == {leg.mono_ns for leg in second.legs} == {leg.wall_ns for leg in second.legs}


def test_legs_that_were_made_earlier_or_in_another_order_count_from_now():
    kept = []

    def act(ctx):
        if not kept:
            kept.extend(pair(ctx))
            return None
        return [ctx.cancel_all(BTC), ctx.basket(reversed(kept)), ctx.cancel_all(ETH)]

    host = host_of(Does(act))
    assert () == host.on_market(quote(at_ns=10))
    cancel, basket, other = host.on_market(quote(at_ns=20))
    assert [ETH, BTC] == [leg.instrument for leg in basket.legs]
    assert {20} == {leg.mono_ns for leg in basket.legs}
    numbers = [cancel.intent_seq, *seqs(basket), other.intent_seq]
    assert sorted({*numbers}) == numbers


def twice(ctx):
    order = ctx.buy(BTC, qty_lots=1, price_ticks=5)
    return [order, ctx.basket([order])]


def too_many(ctx):
    return [
        ctx.basket([ctx.buy(BTC, qty_lots=1, price_ticks=5) for _ in range(BASKET_LEGS_MAX)])
        for _ in range(INTENTS_MAX // BASKET_LEGS_MAX + 1)
    ]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda ctx: ctx.basket([]), "a basket of 0 orders: it has one to 32"),
        (lambda ctx: ctx.basket(pair(ctx) * 17), "a basket of 34 orders: it has one to 32"),
        (lambda ctx: ctx.basket([ctx.buy(BTC, qty_lots=1, price_ticks=5)] * 2), "the same intent twice"),
        (lambda ctx: [ctx.basket([ctx.buy(BTC, qty_lots=1, price_ticks=5)] * 2)], "the same intent twice"),
        (twice, "returned the same intent twice"),
        (too_many, f"more than {INTENTS_MAX} intents"),
        (lambda ctx: ctx.basket([ctx.cancel_all(BTC)]), "leg 1 of a basket is CancelIntent("),
        (
            lambda ctx: ctx.basket([*pair(ctx), ctx.buy(BTC, qty_lots=0.5, price_ticks=5)]),
            "leg 3 of a basket: qty_lots must be a whole number, not 0.5",
        ),
        (
            lambda ctx: ctx.basket([replace(one, strategy="s2") for one in pair(ctx)]),
            "leg 1 of a basket: returned an intent in the name of 's2'",
        ),
        (
            lambda ctx: replace(ctx.basket(pair(ctx)), strategy="s2"),
            "returned a basket in the name of 's2'",
        ),
        (lambda ctx: replace(ctx.basket(pair(ctx)), legs=()), "a basket has one to 32 orders"),
        (lambda ctx: [replace(ctx.basket(pair(ctx)), legs=5)], "a basket has one to 32 orders"),
    ],
)
def test_a_basket_that_is_wrong_in_part_is_one_line_and_nothing_leaves(act, said):
    assert said in failure_of(act)


def test_beside_others_it_is_all_or_nothing_too():
    events = host_of(
        Does(lambda ctx: [ctx.buy(BTC, qty_lots=1), ctx.basket([ctx.cancel_all(BTC)])])
    ).on_market(quote())
    assert [StrategyFailed] == [type(one) for one in events]


def test_the_rehearsal_takes_every_leg():
    rehearsal = Rehearsal(Does(lambda ctx: None if ctx.orders(BTC) else ctx.basket(pair(ctx))), specs=SPECS)
    rehearsal.play([quote(at_ns=10), quote(at_ns=20)])
    (basket,) = rehearsal.intents
    assert all(type(leg) is OrderIntent for leg in basket.legs)
    assert {BTC: 1, ETH: 1} == {name: len(rehearsal.open_orders("rehearsal", name)) for name in (BTC, ETH)}
