"""Several feeds of the same instruments as one: each stream is taken from one feed, and from another when that fails.

A stream is one kind of data of one instrument. Feeds have ranks, the order in which they are configured. What the
chosen feed of a stream says goes on; what the others say waits, until the chosen one has said it too. So whoever
takes over goes on right behind the last thing that went out; and where the chosen one leaves something out that
another said, that goes out first. Nothing comes twice, and nothing is missing that any feed of a numbering brought.

When is another chosen?

* A feed lost its connection: at once, if another one of the same numbering was heard since it connected; else at the
  first thing that such a one says. The lost one does not lead when it comes again: it missed what the other has.
* The chosen feed left out prints, or changes of a book, that a slower one may still bring: what it says behind the hole
  waits until then, and at most ``too_old``. Quotes need no such care: the next one says all.
* A feed is behind: another one of the same numbering said something ``too_old`` ago that it has not said yet.
* A feed that cannot be compared by number (another venue, or one that counts for itself) takes over from one that said
  nothing for ``dead``, or for ``too_old`` with its connection lost. Its numbers begin anew; older venue times are left
  out, and what neither brought meanwhile is missing.
* The chosen feed itself may count anew: for as long as a feed is not yet behind, lower numbers with later venue times
  are taken for what was said before; then its numbers begin anew, and it stays chosen.
* A feed of higher rank takes its place again once it has spoken for ``back``, without a loss of its connection and
  (prints may be rare) without a pause of ``dead``.

What a feed of another venue says, and is not chosen for, is what the chosen one's prices are held against: ``prices``.

Each choice is an event in the journal and what goes on is all that the market log holds, so a replay need not choose.
No clock is read here: times come with what is heard and with each look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

from msgspec import Struct

from holdfast.core.views import FAR_PAST_NS
from holdfast.ports.feed import DecodeRead
from holdfast.runtime.silence import StreamKey
from holdfast.vocab.events import StreamKind
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.units import NS_PER_S, PPM

# In a row and for ``too_old``, lower in number than what went out last and yet later: numbers began anew. A feed that
# takes over and lags repeats for less, where stamps are our own time of receipt.
ANEW_CONFIRMATIONS: Final = 3
MOVED_PPM: Final = 1_000  # another venue's price is news once it moved so far,
SAID_AGAIN_NS: Final = 3 * NS_PER_S  # or once so long ago was it said last; it counts for ten seconds
HELD_MAX: Final = 5_000  # per feed and stream: beyond it the oldest go, and would be missing

_KINDS: Final[dict[type, StreamKind]] = {
    Quote: StreamKind.QUOTE,
    Trade: StreamKind.TRADE,
    Mark: StreamKind.MARK,
    Depth: StreamKind.DEPTH,
}


class Member(Struct, frozen=True, kw_only=True):
    """One feed. ``numbering``: feeds of one numbering give the same event the same number.

    ``reference``: another venue's, whose prices are good to value by and nothing more.
    """

    name: str
    numbering: str
    decode: DecodeRead
    reference: bool = False


class MergeTimes(Struct, frozen=True, kw_only=True):
    """``dead_ns``: a stream this silent is dead; ``too_old_ns``: one this far behind is; ``back_ns``: see above."""

    dead_ns: int
    too_old_ns: int
    back_ns: int


class Choice(Struct, frozen=True, kw_only=True):
    """A stream goes over to another feed."""

    instrument: str
    kind: StreamKind
    feed: int
    renumbered: bool
    why: str
    missing_count: int


Hand = Callable[[int, Sequence[bytes], Sequence[MarketEvent | None], int, int], None]
"""What goes on: (number of the feed, raw frames, their events, wall_ns, mono_ns), to be logged and stepped in order."""


class _Lane:
    """One stream: who is chosen, what went out last, who was heard when, and what waits."""

    __slots__ = (
        "anew_after",
        "anew_count",
        "anew_ns",
        "anew_place",
        "broken",
        "chosen",
        "floor_ns",
        "heard",
        "held",
        "instrument",
        "kind",
        "last",
        "overlap",
        "since",
        "spoke_ns",
        "venue_ns",
    )

    def __init__(self, kind: type, instrument: str, count: int) -> None:
        self.kind = kind
        self.instrument = instrument
        self.chosen = 0
        self.last = -1  # the number that went out last
        self.overlap = -1  # the chosen one may still repeat what went out before it was: up to here
        self.floor_ns = -1  # the same by the venue's time, where numbers do not compare
        self.venue_ns = 0
        self.spoke_ns = FAR_PAST_NS  # when the chosen one was last heard, its connection lost or not
        self.broken = False  # the chosen one lost a connection and was not heard since
        self.anew_count = 0  # what the chosen one said in a row that is lower in number and later
        self.anew_ns = FAR_PAST_NS  # when it said the first of it
        self.anew_place = self.anew_after = -1  # the last of it; what had gone out before it
        self.heard = [FAR_PAST_NS] * count
        self.since = [FAR_PAST_NS] * count  # speaks without a pause since then
        self.held: list[deque[tuple[int, int, int, bytes]]] = [deque() for _ in range(count)]


class _Said(Struct, frozen=True):
    """The price of another venue that was told last: when it was heard and when it was told; twice its middle."""

    heard_ns: int
    told_ns: int
    mid2_ticks: int


class Merge:
    """Takes the reads of all feeds; hands on what strategies and core are to see.

    ``repeated_count``: by feed, what it said that another one had said already. ``filled_count``: what the chosen feed
    left out and another brought. ``dropped_count``: what waited and was more than may wait. ``chosen_count``: how often
    a stream went over to another feed. ``anew_count``: how often the numbers of one began anew without that.
    """

    def __init__(
        self,
        members: Sequence[Member],
        instruments: Sequence[str],
        *,
        times: MergeTimes,
        hand: Hand,
        choose: Callable[[Choice, int, int], None],
        offset_ns: Callable[[], int],
    ) -> None:
        self._members = tuple(members)
        self._times = times
        self._hand = hand
        self._choose = choose
        self._offset_ns = offset_ns  # the venue's clock less ours, as last measured
        count = len(self._members)
        self._lanes = {kind: {name: _Lane(kind, name, count) for name in instruments} for kind in _KINDS}
        self._all = tuple(chain.from_iterable(lanes.values() for lanes in self._lanes.values()))
        self._said: dict[tuple[int, str], _Said] = {}
        self.repeated_count = [0] * count
        self.dropped_count = 0
        self.filled_count = 0
        self.chosen_count = 0
        self.anew_count = 0

    def feed_of(self, instrument: str) -> str:
        """Whose quotes of the instrument go on."""
        return self._members[self._lanes[Quote][instrument].chosen].name

    def heard(self) -> Iterator[tuple[StreamKey, int]]:
        """When each stream was last heard of each feed."""
        for lane in self._all:
            for member, heard_ns in enumerate(lane.heard):
                yield (member, lane.instrument, _KINDS[lane.kind]), heard_ns

    # --- what is heard ------------------------------------------------------------------------------------------

    def take(self, member: int, raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
        """One read of a feed."""
        one = self._members[member]
        dead_ns = self._times.dead_ns
        out_raws: list[bytes] = []
        out: list[MarketEvent | None] = []
        for raw, event in zip(raws, one.decode(raws, wall_ns, mono_ns), strict=True):
            if event is None:
                continue
            kind = type(event)
            if kind is Malformed:
                known = self._lanes[Quote].get(event.instrument)
                if (known.chosen if known is not None else 0) == member:
                    out_raws.append(raw)
                    out.append(event)
                continue
            lane = self._lanes[kind].get(event.instrument)
            if lane is None:
                continue
            heard_ns = lane.heard[member]
            if heard_ns == FAR_PAST_NS or (mono_ns - heard_ns > dead_ns and kind is not Trade):
                lane.since[member] = mono_ns
            lane.heard[member] = mono_ns
            place = _place(event)
            if lane.chosen == member:
                lane.broken = False
                lane.spoke_ns = mono_ns
                if place <= lane.last or event.venue_ns <= lane.floor_ns:  # type: ignore[union-attr]
                    if self._counts_anew(lane, place, event.venue_ns, mono_ns):  # type: ignore[union-attr]
                        if out:
                            self._hand(member, out_raws, out, wall_ns, mono_ns)
                            out_raws, out = [], []
                        self._count_anew(lane, wall_ns, mono_ns)
                        lane.last, lane.venue_ns = place, event.venue_ns  # type: ignore[union-attr]
                    elif place <= lane.overlap or event.venue_ns <= lane.floor_ns:  # type: ignore[union-attr]
                        self.repeated_count[member] += 1
                        continue
                else:
                    for other, missed in self._missed(lane, member, place):
                        if out:
                            self._hand(member, out_raws, out, wall_ns, mono_ns)
                            out_raws, out = [], []
                        self._hand(
                            other,
                            missed,
                            self._members[other].decode(missed, wall_ns, mono_ns),
                            wall_ns,
                            mono_ns,
                        )
                    if (
                        lane.last >= 0
                        and (kind is Trade or kind is Depth)
                        and _begins_behind(event) > lane.last
                        and (slower := self._slower(lane, mono_ns)) is not None
                    ):
                        if out:
                            self._hand(member, out_raws, out, wall_ns, mono_ns)
                            out_raws, out = [], []
                        why = f"{one.name} left something out"
                        self._go_over(lane, slower, why, wall_ns, mono_ns)
                        self._hold(lane, member, place, event.venue_ns, mono_ns, raw)  # type: ignore[union-attr]
                        continue
                    lane.last, lane.venue_ns = place, event.venue_ns  # type: ignore[union-attr]
                out_raws.append(raw)
                out.append(event)
            elif self._hold(lane, member, place, event.venue_ns, mono_ns, raw) and lane.broken:  # type: ignore[union-attr]
                if out:
                    self._hand(member, out_raws, out, wall_ns, mono_ns)
                    out_raws, out = [], []
                if self._comparable(lane, member):
                    self._go_over(lane, member, "the connection was lost", wall_ns, mono_ns)
        if out:
            self._hand(member, out_raws, out, wall_ns, mono_ns)

    def _missed(self, lane: _Lane, member: int, place: int) -> Iterator[tuple[int, list[bytes]]]:
        """What others of the numbering said before this, and the chosen feed left out. Its first word leaves none."""
        if lane.last < 0:
            return
        for other, held in enumerate(lane.held):
            if held and held[0][0] < place and self._comparable(lane, other):
                missed = []
                while held and held[0][0] < place:
                    number, venue_ns, _, raw = held.popleft()
                    if number > lane.last:
                        lane.last, lane.venue_ns = number, venue_ns
                        missed.append(raw)
                if missed:
                    self.filled_count += len(missed)
                    yield other, missed

    def _comparable(self, lane: _Lane, member: int) -> bool:
        return self._members[member].numbering == self._members[lane.chosen].numbering

    def _hold(self, lane: _Lane, member: int, place: int, venue_ns: int, mono_ns: int, raw: bytes) -> bool:
        """Keep what another than the chosen feed says, as long as it is news. False where it is none."""
        held = lane.held[member]
        if self._comparable(lane, member):
            while held and held[0][0] <= lane.last:
                held.popleft()
            if place <= lane.last:
                self.repeated_count[member] += 1
                return False
            if len(held) >= HELD_MAX:
                held.popleft()
                self.dropped_count += 1
        else:
            held.clear()  # by number nobody can tell what of it went out: only the newest is of use
        held.append((place, venue_ns, mono_ns, raw))
        return True

    def went_down(self, member: int, wall_ns: int, mono_ns: int) -> None:
        """A feed lost a connection: what another one has beyond it is taken now, or as soon as it comes."""
        for lane in self._all:
            lane.heard[member] = FAR_PAST_NS
            if lane.chosen == member:
                lane.broken = True
                heir = self._heir(lane)
                if heir is not None:
                    self._go_over(lane, heir, "the connection was lost", wall_ns, mono_ns)

    def _heir(self, lane: _Lane) -> int | None:
        """Who of the same numbering was heard since it connected, by rank."""
        for member, heard_ns in enumerate(lane.heard):
            if member != lane.chosen and heard_ns != FAR_PAST_NS and self._comparable(lane, member):
                return member
        return None

    def _slower(self, lane: _Lane, mono_ns: int) -> int | None:
        """Who of the same numbering lives (by its quotes: prints may be rare) and may bring what is missing, by rank.

        What it has already was looked at before.
        """
        quotes = self._lanes[Quote][lane.instrument].heard
        for member, heard_ns in enumerate(quotes):
            if (
                member != lane.chosen
                and self._comparable(lane, member)
                and mono_ns - max(heard_ns, lane.heard[member]) <= self._times.too_old_ns
            ):
                return member
        return None

    def prices(self, wall_ns: int, mono_ns: int) -> Iterator[tuple[int, tuple[tuple[str, int], ...]]]:
        """Ten times a second: what other venues' feeds say where it is news, as (feed, (instrument, bid + ask)…)."""
        for member, one in enumerate(self._members):
            if not one.reference:
                continue
            rows = []
            for instrument, lane in self._lanes[Quote].items():
                held = lane.held[member]
                if not held:
                    continue
                said = self._said.get((member, instrument))
                heard_ns, raw = held[-1][2:]
                if said is not None and said.heard_ns == heard_ns:
                    continue
                (quote,) = one.decode((raw,), wall_ns, mono_ns)
                if type(quote) is not Quote or not 0 < quote.bid_ticks < quote.ask_ticks:
                    continue
                mid2 = quote.bid_ticks + quote.ask_ticks
                if (
                    said is None
                    or mono_ns - said.told_ns >= SAID_AGAIN_NS
                    or abs(mid2 - said.mid2_ticks) * PPM >= MOVED_PPM * said.mid2_ticks
                ):
                    self._said[member, instrument] = _Said(heard_ns, mono_ns, mid2)
                    rows.append((instrument, mid2))
            if rows:
                yield member, tuple(rows)

    # --- who is chosen -----------------------------------------------------------------------------------------------

    def look(self, wall_ns: int, mono_ns: int) -> None:
        """Ten times a second: who is behind, who is dead, who is back."""
        for lane in self._all:
            found = self._better(lane, mono_ns)
            if found is not None:
                self._go_over(lane, found[0], found[1], wall_ns, mono_ns)

    def _better(self, lane: _Lane, mono_ns: int) -> tuple[int, str] | None:
        times = self._times
        chosen = lane.chosen
        if lane.spoke_ns == FAR_PAST_NS:
            lane.spoke_ns = mono_ns  # a start: the first one is given its time to connect
        silent_ns = mono_ns - lane.spoke_ns
        for member, heard_ns in enumerate(lane.heard):
            if member == chosen or mono_ns - heard_ns > times.dead_ns:
                continue
            if (
                member < chosen
                and mono_ns - heard_ns <= times.too_old_ns
                and mono_ns - lane.since[member] >= times.back_ns
            ):
                return member, "it is back"
            held = lane.held[member]
            if self._comparable(lane, member):
                while held and held[0][0] <= lane.last:
                    held.popleft()
                if held and mono_ns - held[0][2] >= times.too_old_ns:
                    return member, f"{self._members[chosen].name} is behind it"
            elif held and silent_ns > (times.too_old_ns if lane.broken else times.dead_ns):
                return member, f"{self._members[chosen].name} is silent"
        return None

    def _go_over(self, lane: _Lane, member: int, why: str, wall_ns: int, mono_ns: int) -> None:
        """Choose another feed, and hand on what it has beyond the last thing that went out, stamped now.

        It was received before, but time must not run backwards for whoever reads both.
        """
        renumbered = not self._comparable(lane, member)
        # no later than now: a feed whose clock is ahead must not silence the next one for as long
        seen_ns = min(lane.venue_ns, wall_ns + self._offset_ns())
        held, lane.held[member] = lane.held[member], deque()
        if renumbered:
            news = [one for one in held if one[1] > seen_ns]
            for waiting in lane.held:
                waiting.clear()  # it was compared with other numbers
        else:
            news = [one for one in held if one[0] > lane.last]
        missing = 0
        if lane.kind is Trade and news and not renumbered and lane.last >= 0:
            missing = max(0, news[0][0] - lane.last - 1)
        lane.since[lane.chosen] = mono_ns  # whoever failed must speak for a while before it is trusted again
        lane.chosen = member
        lane.broken = False
        lane.spoke_ns = mono_ns
        lane.overlap = -1 if renumbered else lane.last
        lane.floor_ns = seen_ns if renumbered else -1
        if renumbered:
            lane.last = -1
        self.chosen_count += 1
        self._say(lane, why, wall_ns, mono_ns, renumbered=renumbered, missing_count=missing)
        if news:
            lane.last, lane.venue_ns = news[-1][0], news[-1][1]
            raws = [one[3] for one in news]
            self._hand(member, raws, self._members[member].decode(raws, wall_ns, mono_ns), wall_ns, mono_ns)

    def _counts_anew(self, lane: _Lane, place: int, venue_ns: int, mono_ns: int) -> bool:
        """Whether enough that is lower in number than what went out last, and later, came in a row."""
        if lane.anew_after != lane.last:
            lane.anew_after = lane.last
            lane.anew_count = 0
        if place >= lane.last or venue_ns <= lane.venue_ns or venue_ns <= lane.floor_ns:
            return False
        if lane.anew_count and place > lane.anew_place:
            lane.anew_count += 1
        else:
            lane.anew_count = 1
            lane.anew_ns = mono_ns
        lane.anew_place = place
        return lane.anew_count >= ANEW_CONFIRMATIONS and mono_ns - lane.anew_ns >= self._times.too_old_ns

    def _count_anew(self, lane: _Lane, wall_ns: int, mono_ns: int) -> None:
        """The chosen feed stays, and its numbers begin anew: what others said is compared with none of them."""
        for waiting in lane.held:
            waiting.clear()
        lane.overlap = lane.floor_ns = -1
        self.anew_count += 1
        self._say(lane, "its numbers went back while its times went on", wall_ns, mono_ns, renumbered=True)

    def _say(
        self,
        lane: _Lane,
        why: str,
        wall_ns: int,
        mono_ns: int,
        *,
        renumbered: bool,
        missing_count: int = 0,
    ) -> None:
        choice = Choice(
            instrument=lane.instrument,
            kind=_KINDS[lane.kind],
            feed=lane.chosen,
            renumbered=renumbered,
            why=why,
            missing_count=missing_count,
        )
        self._choose(choice, wall_ns, mono_ns)


def _begins_behind(event: MarketEvent) -> int:
    """The number right before a print or a change of a book; -1 for a snapshot, which follows on anything."""
    if type(event) is Depth:
        return -1 if event.snapshot else event.seq_prev
    return event.seq - 1  # type: ignore[union-attr]


def _place(event: MarketEvent) -> int:
    """What numbers an event in its stream."""
    return event.venue_ns if type(event) is Mark else event.seq  # type: ignore[union-attr]
