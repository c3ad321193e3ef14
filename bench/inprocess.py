"""What needs no socket: quotes through the core, the gate, quote to order, and whether cost grows with size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.house import CODEC, START_WALL_NS, STRATEGY, Desk, frames, instruments
from bench.machine import median, percentile
from bench.strategies import Counting, Ordering
from holdfast.core.gate.gate import Approved, judge
from holdfast.core.step import step
from holdfast.ports.feed import FrameSink
from holdfast.runtime.garbage import rare_rounds
from holdfast.venues.binance.decoder import read_decoder
from holdfast.vocab.events import CallDone, OrderIntent
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Side, TimeInForce
from holdfast.vocab.outcome import Fatal
from holdfast.vocab.requests import PlaceOrder
from holdfast.vocab.units import NS_PER_S

READ_FRAMES: Final = (
    64  # how many frames one socket read brings at full rate: between two looks at the timers
)
ORDERS_IN_FLIGHT: Final = 64  # so many in a row are sent before the venue answers any
INSTRUMENTS: Final = (10, 100, 1_000, 5_000)
FED_INSTRUMENTS: Final = 100  # of the rows that begin with bytes
OPEN_ORDERS: Final = (0, 100, 1_000)
_REST_TICKS: Final = 10_000  # how far below the touch the open orders of the flatness test rest


def core_quotes_per_s(directory: Path, *, quotes: int, rounds: int) -> dict[str, Any]:
    """Accepted quotes per second through engine, core and one counting strategy, timers at their natural rate."""
    counting = Counting()
    desk = Desk(directory, instruments(2), counting)
    desk.arm()
    rates = [_rate(desk, counting, quotes) for _ in range(rounds)]
    desk.close()
    return {
        "core_quotes_per_s": round(median(rates)),
        "best": round(max(rates)),
        "rounds": rounds,
        "quotes_per_round": quotes,
    }


def _rate(desk: Desk, counting: Counting, count: int) -> float:
    made = desk.next_quotes(count)
    batches = [made[start : start + READ_FRAMES] for start in range(0, count, READ_FRAMES)]
    frames, until = desk.engine.frames, desk.until
    before = counting.count
    with rare_rounds():
        began = time.perf_counter()
        for batch in batches:
            frames(batch)
            until(batch[-1])
        took_s = time.perf_counter() - began
    return (counting.count - before) / took_s


def flatness(directory: Path, *, quotes: int, rounds: int) -> dict[str, Any]:
    """Nanoseconds per quote with more and more instruments, and with more and more open orders."""
    by_instruments: dict[str, int] = {}
    for number in INSTRUMENTS:
        counting = Counting()
        desk = Desk(directory / f"instruments-{number}", instruments(number), counting, synced=False)
        desk.arm()
        rates = [_rate(desk, counting, quotes) for _ in range(rounds)]
        by_instruments[str(number)] = round(1e9 / median(rates))
        desk.close()
    by_orders: dict[str, int] = {}
    counting = Counting()
    desk = Desk(directory / "orders", instruments(10), counting, synced=False)
    desk.arm()
    for number in OPEN_ORDERS:
        _rest(desk, number)
        rates = [_rate(desk, counting, quotes) for _ in range(rounds)]
        by_orders[str(number)] = round(1e9 / median(rates))
    desk.close()
    return {"quote_ns_by_instruments": by_instruments, "quote_ns_by_open_orders": by_orders}


def _rest(desk: Desk, number: int) -> None:
    """Have so many orders resting at the venue, known to the books as live. RuntimeError where they are not."""
    names = [spec.instrument for spec in desk.specs]
    while len(desk.state.books.orders.live) < number:
        name = names[len(desk.state.books.orders.live) % len(names)]
        market = desk.state.live.markets[name]
        before = len(desk.state.books.orders.live)
        desk.engine.put(
            OrderIntent(
                wall_ns=desk.clock.wall_ns(),
                mono_ns=desk.clock.mono_ns(),
                strategy=STRATEGY,
                intent_seq=before + 1,
                instrument=name,
                side=Side.BUY,
                qty_lots=20,
                price_ticks=market.bid_ticks - _REST_TICKS,
                tif=TimeInForce.POST_ONLY,
            )
        )
        for quote in desk.next_quotes(len(names), gap_ns=1_000_000):
            desk.until(quote)
            desk.engine.frames([quote])
        if len(desk.state.books.orders.live) != before + 1:
            raise RuntimeError(f"an order of the flatness test does not rest: {desk.state.live.last_refusal}")


def gate_ns(directory: Path, *, orders: int) -> dict[str, Any]:
    """Nanoseconds per order through the gate; each order is timed alone, after a quote that was not.

    ``gate``: count it in the rate window, find its desk, all its checks, ``Approved`` made. ``order_step``:
    the whole step of the core on the same intent: gate, order id, order book, worst case recounted, the call to
    the venue and its timer set. The timer's own cost (some 40 ns) is in both.
    """
    desk = Desk(directory, instruments(2), Counting(), synced=False)
    desk.arm()
    state = desk.state
    desks = state.desks
    session = state.live
    clock = time.perf_counter_ns
    gate: list[int] = []
    whole: list[int] = []
    with rare_rounds():
        for number, quote in enumerate(desk.next_quotes(2 * orders, gap_ns=1_000_000)):
            desk.until(quote)
            desk.engine.frames([quote])
            intent = _intent(quote, number)
            if number & 1:
                began = clock()
                session.account.asked.ask(intent)
                verdict = judge(intent, desks[intent.strategy][intent.instrument])
                gate.append(clock() - began)
                if type(verdict) is not Approved:
                    raise RuntimeError(f"an order of the gate's test was refused: {verdict}")
                continue
            began = clock()
            step(state, intent)
            whole.append(clock() - began)
            _forget(desk, session.next_call_id - 1)
    desk.close()
    return {
        "gate_p50_ns": round(percentile(gate, 0.5)),
        "gate_p99_ns": round(percentile(gate, 0.99)),
        "order_step_p50_ns": round(percentile(whole, 0.5)),
        "order_step_p99_ns": round(percentile(whole, 0.99)),
        "orders": orders,
    }


def _intent(quote: Quote, number: int) -> OrderIntent:
    buys = number & 2
    return OrderIntent(
        wall_ns=quote.wall_ns,
        mono_ns=quote.mono_ns,
        strategy=STRATEGY,
        intent_seq=number + 1,
        instrument=quote.instrument,
        side=Side.BUY if buys else Side.SELL,
        qty_lots=20 + number % 7,
        price_ticks=quote.ask_ticks if buys else quote.bid_ticks,
        tif=TimeInForce.IOC,
        decision_ticks=(quote.bid_ticks + quote.ask_ticks) >> 1,
    )


def _forget(desk: Desk, call_id: int) -> None:
    """The venue refuses the order: the next one meets the same books."""
    if call_id not in desk.state.live.calls:
        raise RuntimeError(f"an order of the test was refused: {desk.state.live.last_refusal}")
    step(
        desk.state,
        CallDone(
            wall_ns=desk.clock.wall_ns(),
            mono_ns=desk.clock.mono_ns(),
            call_id=call_id,
            outcome=Fatal(why="not wanted", code="-1"),
        ),
    )


def fed(desk: Desk, specs: Sequence[InstrumentSpec], *, recorded: bool = True) -> FrameSink:
    """Bytes to the strategy as the live loop's sink of a socket read has them: market log, decoder, engine."""
    log = desk.log.extend
    decode = read_decoder(specs)
    frames = desk.engine.frames

    def on_read(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
        log(raws, wall_ns, mono_ns, 0)
        frames(decode(raws, wall_ns, mono_ns))

    def unrecorded(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
        frames(decode(raws, wall_ns, mono_ns))

    return on_read if recorded else unrecorded


class Feeding:
    """Binance bookTicker bytes to the strategy's callback, in process; ``recorded`` in the market log first."""

    def __init__(self, directory: Path, *, recorded: bool = True, number: int = 2) -> None:
        self.counting = Counting()
        self.desk = Desk(directory, instruments(number), self.counting)
        self.desk.arm()
        self._on_read = fed(self.desk, self.desk.specs, recorded=recorded)

    def round(self, count: int) -> float:
        """Seconds per message, of frames made here."""
        seq = self.desk.seq + 1
        return self.pour(frames(self.desk.specs, count, wall_ns=START_WALL_NS, first_seq=seq))

    def pour(self, made: Sequence[bytes]) -> float:
        """Seconds per message that reached the strategy; timers run at their natural rate."""
        desk = self.desk
        count = len(made)
        desk.seq += count
        on_read = self._on_read
        clock = desk.clock
        wall, mono = clock.wall_ns(), clock.mono_ns()
        reads = [
            (made[start : start + READ_FRAMES], mono + 3_000 * start)
            for start in range(0, count, READ_FRAMES)
        ]
        before = self.counting.count
        with rare_rounds():
            began = time.perf_counter()
            for read, read_mono in reads:
                read_wall = wall + read_mono - mono
                desk.bot._until(read_mono, read_wall)
                on_read(read, read_wall, read_mono)
            took_s = time.perf_counter() - began
        clock.tell(wall_ns=wall + 3_000 * count, mono_ns=mono + 3_000 * count)
        return took_s / (self.counting.count - before)


def bytes_quotes_per_s(directory: Path, *, quotes: int, rounds: int) -> dict[str, Any]:
    """Quotes of 100 instruments per second that reached the strategy, from their frames' bytes; none may be lost."""
    found: dict[str, Any] = {"rounds": rounds, "quotes_per_round": quotes, "instruments": FED_INSTRUMENTS}
    for recorded, key in ((False, "bytes_quotes_per_s"), (True, "bytes_recorded_quotes_per_s")):
        feeding = Feeding(directory / key, recorded=recorded, number=FED_INSTRUMENTS)
        before = feeding.counting.count
        rates = [1 / feeding.round(quotes) for _ in range(rounds)]
        if feeding.counting.count - before != rounds * quotes:
            raise RuntimeError("quotes of the benchmark did not reach the strategy")
        feeding.desk.close()
        found |= {key: round(median(rates)), f"{key}_best": round(max(rates))}
    return found


class Ticking:
    """From the bytes of a quote to the approved order at a venue that does nothing, in process.

    The same engine as live with its effects carried out at once. The journal's records are framed (encoded,
    checksummed, chained); ``written``: and handed to the operating system, and the frame is in the market log. The
    disk is not waited for.
    """

    def __init__(self, directory: Path, *, written: bool) -> None:
        self._at = 0
        self._asked = 0
        self.ordering = Ordering(every=1)
        self.ordering.on = False
        self.desk = Desk(
            directory, instruments(2), self.ordering, on_order=self._order, synced=False, written=written
        )
        self.desk.arm()
        self.ordering.on = True
        self._on_read = fed(self.desk, self.desk.specs, recorded=written)

    def _order(self, request: PlaceOrder) -> None:
        self._at = time.perf_counter_ns()
        self._asked = request.order_id

    def round(self, count: int) -> list[int]:
        """Nanoseconds from each quote's bytes to its order, of frames made here."""
        seq = self.desk.seq + 1
        return self.pour(frames(self.desk.specs, count, wall_ns=START_WALL_NS, first_seq=seq))

    def pour(self, made: Sequence[bytes]) -> list[int]:
        """Nanoseconds from each quote's bytes to its order; the venue then refuses it, off the clock."""
        desk = self.desk
        clock = time.perf_counter_ns
        desk.seq += len(made)
        on_read, flush = self._on_read, desk.bot._flush
        session = desk.state.live
        wall, mono = desk.clock.wall_ns(), desk.clock.mono_ns()
        took: list[int] = []
        with rare_rounds():
            for start in range(0, len(made), ORDERS_IN_FLIGHT):
                wall += NS_PER_S
                mono += NS_PER_S
                desk.bot._until(mono, wall)
                desk.clock.tell(wall_ns=wall, mono_ns=mono)
                first_call = session.next_call_id
                for raw in made[start : start + ORDERS_IN_FLIGHT]:
                    self._asked = 0
                    began = clock()
                    on_read((raw,), wall, mono)
                    flush()
                    if not self._asked:
                        raise RuntimeError(f"a quote brought no order: {session.last_refusal}")
                    took.append(self._at - began)
                for call_id in range(first_call, session.next_call_id):
                    self._refuse(call_id)
        return took

    def _refuse(self, call_id: int) -> None:
        desk = self.desk
        desk.engine.put(
            CallDone(
                wall_ns=desk.clock.wall_ns(),
                mono_ns=desk.clock.mono_ns(),
                call_id=call_id,
                outcome=Fatal(why="not wanted", code="-1"),
            )
        )
        desk.bot._flush()


def tick_to_order_in_process(directory: Path, *, orders: int) -> dict[str, Any]:
    """Microseconds from a quote's bytes to its order at a venue port that does nothing."""
    ticking = Ticking(directory, written=True)
    took = ticking.round(orders)
    ticking.desk.close()
    return {
        "tick_to_order_in_process_p50_us": round(percentile(took, 0.5) / 1_000, 2),
        "tick_to_order_in_process_p99_us": round(percentile(took, 0.99) / 1_000, 2),
        "orders": orders,
    }


__all__ = [
    "CODEC",
    "Feeding",
    "Ticking",
    "bytes_quotes_per_s",
    "core_quotes_per_s",
    "flatness",
    "gate_ns",
    "tick_to_order_in_process",
]
