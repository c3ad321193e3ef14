"""A moving-average bot, ported from an imperative ccxt loop: see docs/how-to/port-your-ccxt-bot.md.

Run this file to watch it trade one minute of a generated market in its head: no venue, no keys, no network.
"""

from collections import deque

from holdfast.strategy import Bar, BarSource, Context, History, Strategy
from holdfast.vocab.events import TargetIntent
from holdfast.vocab.facts import FillBooked


class AverageCross(Strategy):
    """Long while the fast average of closes is above the slow one, flat otherwise."""

    bars_from = BarSource.QUOTES

    def __init__(self, *, size: str = "0.01", bar_ms: int = 60_000, fast: int = 5, slow: int = 20) -> None:
        if not 0 < fast < slow:
            raise ValueError(f"fast ({fast}) must be at least 1 and below slow ({slow})")
        self.bars_ms = bar_ms
        self.history_bars = slow
        self.size = size
        self.fast, self.slow = fast, slow
        self.closes: dict[str, deque[int]] = {}

    def on_start(self, ctx: Context, history: History) -> None:
        for bar in history.bars:
            self.note(bar)

    def on_bar(self, ctx: Context, bar: Bar) -> TargetIntent | None:
        closes = self.note(bar)
        if len(closes) < self.slow:
            return None  # not warm yet
        fast_sum = sum(list(closes)[-self.fast :])
        # fast_sum / fast > slow_sum / slow, in integers
        rising = fast_sum * self.slow > sum(closes) * self.fast
        lots = ctx.lots(bar.instrument, self.size) if rising else 0
        if lots == ctx.position_lots(bar.instrument):
            return None
        return ctx.target(bar.instrument, lots)

    def on_fill(self, ctx: Context, fill: FillBooked) -> None:
        """Nothing to do: the position that ctx tells counts the fill already."""

    def note(self, bar: Bar) -> deque[int]:
        closes = self.closes.setdefault(bar.instrument, deque(maxlen=self.slow))
        closes.append(bar.close_ticks)
        return closes


def main() -> None:
    from holdfast.sim.sources import Generated, stamped
    from holdfast.strategy.rehearsal import Rehearsal

    source = Generated(seed=7, seconds=60)
    rehearsal = Rehearsal(AverageCross(bar_ms=500), specs=source.specs)
    rehearsal.play(
        stamped(frame.event, offset_ns=0, wall_ns=frame.recv_ns, mono_ns=frame.recv_ns)
        for frame in source.frames()
    )
    for fill in rehearsal.fills:
        print(f"{fill.side.name:4} {fill.qty_lots:4} lots {fill.instrument} at {fill.price_ticks} ticks")
    print(f"{len(rehearsal.intents)} intents, {len(rehearsal.fills)} fills {rehearsal.failure}".strip())


if __name__ == "__main__":
    main()
