"""Runs strategies, synchronously and within bounds: events in, intents out.

Promises: nothing that a strategy does, short of a BaseException, reaches the caller; what a callback wants
comes out complete or, when anything of it is wrong, not at all and as StrategyFailed; a failed strategy is not
called again until its hold is lifted. Strategies are called in their configured order, intents come in the
order of emission and are numbered per strategy. No clock is read but the one passed in, and that only between
batches (see :mod:`holdfast.strategy.timing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from traceback import extract_tb
from typing import Final, TypeAlias

from msgspec import Struct

from holdfast.strategy.api import Books, Context, Seen, Wants
from holdfast.strategy.bars import BarSource
from holdfast.strategy.seat import INTENTS_MAX, Callback, Hosted, HostEvent, Rejected, Seat
from holdfast.strategy.timing import SlowCallback, Stopwatch
from holdfast.strategy.warmup import NO_HISTORY, History, Wanted
from holdfast.vocab.events import StrategyFailed
from holdfast.vocab.facts import (
    Fact,
    FillBooked,
    HoldPlaced,
    HoldReleased,
    IntentRefused,
    OrderAmended,
    OrderApproved,
    OrderMoved,
)
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.orders import OrderState

NOTHING: Final[Sequence[HostEvent]] = ()
_ERROR_CHARS_MAX: Final = 500
_OWNERS_MAX: Final = 100_000
_FINAL: Final = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.UNSENT}
)
_OF_ORDERS: Final[frozenset[type]] = frozenset({OrderApproved, OrderMoved, OrderAmended})
_ALWAYS_HEARD: Final[frozenset[type]] = frozenset({FillBooked, IntentRefused, HoldPlaced, HoldReleased})
_Route: TypeAlias = tuple[Callback, Context, Seat]
_Routes: TypeAlias = dict[str, tuple[_Route, ...]]
_NOBODY: Final[tuple[_Route, ...]] = ()


class _Instant(Struct, frozen=True):
    wall_ns: int
    mono_ns: int


class _Table(Struct, frozen=True):
    """Who is called for an instrument's quotes, prints, marks and changes of its book."""

    quotes: _Routes
    trades: _Routes
    marks: _Routes
    depths: _Routes


class StrategyHost:
    """All strategies of a process. Not re-entrant: a callback must not reach the host."""

    def __init__(
        self,
        hosted: Sequence[Hosted],
        *,
        specs: Sequence[InstrumentSpec],
        books: Books,
        clock_ns: Callable[[], int],
    ) -> None:
        names = [one.name for one in hosted]
        if len({*names}) != len(names):
            raise ValueError(f"two strategies of one name among {', '.join(names)}")
        self._seen = Seen(_Instant(0, 0))
        self._books = books
        by_name = {spec.instrument: spec for spec in specs}
        self._seats = {
            one.name: Seat(
                one,
                Context(
                    strategy=one.name,
                    instruments=one.instruments,
                    specs=by_name,
                    books=books,
                    seen=self._seen,
                ),
            )
            for one in hosted
        }
        self._watch = Stopwatch(clock_ns)
        self._owners: dict[int, Seat] = {}
        self._owned = any("on_order" in seat.callbacks for seat in self._seats.values())
        self.fact_kinds = _ALWAYS_HEARD | _OF_ORDERS if self._owned else _ALWAYS_HEARD
        self._failure_holds: dict[int, str] = {}
        self._lay_routes()

    @property
    def wanted(self) -> dict[str, Wanted]:
        """The bars that each strategy wants, by its name: what a history is built for."""
        return {seat.name: seat.wanted for seat in self._seats.values()}

    # --- the hot path ------------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> Sequence[HostEvent]:
        """Tell the strategies of an accepted event; what they want, in order."""
        seen = self._seen
        seen.now = event
        if type(event) is Quote:
            routes = self._quotes.get(event.instrument, _NOBODY)
        elif type(event) is Trade:
            seen.trades[event.instrument] = event
            routes = self._trades.get(event.instrument, _NOBODY)
        elif type(event) is Mark:
            seen.marks[event.instrument] = event
            routes = self._marks.get(event.instrument, _NOBODY)
        elif type(event) is Depth:
            routes = self._depths.get(event.instrument, _NOBODY)
        else:
            return NOTHING
        out: list[HostEvent] | None = None
        for call, context, seat in routes:
            try:
                wanted = call(context, event)
                if wanted is None:
                    continue
                if (
                    wanted is context.sound  # made by the context, which looked at each part of it
                    and context.sound_at is event
                    and wanted.strategy is seat.name
                    and seat.save is None
                ):
                    context.sound = None  # the same once more would be another one
                    seat.returned_seq = wanted.intent_seq
                    accepted: list[HostEvent] = [wanted]
                else:
                    accepted = seat.accept(wanted, wall_ns=event.wall_ns, mono_ns=event.mono_ns)
                out = accepted if out is None else out + accepted
            except Exception as error:  # noqa: BLE001 - whatever a strategy raises is its own failure
                out = self._failed(seat, error, out)
        return NOTHING if out is None else out

    # --- everything else ----------------------------------------------------------------------------------------

    def start(
        self,
        *,
        wall_ns: int,
        mono_ns: int,
        histories: Mapping[str, History] | None = None,
        saved: Mapping[str, bytes] | None = None,
    ) -> Sequence[HostEvent]:
        """Begin: ``load`` the saved state where there is one, then ``on_start``. Both maps are by strategy."""
        self._seen.now = _Instant(wall_ns, mono_ns)
        out: list[HostEvent] = []
        for seat in self._seats.values():
            seat.timer_due_mono_ns = mono_ns + seat.timer_ns
            if self._owned:
                for name in seat.instruments:
                    for order in self._books.open_orders(seat.name, name):
                        self._owners[order.order_id] = seat
            state = (saved or {}).get(seat.name)
            if state is not None and seat.load is not None:
                self._call(seat, seat.load, state, out=out, returns=False)
            history = (histories or {}).get(seat.name, NO_HISTORY)
            self._call(seat, seat.callbacks.get("on_start"), seat.context, history, out=out)
        return out

    def on_fact(self, fact: Fact, *, wall_ns: int, mono_ns: int) -> Sequence[HostEvent]:
        """Tell the strategy concerned of what the core decided. Facts that concern none cost little."""
        kind = type(fact)
        if kind is FillBooked:
            return self._tell(fact.strategy, "on_fill", fact, wall_ns, mono_ns)  # type: ignore[union-attr]
        if kind is IntentRefused:
            return self._tell(fact.strategy, "on_refused", fact, wall_ns, mono_ns)  # type: ignore[union-attr]
        if kind in _OF_ORDERS:
            return self._on_order(fact, wall_ns, mono_ns)  # type: ignore[arg-type]
        if isinstance(fact, HoldPlaced):
            hold = fact.hold
            if hold.cause is HoldCause.STRATEGY_FAILED and hold.scope.strategy in self._seats:
                self._failure_holds[hold.hold_id] = hold.scope.strategy
        elif isinstance(fact, HoldReleased):
            name = self._failure_holds.pop(fact.hold_id, None)
            if name is not None and name not in self._failure_holds.values():
                self._seats[name].failed = False
                self._lay_routes()
        return NOTHING

    def on_timer(self, *, wall_ns: int, mono_ns: int) -> Sequence[HostEvent]:
        """Close the bars that are over and call the timers that are due; one call for several missed."""
        self._seen.now = _Instant(wall_ns, mono_ns)
        out: list[HostEvent] = []
        for seat in self._seats.values():
            for feeds in seat.feeds.values():
                for feed in feeds:
                    self._call(seat, feed.on_time, seat.context, wall_ns, out=out)
            if seat.timer_ns and mono_ns >= seat.timer_due_mono_ns:
                behind = (mono_ns - seat.timer_due_mono_ns) // seat.timer_ns
                seat.timer_due_mono_ns += (behind + 1) * seat.timer_ns
                self._call(seat, seat.callbacks.get("on_timer"), seat.context, out=out)
        return out

    def next_due_mono_ns(self) -> int | None:
        """When ``on_timer`` has something to do, at the latest known; None: nothing is waiting."""
        due: int | None = None
        for seat in self._timed_seats:
            if due is None or seat.timer_due_mono_ns < due:
                due = seat.timer_due_mono_ns
        first: int | None = None
        for builder in self._builders:
            end = builder.end_wall_ns
            if end is not None and (first is None or end < first):
                first = end
        if first is not None:
            now = self._seen.now
            closes = now.mono_ns + max(0, first - now.wall_ns)
            if due is None or closes < due:
                due = closes
        return due

    def stop(self, *, wall_ns: int, mono_ns: int) -> Sequence[HostEvent]:
        """The last word: the saved state of every strategy that has not failed."""
        self._seen.now = _Instant(wall_ns, mono_ns)
        out: list[HostEvent] = []
        for seat in self._seats.values():
            if seat.failed:
                continue
            try:
                saved = seat.saved_event(wall_ns=wall_ns, mono_ns=mono_ns)
            except Exception as error:  # noqa: BLE001 - as in on_market
                self._failed(seat, error, out)
            else:
                if saved is not None:
                    out.append(saved)
        return out

    # --- slow callbacks -------------------------------------------------------------------------------------------

    def batch_began(self) -> None:
        """Optional: call before the events of one batch."""
        self._watch.batch_began()

    def batch_ended(self) -> None:
        """Optional: call after them. Only so is it known which callbacks are slow."""
        before = self._watch.watching
        self._watch.batch_ended()
        if self._watch.watching != before:
            self._take_table()

    def take_slow(self) -> tuple[SlowCallback, ...]:
        """Which callbacks took longer than a millisecond, since the last asking."""
        return self._watch.take()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _tell(self, name: str, callback: str, fact: Fact, wall_ns: int, mono_ns: int) -> Sequence[HostEvent]:
        seat = self._seats.get(name)
        call = seat.callbacks.get(callback) if seat is not None else None
        if seat is None or call is None:
            return NOTHING
        self._seen.now = _Instant(wall_ns, mono_ns)
        out: list[HostEvent] = []
        self._call(seat, call, seat.context, fact, out=out)
        return out

    def _on_order(
        self, fact: OrderApproved | OrderMoved | OrderAmended, wall_ns: int, mono_ns: int
    ) -> Sequence[HostEvent]:
        if type(fact) is OrderApproved:
            seat = self._seats.get(fact.strategy)
            if seat is not None:
                if len(self._owners) >= _OWNERS_MAX:
                    del self._owners[next(iter(self._owners))]
                self._owners[fact.order_id] = seat
        elif type(fact) is OrderMoved and fact.state in _FINAL:
            seat = self._owners.pop(fact.order_id, None)
        else:
            seat = self._owners.get(fact.order_id)
        return NOTHING if seat is None else self._tell(seat.name, "on_order", fact, wall_ns, mono_ns)

    def _call(
        self,
        seat: Seat,
        call: Callable[..., Wants] | None,
        *args: object,
        out: list[HostEvent],
        returns: bool = True,
    ) -> None:
        if call is None or seat.failed:
            return
        now = self._seen.now
        try:
            wanted = call(*args)
            if wanted is not None and returns:
                out += seat.accept(wanted, wall_ns=now.wall_ns, mono_ns=now.mono_ns)
        except Exception as error:  # noqa: BLE001 - as in on_market
            self._failed(seat, error, out)

    def _failed(self, seat: Seat, error: Exception, out: list[HostEvent] | None) -> list[HostEvent]:
        """Say it once and call the strategy no more."""
        out = [] if out is None else out
        if seat.failed:
            return out
        seat.failed = True
        self._lay_routes()
        now = self._seen.now
        out.append(
            StrategyFailed(wall_ns=now.wall_ns, mono_ns=now.mono_ns, strategy=seat.name, error=_told(error))
        )
        return out

    def _lay_routes(self) -> None:
        self._plain = self._table(timed=False)
        self._timed = self._table(timed=True)
        seats = [seat for seat in self._seats.values() if not seat.failed]
        self._timed_seats = tuple(seat for seat in seats if seat.timer_ns and "on_timer" in seat.callbacks)
        self._builders = tuple(
            feed.builder for seat in seats for feeds in seat.feeds.values() for feed in feeds
        )
        self.waits = bool(self._timed_seats or self._builders)
        self._take_table()

    def _take_table(self) -> None:
        table = self._timed if self._watch.watching else self._plain
        self._quotes, self._trades, self._marks = table.quotes, table.trades, table.marks
        self._depths = table.depths

    def _table(self, *, timed: bool) -> _Table:
        quotes: dict[str, list[_Route]] = {}
        trades: dict[str, list[_Route]] = {}
        marks: dict[str, list[_Route]] = {}
        depths: dict[str, list[_Route]] = {}

        def route(seat: Seat, callback: str, call: Callback) -> _Route:
            if timed:
                call = self._watch.timed(call, seat.name, callback, INTENTS_MAX)
            return (call, seat.context, seat)

        for seat in self._seats.values():
            if seat.failed:
                continue
            own = {callback: route(seat, callback, call) for callback, call in seat.callbacks.items()}
            for name in seat.instruments:
                for feed in seat.feeds[name]:
                    if seat.wanted.source is BarSource.QUOTES:
                        quotes.setdefault(name, []).append(route(seat, "on_bar", feed.on_quote))
                    else:
                        trades.setdefault(name, []).append(route(seat, "on_bar", feed.on_trade))
                for routes, callback in (
                    (quotes, "on_quote"),
                    (trades, "on_trade"),
                    (marks, "on_mark"),
                    (depths, "on_depth"),
                ):
                    if callback in own:
                        routes.setdefault(name, []).append(own[callback])
        return _Table(quotes=_laid(quotes), trades=_laid(trades), marks=_laid(marks), depths=_laid(depths))


def _laid(routes: dict[str, list[_Route]]) -> _Routes:
    """As tuples, one for all instruments that have the same: thousands of them stay in the cache."""
    shared: dict[tuple[int, ...], tuple[_Route, ...]] = {}
    return {
        name: shared.setdefault(tuple([id(route) for route in of]), tuple(of)) for name, of in routes.items()
    }


def _told(error: Exception) -> str:
    """One line for a person: what, and where in the strategy."""
    text = " ".join(str(error).split())
    if isinstance(error, Rejected):
        return text[:_ERROR_CHARS_MAX]
    frames = extract_tb(error.__traceback__)
    place = (
        f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})" if frames else ""
    )
    return f"{type(error).__name__}: {text}"[: _ERROR_CHARS_MAX - len(place)] + place
