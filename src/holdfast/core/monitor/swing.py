"""How far a market has moved within a window, and whether one moves or many do.

Told apart by speed and breadth. One instrument that moves by more than ``swing_max`` within ``swing_window`` is
volatile: sizes are halved there until it has calmed down. The same in one direction in at least ``crash_share`` of all
instruments (and in two) is a crash, which no strategy's history tells it what to do about: only exits, until a person.

The move is that of the newest middle against the highest and the lowest of the window. Highest and lowest are kept for
two halves, so a move counts for one to one and a half windows, never for less. Promises: a constant amount per
instrument, looked at by a timer and not per quote; nothing here survives a restart, and the hold does: it stands until
a whole window was looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.views import FAR_PAST_NS
from holdfast.vocab.units import PPM


@dataclass(slots=True, kw_only=True)
class Swing:
    """The extremes of one instrument's middle, in half ticks, of this half window and of the two before; 0: none."""

    since_mono_ns: int = FAR_PAST_NS
    begun_mono_ns: int | None = None  # when the first of an unbroken row of looks was
    lows: tuple[int, int, int] = (0, 0, 0)
    highs: tuple[int, int, int] = (0, 0, 0)
    # Until then ``look`` need not be asked of a middle between these: it has moved by no more than was allowed.
    calm_low: int = 1
    calm_high: int = 0
    calm_until_mono_ns: int = FAR_PAST_NS

    def look(self, mid2_ticks: int, *, now_mono_ns: int, window_ns: int, most_ppm: int = 0) -> int:
        """The move against the window's extreme, in ppm of it: a fall is negative. 0 where nothing is known.

        ``most_ppm``: what is no news: ``calm_…`` are set by it.
        """
        if mid2_ticks <= 0:
            return 0
        if now_mono_ns - self.since_mono_ns >= window_ns // 2:
            self._roll(mid2_ticks, now_mono_ns, window_ns // 2)
        low, second, third = self.lows
        if mid2_ticks < low:
            self.lows = (mid2_ticks, second, third)
            low = mid2_ticks
        if 0 < second < low:
            low = second
        if 0 < third < low:
            low = third
        high, second, third = self.highs
        if mid2_ticks > high:
            self.highs = (mid2_ticks, second, third)
            high = mid2_ticks
        if second > high:
            high = second
        if third > high:
            high = third
        # Whatever is between them has moved by no more than from one to the other.
        self.calm_low, self.calm_high = (low, high) if (high - low) * PPM <= most_ppm * low else (1, 0)
        self.calm_until_mono_ns = self.since_mono_ns + window_ns // 2
        fall = (high - mid2_ticks) * PPM // high
        rise = (mid2_ticks - low) * PPM // low
        return rise if rise > fall else -fall

    def whole(self, *, now_mono_ns: int, window_ns: int) -> bool:
        """Whether it was looked at for a window by now."""
        return self.begun_mono_ns is not None and now_mono_ns - self.begun_mono_ns >= window_ns

    def _roll(self, mid2_ticks: int, now_mono_ns: int, half_ns: int) -> None:
        """The next half window begins, or all of them do."""
        if now_mono_ns - self.since_mono_ns >= 3 * half_ns:
            self.lows = self.highs = (mid2_ticks, 0, 0)
            self.since_mono_ns = self.begun_mono_ns = now_mono_ns
        while now_mono_ns - self.since_mono_ns >= half_ns:
            self.lows = (mid2_ticks, *self.lows[:2])
            self.highs = (mid2_ticks, *self.highs[:2])
            self.since_mono_ns += half_ns


def crashing(falls: int, rises: int, *, instruments: int, share_ppm: int) -> bool:
    """Whether so many instruments moved too far in one direction that it is not one of them alone."""
    most = max(falls, rises)
    return most > 1 and most * PPM >= share_ppm * instruments
