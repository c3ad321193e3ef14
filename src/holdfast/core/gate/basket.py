"""Baskets: what the gate reads, copied, with every leg of a basket counted in it.

Beside being judged by itself, each leg is judged as if all the others had been let through just before it. So each sum
is that of all of them together, and the order of the legs decides nothing but which refusal is told. Promises: what
other orders are judged by does not change here; what a basket costs grows with its legs and not with the orders that
are open.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Final, TypeAlias

from holdfast.core.gate.checks import first_refusal
from holdfast.core.gate.desk import Desk
from holdfast.core.gate.exposure import GroupSum
from holdfast.core.gate.flow_checks import suppose
from holdfast.core.gate.resting import Resting
from holdfast.vocab.events import OrderIntent
from holdfast.vocab.orders import Side
from holdfast.vocab.refusals import Refusal

Leg: TypeAlias = tuple[OrderIntent, Desk]
_BUY: Final = Side.BUY


class Together:
    """All legs of one strategy's basket, counted in copies of the rows that their desks share."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._legs = legs
        self._account = account = copy(legs[0][1].account)
        account.day, account.net = copy(account.day), copy(account.net)
        self._groups: dict[int, GroupSum] = {}
        self._desks: dict[str, Desk] = {}
        for intent, desk in legs:
            if intent.instrument not in self._desks:
                self._desks[intent.instrument] = self._copied(desk)
            self._count(intent, 1)

    def _copied(self, desk: Desk) -> Desk:
        trial = copy(desk)
        trial.account = self._account
        trial.my_open, trial.all_open = copy(desk.my_open), copy(desk.all_open)
        trial.exposure = exposure = copy(desk.exposure)
        exposure.open_lots = trial.all_open
        exposure.net = self._account.net
        exposure.group = self._groups.setdefault(id(exposure.group), copy(exposure.group))
        return trial

    def _count(self, intent: OrderIntent, sign: int) -> None:
        """As the books count an order that was let through; below zero: no more."""
        trial = self._desks[intent.instrument]
        lots = sign * intent.qty_lots
        protective_lots = 0 if intent.trigger_ticks is None else lots
        for rows in (trial.my_open, trial.all_open):
            if intent.side is _BUY:
                rows.buy_lots += lots
                rows.protective_buy_lots += protective_lots
            else:
                rows.sell_lots += lots
                rows.protective_sell_lots += protective_lots
        account = self._account
        account.gross_e8 += trial.exposure.recount()
        account.open_orders_count += sign
        account.day.orders_count += sign

    def refusal_of(self, number: int) -> Refusal | None:
        """Why this leg may not be the last of them; None where it may."""
        intent, desk = self._legs[number]
        trial = self._desks[intent.instrument]
        others = [leg for index, (leg, _) in enumerate(self._legs) if index != number]
        here = [leg for leg in others if leg.instrument == intent.instrument]
        trial.resting = _resting(desk.resting, here)
        trial.last_intent_seq = max(
            desk.last_intent_seq,
            *(leg.intent_seq for leg, _ in self._legs[:number] if leg.instrument == intent.instrument),
            0,
        )
        if desk.account.duplicate_window_ns:
            trial.recent = desk.recent | {
                (leg.side, leg.price_ticks or 0, leg.qty_lots): leg.mono_ns for leg in here
            }
        if intent.child_of is not None:
            trial.parents = desk.parents.supposing(others)
        trial.flow, trial.group_flows = desk.flow, desk.group_flows
        suppose(intent, trial, [(leg, self._desks[leg.instrument]) for leg in others])
        self._count(intent, -1)
        refusal = first_refusal(intent, trial)
        self._count(intent, 1)
        return refusal


def _resting(resting: Resting, legs: Sequence[OrderIntent]) -> Resting:
    """The best own prices, with those of the other legs."""
    best = Resting()
    best.bid_ticks, best.ask_ticks = resting.bid_ticks, resting.ask_ticks
    for leg in legs:
        if leg.price_ticks is not None:
            best.send(leg.intent_seq, leg.side, leg.price_ticks)
    return best
