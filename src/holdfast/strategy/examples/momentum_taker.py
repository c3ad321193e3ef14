"""Follows moves: a target position on closed bars, taken at the touch.

Shows history at the start, bars, target positions, and a state that survives a restart.
"""

from __future__ import annotations

from collections import deque

from holdfast.strategy.api import Context, Strategy
from holdfast.strategy.bars import Bar, BarSource
from holdfast.strategy.warmup import History
from holdfast.vocab.events import TargetIntent


class MomentumTaker(Strategy):
    """Long after ``bars`` closes that rose by ``enter_ppm`` together, short after as large a fall, flat when the
    move has gone by half. ``notional`` is the worth of the position in the quote asset.
    """

    bars_from = BarSource.QUOTES

    def __init__(
        self, *, bar_ms: int = 500, bars: int = 4, enter_ppm: int = 40, notional: int = 5_000
    ) -> None:
        if bars < 1 or enter_ppm < 1 or notional < 1:
            raise ValueError("bars, enter_ppm and notional must be at least 1")
        self.bars_ms = bar_ms
        self.history_bars = bars
        self._enter_ppm = enter_ppm
        self._bars = bars
        self._notional = notional
        self._closes: dict[str, deque[int]] = {}
        self._leaning: dict[str, int] = {}  # instrument to −1, 0 or 1

    def on_start(self, ctx: Context, history: History) -> None:
        for bar in history.bars:
            self._note(bar)

    def on_bar(self, ctx: Context, bar: Bar) -> TargetIntent | None:
        closes = self._note(bar)
        if len(closes) <= self._bars:
            return None
        moved_ppm = (closes[-1] - closes[0]) * 1_000_000 // closes[0]
        before = self._leaning.get(bar.instrument, 0)
        leaning = before
        if abs(moved_ppm) >= self._enter_ppm:
            leaning = 1 if moved_ppm > 0 else -1
        elif moved_ppm * before < self._enter_ppm // 2:
            leaning = 0
        if leaning == before and self._reached(ctx, bar.instrument, leaning):
            return None
        self._leaning[bar.instrument] = leaning
        spec = ctx.spec(bar.instrument)
        lots = self._notional * 10**8 // (bar.close_ticks * spec.tick_lot_e8)
        return ctx.target(bar.instrument, leaning * lots)

    def save(self) -> bytes:
        return ",".join(f"{name}={leaning}" for name, leaning in sorted(self._leaning.items())).encode()

    def load(self, state: bytes) -> None:
        pairs = (pair.partition("=") for pair in state.decode().split(",") if pair)
        self._leaning = {name: int(leaning) for name, _, leaning in pairs}

    def _reached(self, ctx: Context, instrument: str, leaning: int) -> bool:
        """Whether the position has the side we lean to: an immediate order may have filled in part or not at all."""
        position_lots = ctx.position_lots(instrument)
        return (position_lots > 0) - (position_lots < 0) == leaning

    def _note(self, bar: Bar) -> deque[int]:
        closes = self._closes.setdefault(bar.instrument, deque(maxlen=self._bars + 1))
        closes.append(bar.close_ticks)
        return closes
