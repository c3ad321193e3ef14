"""A made-up venue whose frames are true, and a road to us on which things happen to them. Everything from a seed.

The venue keeps what it said: each accepted event is held against it. The road notes each thing that it did, with
what the core must have said of it.
"""

import json
import random
from collections import Counter

from holdfast.app.recordings import dialect_for, settings_for
from holdfast.core.ingest.depth_book import BookState
from holdfast.core.step import step
from holdfast.runtime.feed_meter import FeedMeter
from holdfast.runtime.ingesting import Ingest
from holdfast.sim.sources.specs import KNOWN
from holdfast.venues.binance.public import Dialect as Market
from holdfast.vocab.events import ReferencePriced
from holdfast.vocab.market import Mark, Quote, Trade

NS_PER_MS = 1_000_000
START_NS = 1_723_161_255_000 * NS_PER_MS
MONO_NS = 1_000_000_000
STEP_MS = 100
LATE_MS = 1_000  # what the measuring configuration calls late
DEAD_MS = 5_000
NAMES = ("BTCUSDT", "ETHUSDT")
MIDS = {"BTCUSDT": 618_000, "ETHUSDT": 268_000}
FAULTS = (
    "gap",
    "repeat",
    "reorder",
    "frozen",
    "garbage",
    "half",
    "silence",
    "crossed",
    "outlier",
    "clock",
)


class Venue:
    """One instrument, from its beginning: quotes, prints and a book, numbered without holes."""

    def __init__(self, name, rng):
        self.name = name
        self.rng = rng
        self.mid = MIDS[name]
        self.tick = {"BTCUSDT": 10, "ETHUSDT": 100}[name]  # ticks to one
        self.places = {"BTCUSDT": 1, "ETHUSDT": 2}[name]
        self.quote_seq = 1_000
        self.trade_seq = 5_000
        self.book_seq = 9_000
        self.book = {}  # price in ticks -> lots, bids above zero, asks below
        self.said = {}  # (kind, number) -> what is true of it
        self.bests = {}  # number of a change -> (best bid, best ask) behind it

    def text(self, ticks):
        return f"{ticks / self.tick:.{self.places}f}"

    def moves(self):
        self.mid += self.rng.randint(-3, 3)

    def quote(self, at_ms):
        self.quote_seq += self.rng.randint(1, 5)
        bid, ask = self.mid - 1, self.mid + self.rng.randint(1, 4)
        lots = (self.rng.randint(1, 900), self.rng.randint(1, 900))
        self.said[Quote, self.quote_seq] = (bid, ask, *lots)
        return {
            "e": "bookTicker",
            "u": self.quote_seq,
            "s": self.name,
            "b": self.text(bid),
            "B": f"{lots[0] / 1000:.3f}",
            "a": self.text(ask),
            "A": f"{lots[1] / 1000:.3f}",
            "T": at_ms,
            "E": at_ms,
        }

    def trade(self, at_ms):
        self.trade_seq += 1
        price = self.mid + self.rng.choice((-1, 1))
        self.said[Trade, self.trade_seq] = price
        return {
            "e": "trade",
            "s": self.name,
            "t": self.trade_seq,
            "p": self.text(price),
            "q": "0.010",
            "X": "MARKET",
            "m": price < self.mid,
            "T": at_ms,
            "E": at_ms,
        }

    def change(self, at_ms):
        """The book follows the mid: what it passed goes, what is near comes."""
        before = self.book_seq
        self.book_seq += self.rng.randint(1, 3)
        changes = {}
        for price, lots in self.book.items():
            if (lots > 0 and price >= self.mid) or (lots < 0 and price <= self.mid):
                changes[price] = 0
        for away in self.rng.sample(range(1, 12), 4):
            changes[self.mid - away] = self.rng.randint(1, 500)
            changes[self.mid + away] = -self.rng.randint(1, 500)
        bids, asks = [], []
        for price, lots in changes.items():
            known = self.book.get(price, 0)
            if known and known * lots <= 0:  # gone, or now on the other side
                (bids if known > 0 else asks).append([self.text(price), "0.000"])
            if lots:
                (bids if lots > 0 else asks).append([self.text(price), f"{abs(lots) / 1000:.3f}"])
                self.book[price] = lots
            else:
                del self.book[price]
        self._note()
        return {
            "e": "depthUpdate",
            "s": self.name,
            "U": before + 1,
            "u": self.book_seq,
            "pu": before,
            "b": bids,
            "a": asks,
            "T": at_ms,
            "E": at_ms,
        }

    def _note(self):
        self.bests[self.book_seq] = (
            max((price for price, lots in self.book.items() if lots > 0), default=0),
            min((price for price, lots in self.book.items() if lots < 0), default=0),
        )

    def snapshot(self):
        sides = {"bids": 1, "asks": -1}
        return {"lastUpdateId": self.book_seq} | {
            name: [
                [self.text(price), f"{abs(lots) / 1000:.3f}"]
                for price, lots in self.book.items()
                if lots * sign > 0
            ]
            for name, sign in sides.items()
        }


class MeasuredClock:
    """What asking the venue would tell: the truth of the moment."""

    def __init__(self, road):
        self.road = road

    def see(self, *, venue_ns, wall_ns):
        """Nothing is learnt from frames."""

    def offset_ns(self):
        return -self.road.ahead_ms * NS_PER_MS


class BadRoad:
    """``seconds`` of frames on their way, and what befell them."""

    def __init__(self, seed, faults, *, seconds=15, on_refused=None):
        self.rng = random.Random(seed)
        self.faults = faults
        self.venues = {name: Venue(name, self.rng) for name in NAMES}
        self.ahead_ms = 0  # our clock against the venue's
        self.did = Counter()  # what the road did, by fault
        self.told = []  # (fault, instrument, reasons one of which must have been given), for frames of their own
        self.wrong = []  # accepted, and not what the venue said
        self.accepted = set()
        self.silent_until_ms = {}
        self.frozen = {}  # (instrument, kind) -> (the stamp, until)
        self.outlier_until_ms = {}
        self.fault_until_ms = 0
        self.now_ms = 0
        self.end_ms = seconds * 1_000
        specs = {name: KNOWN[name] for name in NAMES}
        self.meter = FeedMeter("bad road", dead_ns=DEAD_MS * NS_PER_MS)
        self.ingest = Ingest(
            settings_for(specs, None),
            clock=MeasuredClock(self),
            meter=self.meter,
            on_refused=self._note_refused,
        )
        self.dialect = dialect_for(Market.USDM, specs, lambda: 0)
        self.on_refused = on_refused
        self.refused = []  # why, of the frame in hand
        self.late_frames = []
        self.frames_count = 0
        self.last_accepted = {}

    def _note_refused(self, raw, event, why):
        self.refused.append(why)
        if self.on_refused is not None:
            self.on_refused(raw, event, why)

    # --- what happens -----------------------------------------------------------------------------------------

    def run(self):
        while self.now_ms < self.end_ms:
            self.now_ms += STEP_MS
            self._befalls()
            for venue in self.venues.values():
                venue.moves()
                self._says(venue)
            if self.now_ms % 200 == 0:
                self._reference()
        return self

    def _befalls(self):
        """Things that last begin once for sure and then now and again; the last nine seconds are quiet, so that all can be well again."""
        first = self.now_ms == 1_000
        if self.now_ms > self.end_ms - 9_000 or (self.rng.random() > 0.03 and not first):
            return
        name = self.rng.choice(NAMES)
        for fault in self.faults:
            if self.rng.random() > 0.5 and not first:
                continue
            if fault == "silence":
                self.silent_until_ms[name] = self.now_ms + DEAD_MS + 1_500
            elif fault == "frozen":
                kind = self.rng.choice(("quote", "trade"))
                self.frozen[name, kind] = (self._stamp_ms(), self.now_ms + LATE_MS + 500)
            elif fault == "outlier" and self.now_ms >= 1_000:  # the first of all has nothing to be judged by
                self.outlier_until_ms[name] = self.now_ms + 300
            elif fault == "clock":
                self.ahead_ms += self.rng.choice((-5_000, 5_000))
                self.did["clock"] += 1
        self.fault_until_ms = self.now_ms + 2_000

    def _stamp_ms(self):
        return START_NS // NS_PER_MS + self.now_ms

    def _says(self, venue):
        at_ms = self._stamp_ms()
        frames = [("quote", venue.quote(at_ms)), ("depth", venue.change(at_ms))]
        if self.rng.random() < 0.5:
            frames.append(("trade", venue.trade(at_ms)))
        if self.silent_until_ms.get(venue.name, 0) > self.now_ms:
            self.did["silence"] += 1
            return
        if self.now_ms % 500 == 0:
            self._body(venue)
        for kind, frame in frames:
            self._carry(venue, kind, frame)

    def _carry(self, venue, kind, frame):
        """One frame along the road, or what is left of it."""
        name = venue.name
        quiet = self.now_ms > self.end_ms - 1_500  # another snapshot may have to come yet
        fault = self.rng.choice(self.faults) if self.rng.random() < 0.05 and not quiet else ""
        frozen = self.frozen.get((name, kind))
        if frozen is not None and self.now_ms < frozen[1]:
            frame = {**frame, "T": frozen[0], "E": frozen[0]}
            if self._stamp_ms() - frozen[0] > LATE_MS:
                self._frame(frame, name, "frozen", self._clocks(kind))
                return
        if kind == "quote" and self.now_ms < self.outlier_until_ms.get(name, 0):
            self._outlier(venue, frame)
            return
        match fault:
            case "gap" if kind != "quote":  # quotes are numbered with holes: nobody can tell
                self._hole(name, kind)
            case "repeat":
                self._frame(frame, name)
                stem = "" if kind == "quote" else f"{kind}_"
                # a repeated frame that was refused, or lies behind a hole, is still seen to be an old one
                self._frame(frame, name, "repeat", {f"{stem}repeated", *self._clocks(kind), "depth_repeated"})
            case "reorder":
                self._hole(name, kind)  # until it comes, and then it is too late
                self.late_frames.append((venue, kind, frame))
                return
            case "garbage":
                self._frame(frame, name)
                self._raw(self.rng.randbytes(self.rng.randint(1, 60)), "", "garbage", {"not a frame"})
            case "half":
                raw = json.dumps(frame).encode()
                self._raw(raw[: self.rng.randint(3, len(raw) - 1)], "", "half", {"not a frame"})
                self._hole(name, kind)
            case "crossed" if kind == "quote":
                bid = venue.text(venue.mid + 5)
                self._frame({**frame, "b": bid}, name, "crossed", {"crossed", *self._clocks(kind)})
            case _:
                self._frame(frame, name)
        self._overtaken(venue, kind)

    def _hole(self, name, kind):
        """Something is missing; nobody can tell of quotes, which have holes, nor before the first of a stream."""
        stream = {"trade": "trades", "depth": "depth"}.get(kind, "")
        if (name, stream) in self.meter.streams:
            self.did["gap", name, kind] += 1

    def _overtaken(self, venue, kind):
        """What was held back comes behind the next frame of its stream."""
        for held in [one for one in self.late_frames if one[:2] == (venue, kind)]:
            self.late_frames.remove(held)
            stem = "" if kind == "quote" else f"{kind}_"
            self._frame(
                held[2],
                venue.name,
                "reorder",
                {f"{stem}out_of_order", "depth_repeated", *self._clocks(kind)},
            )

    def _outlier(self, venue, frame):
        down = venue.mid * 65 // 100
        frame = {**frame, "b": venue.text(down), "a": venue.text(down + 2)}
        self._frame(frame, venue.name, "outlier", {"cross_source", "jump", *self._clocks("quote")})

    @staticmethod
    def _clocks(kind):
        """While the clocks have just moved apart, any frame may be refused for that first."""
        stem = "trade_" if kind == "trade" else ""
        return {f"{stem}late", f"{stem}early"}

    # --- in -----------------------------------------------------------------------------------------------------

    def _frame(self, frame, name, fault="", reasons=frozenset()):
        self._raw(json.dumps(frame).encode(), name, fault, reasons)

    def _raw(self, raw, name, fault, reasons):
        """Step it, and hold what became of it against what must have."""
        ingest = self.ingest
        self.frames_count += 1
        self.refused.clear()
        ingest.frame(self.dialect, raw, **self._times())
        refused = self.refused
        if fault:
            self.did[fault] += 1
            if not reasons.intersection(refused) and not (
                fault in {"repeat", "reorder"} and self._unseen(raw)
            ):
                self.wrong.append((fault, name, list(refused), raw[:200]))
        if not refused:
            self._hold_against_the_truth(raw)

    def _unseen(self, raw):
        """An old frame whose first copy never counted is news; then what it says must be true."""
        return (
            self._key(raw) not in self.accepted
            or self.ingest.state.live.depths[self._key(raw)[1]].book.needs_snapshot
        )

    def _key(self, raw):
        event = self.dialect.decode(raw, 0, 0)
        return (type(event), event.instrument, event.seq)

    def _hold_against_the_truth(self, raw):
        event = self.dialect.decode(raw, 0, 0)
        if event is None or isinstance(event, Mark):
            return
        key = (type(event), event.instrument, event.seq)
        venue = self.venues[event.instrument]
        last = self.last_accepted.get(key[:2], -1)
        if isinstance(event, Quote):
            told = (event.bid_ticks, event.ask_ticks, event.bid_lots, event.ask_lots)
            right = venue.said[Quote, event.seq] == told and event.seq > last
        elif isinstance(event, Trade):
            right = venue.said[Trade, event.seq] == event.price_ticks and event.seq > last
        else:
            right = self._book_is_right(venue)
        self.accepted.add(key)
        self.last_accepted[key[:2]] = event.seq
        if not right:
            self.wrong.append(("accepted", key, last))

    def _book_is_right(self, venue):
        """A book that calls itself whole is the venue's, as of the change that it names."""
        book = self.ingest.state.live.depths[venue.name].book
        if book.state is not BookState.WHOLE:
            return True
        return venue.bests[book.seq] == (book.bid_ticks, book.ask_ticks)

    def _body(self, venue):
        body = json.dumps(venue.snapshot(), separators=(",", ":")).encode()
        self.frames_count += 1
        self.ingest.reply(self.dialect, body, venue.name, **self._times())

    def _reference(self):
        """Another source, which is right."""
        if self.ingest.state.session is None:
            return
        rows = tuple((venue.name, 2 * venue.mid) for venue in self.venues.values())
        step(self.ingest.state, ReferencePriced(**self._times(), feed="elsewhere", rows=rows))

    def _times(self):
        return {
            "wall_ns": (self._stamp_ms() + self.ahead_ms) * NS_PER_MS + 3 * NS_PER_MS,
            "mono_ns": MONO_NS + self.now_ms * NS_PER_MS,
        }

    # --- afterwards ---------------------------------------------------------------------------------------------

    def adds_up(self):
        accounts = self.ingest.accounts.values()
        return all(one.adds_up for one in accounts) and self.frames_count == sum(one.read for one in accounts)

    def holes_seen(self, name, kind):
        """Holes that were counted in one stream."""
        stream = {"trade": "trades", "depth": "depth"}[kind]
        return self.meter.streams[name, stream].gaps_count

    def books_crossed(self):
        """A book of true frames never crosses: how often one that was put together here did."""
        return sum(
            watch.missed_count.get("depth_crossed", 0) for watch in self.ingest.state.live.depths.values()
        )

    def books(self):
        return {name: watch.book.state for name, watch in self.ingest.state.live.depths.items()}

    def alerts(self):
        return self.ingest.alerts
