"""What the watchdog does about a dead bot: say it, fence it, cancel, and look again until nothing is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from holdfast.guard.latch import trip_path
from holdfast.venues.binance.panic import PanicFailed


class Canceller(Protocol):
    """The client of last resort."""

    def offset_ms(self) -> int: ...
    def open_symbols(self, offset_ms: int) -> dict[str, int]: ...
    def cancel_all(self, symbol: str, offset_ms: int) -> None: ...


def fence(latch_path: str) -> str:
    """Trip the bot's latch: should it wake, no risk order of its leaves. Returns what was done."""
    try:
        nonce = trip_path(latch_path, by="watchdog", reason="the trading loop stopped renewing its lease")
    except OSError as error:
        return f"the latch could not be tripped ({error.strerror}); the lost lease still fences it"
    return f"latch tripped (nonce {nonce:016x})"


def cancel_everything(client: Canceller, say: Callable[[str], None]) -> bool:
    """One round: cancel what is open; True once the venue says that nothing plain is open any more.

    What stays (protective orders) is named. Errors are said and tried again in the next round.
    """
    try:
        offset = client.offset_ms()
        still = client.open_symbols(offset)
        for symbol in sorted(still):
            client.cancel_all(symbol, offset)
        left = client.open_symbols(offset)
    except PanicFailed as error:
        say(f"cancel: {error}; tried again")
        return False
    if left:
        say(f"still open: {left}")
    else:
        say("nothing is open at the venue")
    return not left or left == still
