"""What is known of each instrument's market, and whether it may be priced from.

An accepted event is returned for delivery to the strategies; a refused one is counted by reason and never
seen by them. Age is judged twice: by the venue's stamp against the tracked clock offset (a frame too late or too
early is refused, and nothing is clamped), and by the time since the last accepted quote (the gate asks that at each
order).

Jumps are judged by a range round the median of the last second's levels, five of a fifth each, and by what other
sources say: their limits are folded into one range, so that most quotes are held against two numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from holdfast.core.ingest.corporate import OFF_SCALE, SCALE_TIMES_MAX, SPLIT_UNAPPLIED
from holdfast.core.views import FAR_PAST_NS, MARK_AGE_NS_MAX
from holdfast.vocab.corporate import Ratio, SplitDue
from holdfast.vocab.facts import SeenUpTo
from holdfast.vocab.limits import InstrumentLimits, Timings
from holdfast.vocab.market import Mark, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, NS_PER_S, PPM, ceil_div

# A jump beyond the limit is believed once this many quotes in a row agree with it: a real gap is confirmed by
# the very next updates, a bad print is not.
JUMP_CONFIRMATIONS: Final = 3
# So many marks in a row that the mid disputes are no bad print: one of the two is wrong, and nobody can tell which.
DISPUTED_MARKS: Final = 3
# So many events in a row and for so long, lower in number than the last and yet later: the venue counts anew, or that
# one was absurd. What an old connection still repeats beside a new one is over sooner.
ANEW_CONFIRMATIONS: Final = 3
ANEW_AFTER_NS: Final = NS_PER_S
LEVELS_MAX: Final = 5
LEVEL_EVERY_NS: Final = 200 * NS_PER_MS
REFERENCE_AGE_NS_MAX: Final = MARK_AGE_NS_MAX  # another source that was silent for longer says nothing
REFERENCES_MAX: Final = 8
REFUSED_HALF_NS: Final = 5 * NS_PER_S  # what was refused is a share of the last five to ten seconds
NEVER_NS: Final = 1 << 62
_TWO_PPM: Final = 2 * PPM
_ANY_HIGH: Final = 1 << 62
# What two feeds of one stream, or a print that is none, bring by themselves: counted, and no sign of bad data.
EXPECTED: Final = frozenset(
    {
        "repeated",
        "out_of_order",
        "trade_repeated",
        "trade_out_of_order",
        "trade_outside_market",
        "depth_repeated",
    }
)


@dataclass(slots=True)
class Anew:
    """Events in a row that are lower in number than the last accepted one, and later by the venue's time."""

    count: int = 0
    seq: int = -1
    since_mono_ns: int = FAR_PAST_NS
    accepted_count: int = -1  # before the first of them
    times_count: int = 0  # how often numbers began anew, and nobody was told yet

    def confirms(self, event: Quote | Trade, *, later: bool, accepted_count: int) -> bool:
        """Whether one more of them shows that the numbers began anew. The same event again shows nothing."""
        if self.accepted_count != accepted_count:
            self.accepted_count = accepted_count
            self.count = 0
        if not later:
            return False
        if not self.count or event.seq < self.seq:
            self.count = 1
            self.since_mono_ns = event.mono_ns
        elif event.seq > self.seq:
            self.count += 1
        self.seq = event.seq
        return self.count >= ANEW_CONFIRMATIONS and event.mono_ns - self.since_mono_ns >= ANEW_AFTER_NS


class _AtEachQuote:
    """What each quote touches, side by side in memory: with thousands of instruments, fetching it is what costs."""

    __slots__ = (
        "high2_ticks",
        "lag_ns_max",
        "lag_ns_min",
        "level_due_mono_ns",
        "low2_ticks",
        "mark_mono_ns",
        "mid2_ticks",
        "moves_count",
        "quote",
        "quotes_count",
        "spread_ticks_fine",
    )


# A slotted dataclass, not a Struct: each quote stores to it, and a store to a mutable Struct costs 70 ns, ten times
# as much. It is hashed as the same bytes.
@dataclass(slots=True, kw_only=True)
class Market(_AtEachQuote):
    """One instrument's market. ``quote`` is the last accepted one, ``mid2_ticks`` the sum of its two prices.

    ``low2_ticks`` … ``high2_ticks``: sums of bid and ask that are accepted without further ado. ``levels``: sums
    that stood at the end of each fifth of a second, the newest last. ``references``: what other sources say (the sum
    of their two prices), and when they said it.
    """

    instrument: str
    spread_ppm_max: int
    jump_ppm_max: int
    lag_ns_min: (
        int  # how far ahead of us a venue's stamp may be: nothing is known before the clock is measured
    )
    lag_ns_max: int  # largest accepted wall_ns - venue_ns: the age limit less the clock offset
    quote: Quote
    mid2_ticks: int = 0  # 0: no quote yet
    low2_ticks: int = 0
    high2_ticks: int = _ANY_HIGH
    spread_ticks_fine: int = 0  # not wide at any price of that range
    levels: list[int] = field(default_factory=list)
    level_due_mono_ns: int = FAR_PAST_NS
    references: dict[str, tuple[int, int]] = field(default_factory=dict)
    trade_seq: int = -1
    trade_venue_ns: int = -1
    resumed_trade_seq: int = -1  # the last print of the life before, until this life's first
    missed_trades_count: int = -1  # between those two; -1: not known
    watched: bool = False  # prints need another look: at their scale, or as the first since a start
    last_ticks: int = 0
    mark_ticks: int = 0
    funding_ppb: int = 0
    mark_mono_ns: int = FAR_PAST_NS
    quote_age_ns_max: int = 0  # a mid older than this disputes no mark for long
    disputed_ticks: int = 0  # the last mark that a live mid disputes, once there are enough in a row; 0: none
    disputed_mono_ns: int = FAR_PAST_NS
    disputed_venue_ns: int = -1
    disputed_count: int = 0  # in a row
    quotes_anew: Anew = field(default_factory=Anew)
    trades_anew: Anew = field(default_factory=Anew)
    moves_count: int = 0  # how often mid, mark or last changed
    jump_ticks: int = 0
    jump_count: int = 0
    jump_seq: int = -1
    jump_quotes_count: int = 0  # accepted before the quotes that disagree
    quotes_count: int = 0
    trades_count: int = 0
    depths_count: int = 0  # changes and snapshots of its book that came
    bad_count: int = 0  # refused for another reason than the expected ones
    clock_count: int = 0  # refused for being late or early
    refused: dict[str, int] = field(default_factory=dict)
    refused_why: str = ""  # the last one
    splits: list[SplitDue] = field(default_factory=list)  # that are still to come, the next one first
    split_venue_ns: int = NEVER_NS  # when the next one comes
    split_due: bool = False  # it came and was not applied: nothing is priced
    scaled: bool = False  # its splits are known of: then nothing halves or doubles without one
    # Whether the next sweep has something to look at here: with thousands of instruments most have nothing.
    noted: bool = False
    # what had come and what of it was bad when this half of the window began, and the half before it
    half: tuple[int, int] = (0, 0)
    half_before: tuple[int, int] = (0, 0)

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
        _set_range(self)
        last = self.quote
        if (last.ask_ticks - last.bid_ticks) * _TWO_PPM > spread_ppm_max * (last.ask_ticks + last.bid_ticks):
            self._unquote()

    def _unquote(self) -> None:
        """Price from the last quote no more; its number still counts."""
        last = self.quote
        self.quote = Quote(last.instrument, last.seq, 0, 0, 0, 0, last.venue_ns, last.wall_ns, FAR_PAST_NS)

    def refuse(self, reason: str) -> None:
        """Count a refused event by its reason."""
        self.noted = True
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self.refused_why = reason
        if reason not in EXPECTED:
            self.bad_count += 1

    def price_ticks(self) -> int:
        """The price to value at: a mark that is not dead, else mid (rounded down), else last; 0: nothing known."""
        if self.mark_ticks and self.quote.mono_ns - self.mark_mono_ns <= MARK_AGE_NS_MAX:
            return self.mark_ticks
        return self.mid2_ticks >> 1 or self.last_ticks

    def settle_dispute(self, now_mono_ns: int) -> bool:
        """Whether marks and mid are at odds. A disputed mark that is dead says nothing, as any dead mark does."""
        if self.disputed_ticks and now_mono_ns - self.disputed_mono_ns > MARK_AGE_NS_MAX:
            self.disputed_ticks = self.disputed_count = 0
        return self.disputed_ticks > 0

    def resume(self, seen: SeenUpTo) -> None:
        """Take nothing twice that a life before has seen."""
        self.quote = Quote(self.instrument, seen.quote_seq, 0, 0, 0, 0, seen.quote_venue_ns, 0, FAR_PAST_NS)
        self.trade_seq = self.resumed_trade_seq = seen.trade_seq
        self.trade_venue_ns = seen.trade_venue_ns
        self.watched = True

    def seen_up_to(self) -> SeenUpTo:
        """What ``resume`` takes in the next life."""
        return SeenUpTo(
            instrument=self.instrument,
            quote_seq=self.quote.seq,
            quote_venue_ns=self.quote.venue_ns,
            trade_seq=self.trade_seq,
            trade_venue_ns=self.trade_venue_ns,
        )

    # --- corporate actions ------------------------------------------------------------------------------------

    def expect_splits(self, splits: list[SplitDue]) -> None:
        """These scale changes are to come, the next one first."""
        self.splits = splits
        self.scaled = self.watched = self.noted = True
        self.split_venue_ns = splits[0].from_venue_ns if splits else NEVER_NS

    def split_comes(self) -> None:
        """The next split's day has begun: nothing is priced until it is applied."""
        if self.splits[0].applied:
            self.apply_split()
            return
        self.split_due = True
        self._unquote()
        _set_range(self)

    def apply_split(self) -> None:
        """The split was applied to everything that is counted in this scale: go on in the new one."""
        done = self.splits.pop(0)
        ratio = Ratio(done.up, done.down)
        self.split_due = False
        self.split_venue_ns = self.splits[0].from_venue_ns if self.splits else NEVER_NS
        self.levels = [ratio.of(level) for level in self.levels]
        self.mid2_ticks = ratio.of(self.mid2_ticks)
        self.last_ticks = ratio.of(self.last_ticks)
        self.mark_ticks = self.disputed_ticks = self.disputed_count = 0
        self.moves_count += 1
        self.references = {}
        self.jump_count = 0
        _set_range(self)


def market_of(limits: InstrumentLimits, timings: Timings) -> Market:
    """A market of which nothing is known yet."""
    return Market(
        instrument=limits.instrument,
        spread_ppm_max=limits.spread_ppm_max,
        jump_ppm_max=limits.jump_ppm_max,
        lag_ns_min=FAR_PAST_NS,
        lag_ns_max=timings.quote_age_ms_max * NS_PER_MS,
        quote_age_ns_max=timings.quote_age_ms_max * NS_PER_MS,
        quote=Quote(limits.instrument, -1, 0, 0, 0, 0, 0, 0, FAR_PAST_NS),
    )


def set_offset(markets: Iterable[Market], *, quote_age_ms_max: int, offset_ns: int) -> None:
    """Judge lateness against the venue's clock as now measured (venue time minus our wall time)."""
    age_ns = quote_age_ms_max * NS_PER_MS
    lag_ns_min, lag_ns_max = -age_ns - offset_ns, age_ns - offset_ns
    for market in markets:  # the same objects in all: they stay in the cache
        market.lag_ns_min = lag_ns_min
        market.lag_ns_max = lag_ns_max
        market.quote_age_ns_max = age_ns


def renumber_quotes(market: Market) -> None:
    """The next quote may carry any number: another feed's, which counts by itself."""
    market.quote = msgspec.structs.replace(market.quote, seq=-1)
    market.jump_count = 0


def renumber_trades(market: Market) -> None:
    """The same of prints."""
    market.trade_seq = -1


def take_quote(market: Market, quote: Quote) -> bool:
    """Accept a quote into the market, or count why not."""
    last = market.quote
    # the first since a start, lower and yet later: the venue began to count anew
    if quote.seq <= last.seq and (market.quotes_count or quote.venue_ns <= last.venue_ns):
        later = quote.seq < last.seq and quote.venue_ns > last.venue_ns and _on_time(market, quote)
        if not market.quotes_anew.confirms(quote, later=later, accepted_count=market.quotes_count):
            market.refuse("repeated" if quote.seq == last.seq else "out_of_order")
            return False
        market.quotes_anew.times_count += 1
        market.noted = True
        renumber_quotes(market)
        last = market.quote
    bid = quote.bid_ticks
    ask = quote.ask_ticks
    if bid >= ask or bid <= 0:
        market.refuse("crossed")
        return False
    if quote.bid_lots <= 0 or quote.ask_lots <= 0:
        market.refuse("empty_size")
        return False
    if not market.lag_ns_min <= quote.wall_ns - quote.venue_ns <= market.lag_ns_max:
        _off_time(market, quote, "")
        return False
    # most quotes change a size and no price: their spread is known, and they cannot jump
    if bid != last.bid_ticks or ask != last.ask_ticks:
        total = bid + ask
        if (
            ask - bid > market.spread_ticks_fine
            or not market.low2_ticks <= total <= market.high2_ticks
            or quote.mono_ns >= market.level_due_mono_ns
        ) and not _at_a_level(market, quote, total):
            return False
        market.mid2_ticks = total
        market.moves_count += 1
    market.quote = quote
    market.quotes_count += 1
    return True


def _on_time(market: Market, event: Quote | Trade) -> bool:
    return market.lag_ns_min <= event.wall_ns - event.venue_ns <= market.lag_ns_max


def _off_time(market: Market, event: Quote | Trade | Mark, prefix: str) -> None:
    market.clock_count += 1
    late = event.wall_ns - event.venue_ns > market.lag_ns_max
    market.refuse(prefix + ("late" if late else "early"))


def _at_a_level(market: Market, quote: Quote, total: int) -> bool:
    """Judge a quote of a spread that may be wide, outside the range, or when another level is due to be kept. False:
    it was refused.
    """
    if (quote.ask_ticks - quote.bid_ticks) * _TWO_PPM > market.spread_ppm_max * total:
        market.refuse("wide_spread")
        return False
    if quote.mono_ns < market.level_due_mono_ns and market.low2_ticks <= total <= market.high2_ticks:
        return True
    while quote.venue_ns >= market.split_venue_ns and not market.split_due:
        market.split_comes()
    if market.split_due:
        market.refuse(SPLIT_UNAPPLIED)
        return False
    now = quote.mono_ns
    if market.references:
        _forget_references(market, now)
    if now >= market.level_due_mono_ns:
        _keep_levels(market, now)
    if market.low2_ticks <= total <= market.high2_ticks:
        if not market.levels:
            _begin_levels(market, total, now)
        return True
    known = _median(market.levels)
    if market.scaled and known and not known <= total * SCALE_TIMES_MAX <= known * SCALE_TIMES_MAX**2:
        market.refuse(OFF_SCALE)
        return False
    if not _others_agree(market, total):
        market.refuse("cross_source")
        return False
    if not _confirmed(market, total, quote.seq):
        market.refuse("jump")
        return False
    _begin_levels(market, total, now)
    return True


def _confirmed(market: Market, total: int, seq: int) -> bool:
    """Whether enough quotes in a row agree on the new level. The same quote again confirms nothing."""
    if market.jump_quotes_count != market.quotes_count:
        market.jump_count = 0  # one was accepted since: what disagreed was not in a row
        market.jump_quotes_count = market.quotes_count
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


def _keep_levels(market: Market, now_mono_ns: int) -> None:
    """What was the price until now counts for as long as it stood: a price of one moment is no level yet."""
    if market.mid2_ticks and market.levels:
        stood = 1 + (now_mono_ns - market.level_due_mono_ns) // LEVEL_EVERY_NS
        market.levels = (market.levels + [market.mid2_ticks] * min(stood, LEVELS_MAX))[-LEVELS_MAX:]
    market.level_due_mono_ns = now_mono_ns + LEVEL_EVERY_NS
    _set_range(market)


def _begin_levels(market: Market, total: int, now_mono_ns: int) -> None:
    market.levels = [total]
    market.level_due_mono_ns = now_mono_ns + LEVEL_EVERY_NS
    _set_range(market)


def _median(levels: list[int]) -> int:
    """0 where there are none."""
    return sorted(levels)[len(levels) // 2] if levels else 0


def _set_range(market: Market) -> None:
    """Fold what limits the next price into two numbers: recent levels, other sources, a split that is due."""
    if market.split_due:
        market.low2_ticks, market.high2_ticks, market.spread_ticks_fine = 1, 0, 0
        return
    jump_ppm = market.jump_ppm_max
    known = _median(market.levels)
    if known and not market.references:  # nearly always, and five times a second for each instrument
        market.low2_ticks = low = -(-known * (PPM - jump_ppm) // PPM)  # rounded up
        market.high2_ticks = known * (PPM + jump_ppm) // PPM
        market.spread_ticks_fine = market.spread_ppm_max * low // _TWO_PPM
        return
    low, high = 0, _ANY_HIGH
    for centre in (*((known,) if known else ()), *(total for total, _ in market.references.values())):
        low = max(low, ceil_div(centre * (PPM - jump_ppm), PPM))
        high = min(high, centre * (PPM + jump_ppm) // PPM)
    if market.scaled and not known and market.last_ticks:
        low = max(low, 2 * market.last_ticks // SCALE_TIMES_MAX)
        high = min(high, 2 * market.last_ticks * SCALE_TIMES_MAX)
    market.low2_ticks, market.high2_ticks = low, high
    market.spread_ticks_fine = market.spread_ppm_max * low // _TWO_PPM


def _counts(market: Market) -> tuple[int, int]:
    return market.quotes_count + market.trades_count + market.bad_count, market.bad_count


def refused_lately(market: Market) -> tuple[int, int]:
    """(bad, all) of the events of this half of the window and of the one before; see ``REFUSED_HALF_NS``."""
    seen, bad = _counts(market)
    seen_before, bad_before = market.half_before
    return bad - bad_before, seen - seen_before


def next_half(market: Market) -> None:
    """Half of the window is over: what came before the last half is forgotten."""
    market.half_before = market.half
    market.half = _counts(market)


# --- other sources ------------------------------------------------------------------------------------------------


def take_reference(market: Market, source: str, *, mid2_ticks: int, mono_ns: int) -> None:
    """What another source says of this market: the sum of its bid and ask, in our ticks. Above zero.

    A quote further from it than the jump limit is refused, however many agree with it, until the source is silent
    for ten seconds or comes along. At most eight sources are listened to.
    """
    if source not in market.references and len(market.references) >= REFERENCES_MAX:
        return
    market.references[source] = (mid2_ticks, mono_ns)
    _set_range(market)


def _forget_references(market: Market, now_mono_ns: int) -> None:
    dead = [name for name, (_, at) in market.references.items() if now_mono_ns - at > REFERENCE_AGE_NS_MAX]
    for name in dead:
        del market.references[name]
    if dead:
        _set_range(market)


def _others_agree(market: Market, total: int) -> bool:
    return all(
        abs(total - other) * PPM <= market.jump_ppm_max * other for other, _ in market.references.values()
    )


# --- prints and marks ---------------------------------------------------------------------------------------------


def take_trade(market: Market, trade: Trade) -> bool:
    """Accept a print. One outside the market (insurance fund…) is refused: it moves no last price."""
    if trade.seq <= market.trade_seq:
        if market.trades_count or trade.venue_ns <= market.trade_venue_ns:
            later = (
                trade.seq < market.trade_seq
                and trade.venue_ns > market.trade_venue_ns
                and _on_time(market, trade)
            )
            if not market.trades_anew.confirms(trade, later=later, accepted_count=market.trades_count):
                market.refuse("trade_repeated" if trade.seq == market.trade_seq else "trade_out_of_order")
                return False
            market.trades_anew.times_count += 1
            market.noted = True
            renumber_trades(market)
        market.resumed_trade_seq = -1
    price = trade.price_ticks
    if price <= 0 or trade.qty_lots <= 0:
        market.refuse("trade_empty")
        return False
    if not trade.market:
        market.refuse("trade_outside_market")
        return False
    if not market.lag_ns_min <= trade.wall_ns - trade.venue_ns <= market.lag_ns_max:
        _off_time(market, trade, "trade_")
        return False
    if market.watched:
        _look_closer(market, trade)
    if not market.low2_ticks <= 2 * price <= market.high2_ticks and not _printable(market, trade):
        return False
    market.trade_seq = trade.seq
    if price != market.last_ticks:
        market.last_ticks = price
        market.moves_count += 1
    market.trade_venue_ns = trade.venue_ns
    market.trades_count += 1
    return True


def _look_closer(market: Market, trade: Trade) -> None:
    """The first print since a start tells what was missed; where splits are known of, each is looked at."""
    if market.resumed_trade_seq >= 0:
        market.missed_trades_count = max(0, trade.seq - market.resumed_trade_seq - 1)
        market.noted = True
        market.resumed_trade_seq = -1
        market.watched = market.scaled
    if not market.scaled:
        return
    while trade.venue_ns >= market.split_venue_ns and not market.split_due:
        market.split_comes()
    if not market.levels:
        _set_range(market)  # where only prints come they alone tell the scale


def _printable(market: Market, trade: Trade) -> bool:
    """Judge a print outside the range. Where quotes are live they say where the market is: one print does not."""
    if market.split_due:
        market.refuse(SPLIT_UNAPPLIED)
        return False
    total = 2 * trade.price_ticks
    known = _median(market.levels) or 2 * market.last_ticks
    if market.scaled and known and not known <= total * SCALE_TIMES_MAX <= known * SCALE_TIMES_MAX**2:
        market.refuse(OFF_SCALE)
        return False
    if trade.mono_ns - market.quote.mono_ns <= MARK_AGE_NS_MAX:
        market.refuse("trade_jump")
        return False
    return True


def take_mark(market: Market, mark: Mark) -> bool:
    """Accept a mark price unless it is late or absurd against the mid (one disputed source must not decide).

    Where the mid is old, a few in a row are believed. Where it is live, the last of them stands beside it as
    ``disputed_ticks``: what is held is worth the worse of the two.
    """
    if mark.mark_ticks <= 0:
        market.refuse("mark_empty")
        return False
    if not market.lag_ns_min <= mark.wall_ns - mark.venue_ns <= market.lag_ns_max:
        _off_time(market, mark, "mark_")
        return False
    mid2 = market.mid2_ticks
    if not mid2 or abs(2 * mark.mark_ticks - mid2) * PPM <= market.jump_ppm_max * mid2:
        market.disputed_ticks = market.disputed_count = 0
    elif not _undisputed(market, mark):
        market.refuse("mark_disputed")
        return False
    if mark.mark_ticks != market.mark_ticks:
        market.mark_ticks = mark.mark_ticks
        market.moves_count += 1
    market.funding_ppb = mark.funding_ppb
    market.mark_mono_ns = mark.mono_ns
    return True


def _undisputed(market: Market, mark: Mark) -> bool:
    """Whether a mark far from the mid is believed all the same. The same mark again confirms nothing."""
    if mark.venue_ns > market.disputed_venue_ns:
        market.disputed_venue_ns = mark.venue_ns
        market.disputed_count += 1
    if market.disputed_count < DISPUTED_MARKS:
        return False
    if mark.mono_ns - market.quote.mono_ns > market.quote_age_ns_max:
        market.disputed_ticks = 0
        return True
    market.disputed_ticks = mark.mark_ticks
    market.disputed_mono_ns = mark.mono_ns
    return False
