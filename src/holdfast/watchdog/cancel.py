"""List, cancel, list again, until the venue shows none: the venue's list decides, not our memory of what we sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from holdfast.ports.last_resort import LastResort, LastResortFailed, OpenOrder
from holdfast.watchdog.orders import Asks, Orders
from holdfast.watchdog.pause import Pause

AT_ONCE_MAX: Final = 8
PAUSE_S_MIN: Final = 0.1
PAUSE_S_MAX: Final = 2.5  # a list weighs 80 of the 2,400 that Binance permits in a minute
NAMED_MAX: Final = 10


def cancel_all(venue: LastResort, orders: Orders, asks: Asks, *, keep_protective: bool) -> str:
    """Cancel every order of the account. "" once two lists agree that none is left; else what is, and why we stopped.

    An empty list counts only when asked after everything signed before the fence has lost its window: what was on its
    way when the bot died may arrive after a first list.
    """
    began_s = asks.now_s()
    pause = Pause(s_min=PAUSE_S_MIN, s_max=PAUSE_S_MAX)
    left = "the venue has not been heard"
    fewest = empty = 0
    told = False
    while True:
        if not asks.fenced():
            return f"{left}; stopped: the bot was armed again, or we are to end"
        asked_s = asks.now_s()
        try:
            found = venue.open_orders()
        except LastResortFailed as error:
            left, wait_s = str(error), pause.next_s()
            asks.say(f"list: {error}; tried again in {wait_s:g} s")
        else:
            open_now = [one for one in found if not (keep_protective and one.conditional and one.reduces)]
            if not open_now:
                empty += asked_s >= began_s + orders.window_s
                if empty >= 2:
                    return ""
                left, wait_s = "the venue has shown an empty list, not yet twice", orders.read_gap_s
            else:
                if len(open_now) < fewest:
                    pause.again()
                fewest, empty = len(open_now), 0
                left, wait_s = _named(open_now), pause.next_s()
                _cancel(venue, open_now, asks, whole=len(open_now) == len(found))
        if not told and asks.now_s() - began_s > orders.escalate_after_s:
            told = True
            asks.unresolved(f"not cancelled after {orders.escalate_after_s:g} s: {left}")
        asks.wait(wait_s)


def _cancel(venue: LastResort, found: list[OpenOrder], asks: Asks, *, whole: bool) -> None:
    """Ask for every one once. Plain orders go by symbol; conditional ones too, where none of them is to stay."""
    by_symbol = sorted({(one.symbol, one.conditional) for one in found if whole or not one.conditional})
    singly = [] if whole else [one for one in found if one.conditional]

    def symbol(symbol: str, conditional: bool) -> None:  # noqa: FBT001 - the pair that was sorted
        venue.cancel_symbol(symbol, conditional=conditional)

    with ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="cancel") as pool:
        asked = {
            **{pool.submit(symbol, *pair): pair[0] for pair in by_symbol},
            **{pool.submit(venue.cancel_one, one): f"{one.symbol} {one.order_id}" for one in singly},
        }
        for future, what in asked.items():
            try:
                future.result()
            except LastResortFailed as error:
                asks.say(f"cancel {what}: {error}")


def _named(found: list[OpenOrder]) -> str:
    names = [f"{one.symbol} {'conditional ' if one.conditional else ''}order {one.order_id}" for one in found]
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return f"{len(names)} open: {', '.join(names[:NAMED_MAX])}{more}"
