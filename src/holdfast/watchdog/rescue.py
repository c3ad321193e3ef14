"""What is done for a bot that is dead and fenced: cancel, and where told to, get flat. One claim at the end."""

from __future__ import annotations

from holdfast.ports.last_resort import LastResort
from holdfast.watchdog.cancel import cancel_all
from holdfast.watchdog.flatten import Flatten
from holdfast.watchdog.orders import Asks, Orders, Policy


def rescue(venue: LastResort | None, orders: Orders, asks: Asks) -> str:
    """Carry the orders out; returns the outcome in one line. Goes on until done, told to end, or not fenced."""
    if orders.policy is Policy.PAGE or venue is None:
        return "fenced; nothing was cancelled"
    left = cancel_all(venue, orders, asks, keep_protective=orders.keep_protective)
    if left:
        return f"not everything is cancelled: {left}"
    if orders.policy is Policy.CANCEL:
        return "cancelled: two lists of the venue agree that nothing is open" + (
            " but what protects" if orders.keep_protective else ""
        )
    left = Flatten(venue, orders, asks).run()
    if left:
        return f"cancelled, and not flat: {left}"
    left = cancel_all(venue, orders, asks, keep_protective=False)
    if left:
        return f"flat, and not everything is cancelled: {left}"
    return "flat: every exit final, two venue reads agree on zero, and nothing is open"
