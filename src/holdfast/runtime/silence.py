"""A clock of silence for every stream: one that was accepted and says nothing looks healthy to its connection.

Nothing is measured where frames are handled. Once a second each stream's count (or its last time) is compared with
what it was: whatever did not change is silent since then. A silent stream is said, asked for again, and if that does
not help its connection is made anew: once for one stream that stays silent, again and again, ever more rarely, where
all instruments of a kind are silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from holdfast.core.ingest.market import Market
from holdfast.core.views import MARK_AGE_NS_MAX
from holdfast.vocab.events import StreamKind
from holdfast.vocab.units import NS_PER_S

LOOK_NS: Final = NS_PER_S
PRINTS_NS: Final = 60 * NS_PER_S  # without any print of any instrument: prints of one may be rare
AGAIN_NS_MAX: Final = 600 * NS_PER_S

StreamKey: TypeAlias = tuple[int, str, StreamKind]
"""(number of the feed, instrument, kind); the instrument is empty for the prints of all."""


class _Row(Struct):
    seen: int
    since_ns: int
    silent: bool = False
    asked_count: int = 0
    ask_ns: int = 0  # when to ask again


class StreamWatch:
    """``say`` gets (stream, whether silent, for how many ns); ``renew`` (stream, whether on a new connection)."""

    def __init__(
        self,
        *,
        dead_ns: int,
        say: Callable[[StreamKey, bool, int], None],
        renew: Callable[[StreamKey, bool], None],
    ) -> None:
        self._dead_ns = dead_ns
        self._say = say
        self._renew = renew
        self._rows: dict[StreamKey, _Row] = {}
        self._due_ns = 0

    def due(self, mono_ns: int) -> bool:
        """Whether it is time for a look."""
        return mono_ns >= self._due_ns

    def look(
        self, heard: Iterable[tuple[StreamKey, int]], mono_ns: int, *, connected: frozenset[int]
    ) -> None:
        """Compare with the last look. Feeds without a connection are not judged: that is said already."""
        self._due_ns = mono_ns + LOOK_NS
        late: list[tuple[StreamKey, _Row]] = []
        speaking: set[tuple[int, StreamKind]] = set()
        for key, seen in heard:
            row = self._rows.get(key)
            if row is None or key[0] not in connected:
                self._rows[key] = _Row(seen, mono_ns) if row is None else row
                self._rows[key].since_ns = mono_ns
            elif row.seen != seen:
                speaking.add((key[0], key[2]))
                if row.silent:
                    self._say(key, False, mono_ns - row.since_ns)
                self._rows[key] = _Row(seen, mono_ns)
            elif mono_ns - row.since_ns > self._patience_ns(key[2]):
                late.append((key, row))
            else:
                speaking.add((key[0], key[2]))
        for key, row in late:
            self._late(key, row, mono_ns, alone=(key[0], key[2]) in speaking)

    def _patience_ns(self, kind: StreamKind) -> int:
        if kind is StreamKind.TRADE:
            return max(self._dead_ns, PRINTS_NS)
        return max(self._dead_ns, MARK_AGE_NS_MAX) if kind is StreamKind.MARK else self._dead_ns

    def _late(self, key: StreamKey, row: _Row, mono_ns: int, *, alone: bool) -> None:
        patience_ns = self._patience_ns(key[2])
        if not row.silent:
            row.silent = True
            self._say(key, True, mono_ns - row.since_ns)
        elif mono_ns < row.ask_ns or (alone and row.asked_count > 1):
            return
        self._renew(key, row.asked_count > 0)
        row.ask_ns = mono_ns + min(AGAIN_NS_MAX, patience_ns << row.asked_count)
        row.asked_count = min(row.asked_count + 1, 20)


def heard_of(markets: Mapping[str, Market], kinds: frozenset[StreamKind]) -> Iterable[tuple[StreamKey, int]]:
    """What changes with each event of a stream, where one feed brings them all."""
    prints = 0
    for name, market in markets.items():
        refused = sum(market.refused.values())
        if StreamKind.QUOTE in kinds:
            yield (0, name, StreamKind.QUOTE), market.quotes_count + refused
        if StreamKind.MARK in kinds:
            yield (0, name, StreamKind.MARK), market.mark_mono_ns + refused
        if StreamKind.DEPTH in kinds:
            yield (0, name, StreamKind.DEPTH), market.depth_seq + refused
        prints += market.trade_seq
    if StreamKind.TRADE in kinds:
        yield (0, "", StreamKind.TRADE), prints
