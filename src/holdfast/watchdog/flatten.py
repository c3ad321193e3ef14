"""Out of every position that has limits: reduce-only, bounded in price, one order in flight, never past zero.

An exit is no larger than the position that was read after the last one was final, and can only reduce. Flat is
claimed when two reads, from both of the venue's sources where both answer, agree on zero with no exit undecided.
"""

from __future__ import annotations

import secrets
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from holdfast.ports.last_resort import Exit, Fate, Held, LastResort, LastResortFailed, Rules
from holdfast.watchdog.orders import Asks, Orders
from holdfast.watchdog.pause import Pause

PAUSE_S_MIN: Final = 0.1
PAUSE_S_MAX: Final = 8.0
OVER: Final = 1.25  # windows after which the venue takes an order no more
SPENT: Final = 3.0  # windows after which one that rests never is taken for spent
PPM: Final = 1_000_000
SOURCES: Final = 2
ABSENT_TIMES: Final = 2  # "no such order" is proof only once its window is over, and said twice


class Flatten:
    """One flatten of one account."""

    def __init__(self, venue: LastResort, orders: Orders, asks: Asks) -> None:
        self._venue = venue
        self._orders = orders
        self._asks = asks
        self._pause = Pause(s_min=orders.retry_s, s_max=max(orders.retry_s, PAUSE_S_MAX))
        self._rules: dict[str, Rules] = {}
        self._tag = secrets.token_hex(6)  # an id is never used twice, whoever starts us again
        self._sent = 0
        self._source = 0
        self._undecided: list[Exit] = []  # nobody could say what became of them
        self._left = "no position has been read"
        self._began_s = asks.now_s()
        self._told = False

    def run(self) -> str:
        """Until flat: "". Else what is left, and why we stopped."""
        zeros = 0
        before: tuple[Held, ...] = ()
        while self._asks.alone():
            held = self._read()
            if held is None:
                zeros = 0
                self._wait(self._pause.next_s())
                continue
            mine = [one for one in held if one.one_way and one.symbol in self._orders.limits]
            if held and not mine:
                return f"{_amounts(held)} has no limits here, or is one side of a hedge: close it by hand"
            if not mine:
                self._decide()
                zeros += 1
                if zeros >= SOURCES and not self._undecided:
                    return ""
                self._left = "zero was read, not yet twice" if zeros < SOURCES else "an exit is undecided"
                self._wait(self._orders.read_gap_s)
                continue
            zeros = 0
            self._left = f"{_amounts(held)} after {self._sent} exit orders"
            if held == before:  # nothing was sent, or nothing filled within the collar
                self._wait(self._pause.next_s())
            else:
                self._pause.again()
            before = held
            for one in mine:
                self._exit(one)
        return f"{self._left}; stopped: the bot shows signs of life, was armed again, or we are to end"

    def _wait(self, wait_s: float) -> None:
        if not self._told and self._asks.now_s() - self._began_s > self._orders.escalate_after_s:
            self._told = True
            self._asks.unresolved(f"not flat after {self._orders.escalate_after_s:g} s: {self._left}")
        self._asks.wait(wait_s)

    def _read(self) -> tuple[Held, ...] | None:
        """The positions, by the sources in turn; None where neither answers."""
        for _ in range(SOURCES):
            source, self._source = self._source, (self._source + 1) % SOURCES
            try:
                return self._venue.positions(source)
            except LastResortFailed as error:
                self._asks.say(f"positions: {error}")
        return None

    def _exit(self, held: Held) -> None:
        """One clip of one position, until it can fill no more; nothing where there is no plan, or we are not alone."""
        try:
            order = self._plan(held)
        except LastResortFailed as error:
            self._asks.say(f"exit of {held.symbol}: {error}")
            return
        if order is None:
            self._asks.say(f"{held.symbol}: {held.amount:f} is smaller than the venue's smallest step")
            return
        if not self._asks.alone():
            return
        self._sent += 1
        what = f"{'sell' if order.sell else 'buy'} {order.quantity:f} {order.symbol} within {order.price:f}"
        sent_s = self._asks.now_s()
        try:
            fate = self._venue.exit(order)
        except LastResortFailed as error:
            self._asks.say(f"exit: {what}: {error}; asking what became of it")
            fate = Fate.OPEN
        fate = self._follow(order, fate, sent_s)
        self._asks.say(f"exit: {what}: {fate.value}")

    def _follow(self, order: Exit, fate: Fate, sent_s: float) -> Fate:
        """Ask until it can fill no more. One that nobody speaks for past its window fills no more, but stays undecided.

        It was to fill at once or go: it never rests. What it did is in the position that is read next, so the way out
        does not hang on this question; the claim to be flat does.
        """
        absent = 0
        window_s = self._orders.exit_window_s
        pause = Pause(s_min=PAUSE_S_MIN, s_max=1.0)
        while fate is not Fate.FINAL:
            age_s = self._asks.now_s() - sent_s
            absent += fate is Fate.ABSENT and age_s > OVER * window_s
            if absent >= ABSENT_TIMES:
                return fate
            if age_s > SPENT * window_s:
                self._undecided.append(order)
                return fate
            if self._asks.wait(pause.next_s()):
                self._undecided.append(order)  # told to end: whoever comes next asks after it
                return fate
            fate = self._ask(order)
        return fate

    def _ask(self, order: Exit) -> Fate:
        try:
            return self._venue.fate(order)
        except LastResortFailed as error:
            self._asks.say(f"exit {order.client_id}: {error}")
            return Fate.OPEN

    def _decide(self) -> None:
        self._undecided = [one for one in self._undecided if self._ask(one) is Fate.OPEN]

    def _plan(self, held: Held) -> Exit | None:
        """The next clip; None for what is smaller than one step. Errors: LastResortFailed."""
        if held.symbol not in self._rules:
            self._rules = self._venue.rules()
        rules = self._rules.get(held.symbol)
        if rules is None:
            raise LastResortFailed("the venue has no such symbol")
        limits = self._orders.limits[held.symbol]
        sell = held.amount > 0
        quantity = _snap(min(abs(held.amount), limits.clip, rules.qty_max), rules.step, ROUND_FLOOR)
        if quantity <= 0:
            return None
        away = Decimal(-limits.collar_ppm if sell else limits.collar_ppm) / PPM
        bound = self._venue.reference(held.symbol) * (1 + away)
        return Exit(
            symbol=held.symbol,
            client_id=f"hfwd-{self._tag}-{self._sent}",
            sell=sell,
            quantity=quantity,
            # onto the tick that is nearer to the mark: never past the collar
            price=_snap(bound, rules.tick, ROUND_CEILING if sell else ROUND_FLOOR),
        )


def _snap(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (number / step).to_integral_value(rounding=rounding) * step


def _amounts(held: tuple[Held, ...]) -> str:
    return ", ".join(f"{one.symbol} {one.amount:f}" for one in held)
