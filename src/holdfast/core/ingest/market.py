"""What is known of each instrument's market, and whether it may be priced from.

An accepted event is returned for delivery to the strategies; a refused one is counted by reason and never
seen by them. Age is judged twice: by the venue's stamp against the tracked clock offset (a late frame is
refused), and by the time since the last accepted quote (the gate asks that at each order).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from holdfast.core.views import FAR_PAST_NS, MARK_AGE_NS_MAX
from holdfast.vocab.limits import InstrumentLimits, Timings
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, PPM

# A jump beyond the limit is believed once this many quotes in a row agree with it: a real gap is confirmed by
# the very next updates, a bad print is not.
JUMP_CONFIRMATIONS: Final = 3
_TWO_PPM: Final = 2 * PPM


# A slotted dataclass, not a Struct: each quote stores to it, and a store to a mutable Struct costs 70 ns, ten times
# as much. It is hashed as the same bytes.
@dataclass(slots=True, kw_only=True)
class Market:
    """One instrument's market. ``quote`` is the last accepted one, ``mid2_ticks`` the sum of its two prices."""

    instrument: str
    spread_ppm_max: int
    jump_ppm_max: int
    lag_ns_max: int  # largest accepted wall_ns - venue_ns: the age limit less the clock offset
    quote: Quote
    mid2_ticks: int = 0  # 0: no quote yet
    trade_seq: int = -1
    depth_seq: int = -1
    last_ticks: int = 0
    mark_ticks: int = 0
    funding_ppb: int = 0
    mark_mono_ns: int = FAR_PAST_NS
    moves_count: int = 0  # how often mid, mark or last changed
    jump_ticks: int = 0
    jump_count: int = 0
    jump_seq: int = -1
    quotes_count: int = 0
    trades_count: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def bid_ticks(self) -> int:
        """The best bid; 0: none known."""
        return self.quote.bid_ticks

    @property
    def ask_ticks(self) -> int:
        """The best offer; 0: none known."""
        return self.quote.ask_ticks

    @property
    def quote_mono_ns(self) -> int:
        """When the last accepted quote was received."""
        return self.quote.mono_ns

    def limit(self, *, spread_ppm_max: int, jump_ppm_max: int) -> None:
        """Judge by these limits from now on, the last quote too: one that they refuse is not priced from any more.

        What it said of prices still values what is held.
        """
        self.spread_ppm_max = spread_ppm_max
        self.jump_ppm_max = jump_ppm_max
        last = self.quote
        if (last.ask_ticks - last.bid_ticks) * _TWO_PPM > spread_ppm_max * (last.ask_ticks + last.bid_ticks):
            self.quote = Quote(
                last.instrument, last.seq, 0, 0, 0, 0, last.venue_ns, last.wall_ns, FAR_PAST_NS
            )

    def refuse(self, reason: str) -> None:
        """Count a refused event by its reason."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def price_ticks(self) -> int:
        """The price to value at: a mark that is not dead, else mid (rounded down), else last; 0: nothing known."""
        if self.mark_ticks and self.quote.mono_ns - self.mark_mono_ns <= MARK_AGE_NS_MAX:
            return self.mark_ticks
        return self.mid2_ticks >> 1 or self.last_ticks

    def worst_ticks(self) -> int:
        """The larger of mark, mid and last: for exposure."""
        return max(self.mark_ticks, (self.mid2_ticks + 1) >> 1, self.last_ticks)


def market_of(limits: InstrumentLimits, timings: Timings) -> Market:
    """A market of which nothing is known yet."""
    return Market(
        instrument=limits.instrument,
        spread_ppm_max=limits.spread_ppm_max,
        jump_ppm_max=limits.jump_ppm_max,
        lag_ns_max=timings.quote_age_ms_max * NS_PER_MS,
        quote=Quote(limits.instrument, -1, 0, 0, 0, 0, 0, 0, FAR_PAST_NS),
    )


def set_offset(market: Market, *, quote_age_ms_max: int, offset_ns: int) -> None:
    """Judge lateness against the venue's clock as now measured (venue time minus our wall time)."""
    market.lag_ns_max = quote_age_ms_max * NS_PER_MS - offset_ns


def renumber_quotes(market: Market) -> None:
    """The next quote may carry any number: another feed's, which counts by itself."""
    market.quote = msgspec.structs.replace(market.quote, seq=-1)
    market.jump_count = 0


def renumber_trades(market: Market) -> None:
    """The same of prints."""
    market.trade_seq = -1


def renumber_depth(market: Market) -> None:
    """The same of book updates."""
    market.depth_seq = -1


def take_quote(market: Market, quote: Quote) -> bool:
    """Accept a quote into the market, or count why not."""
    last = market.quote
    if quote.seq <= last.seq:
        market.refuse("repeated" if quote.seq == last.seq else "out_of_order")
        return False
    bid = quote.bid_ticks
    ask = quote.ask_ticks
    if bid >= ask or bid <= 0:
        market.refuse("crossed")
        return False
    if quote.bid_lots <= 0 or quote.ask_lots <= 0:
        market.refuse("empty_size")
        return False
    if quote.wall_ns - quote.venue_ns > market.lag_ns_max:
        market.refuse("late")
        return False
    # most quotes change a size and no price: their spread is known, and they cannot jump
    if bid != last.bid_ticks or ask != last.ask_ticks:
        total = bid + ask
        if (ask - bid) * _TWO_PPM > market.spread_ppm_max * total:
            market.refuse("wide_spread")
            return False
        known = market.mid2_ticks
        if known and abs(total - known) * PPM > market.jump_ppm_max * known:
            if not _confirmed(market, total, quote.seq):
                market.refuse("jump")
                return False
        elif market.jump_count:
            market.jump_count = 0  # back at the old level: what disagreed was not in a row
        market.mid2_ticks = total
        market.moves_count += 1
    elif market.jump_count:
        market.jump_count = 0
    market.quote = quote
    market.quotes_count += 1
    return True


def _confirmed(market: Market, total: int, seq: int) -> bool:
    """Whether enough quotes in a row agree on the new level. The same quote again confirms nothing."""
    candidate = market.jump_ticks
    if not market.jump_count or abs(total - candidate) * PPM > market.jump_ppm_max * candidate:
        market.jump_count = 1
    elif seq > market.jump_seq:
        market.jump_count += 1
    else:
        return False
    market.jump_seq = seq
    market.jump_ticks = total
    if market.jump_count < JUMP_CONFIRMATIONS:
        return False
    market.jump_ticks = 0
    market.jump_count = 0
    return True


def take_trade(market: Market, trade: Trade) -> bool:
    """Accept a print. One outside the market (insurance fund…) is refused: it moves no last price."""
    if trade.seq <= market.trade_seq:
        market.refuse("trade_repeated" if trade.seq == market.trade_seq else "trade_out_of_order")
        return False
    if trade.price_ticks <= 0 or trade.qty_lots <= 0:
        market.refuse("trade_empty")
        return False
    market.trade_seq = trade.seq
    if not trade.market:
        market.refuse("trade_outside_market")
        return False
    if trade.wall_ns - trade.venue_ns > market.lag_ns_max:
        market.refuse("trade_late")
        return False
    if trade.price_ticks != market.last_ticks:
        market.last_ticks = trade.price_ticks
        market.moves_count += 1
    market.trades_count += 1
    return True


def take_mark(market: Market, mark: Mark) -> bool:
    """Accept a mark price unless it is late or absurd against the mid (one disputed source must not decide)."""
    if mark.mark_ticks <= 0 or mark.wall_ns - mark.venue_ns > market.lag_ns_max:
        market.refuse("mark_late" if mark.mark_ticks > 0 else "mark_empty")
        return False
    mid2 = market.mid2_ticks
    if mid2 and abs(2 * mark.mark_ticks - mid2) * PPM > market.jump_ppm_max * mid2:
        market.refuse("mark_disputed")
        return False
    if mark.mark_ticks != market.mark_ticks:
        market.mark_ticks = mark.mark_ticks
        market.moves_count += 1
    market.funding_ppb = mark.funding_ppb
    market.mark_mono_ns = mark.mono_ns
    return True


def take_depth(market: Market, depth: Depth) -> bool:
    """Accept a book update that follows on the last one; a gap is counted."""
    if not depth.snapshot and market.depth_seq >= 0 and depth.seq <= market.depth_seq:
        market.refuse("depth_repeated")
        return False
    if not depth.snapshot and market.depth_seq >= 0 and depth.seq_prev not in (0, market.depth_seq):
        market.refuse("depth_gap")
    market.depth_seq = depth.seq
    return True
