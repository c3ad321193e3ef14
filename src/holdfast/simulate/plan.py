"""The fault plan: every kind of fault that a simulation can make happen, and when it does.

A kind is on at a rate, in a burst (often, for a moment) or sticky (every time, until the weather changes). What is
counted is never that a fault was meant to happen, but that it did: something was lost, changed, or came too late.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Final

from msgspec import Struct


class Group(Enum):
    """Where a fault comes from."""

    VENUE = "venue"
    NETWORK = "network"
    CLOCK = "clock"
    DISK = "disk"
    PROCESS = "process"
    PEOPLE = "people"


class Manner(Enum):
    """How a fault of the weather comes."""

    RATE = "rate"
    BURST = "burst"
    STICKY = "sticky"


_V, _N, _C, _D, _P, _H = Group

WEATHER: Final[dict[str, Group]] = {  # may strike at each call, answer, event or write
    "answer_lost": _N,
    "answer_late": _N,
    "answer_unreadable": _V,
    "request_lost": _N,
    "request_slow": _N,
    "request_given_up": _N,
    "event_lost": _N,
    "event_late": _N,
    "event_doubled": _N,
    "event_before_ack": _V,
    "end_contradicted": _V,
    "refused_for_now": _V,
    "refused_for_good": _V,
    "accepted_yet_refused": _V,
    "unlisted_code": _V,
    "endpoint_retired": _V,
    "endpoint_unavailable": _V,
    "endpoint_mute": _V,
    "positions_source_gone": _V,
    "cancel_ignored": _V,
    "orders_stale": _V,
    "order_left_out": _V,
    "positions_stale": _V,
    "position_left_out": _V,
    "positions_empty": _V,
    "balances_stale": _V,
    "balances_zero": _V,
    "executions_cut": _V,
    "withheld_by_lease": _P,
    "withheld_by_buffer": _P,
    "write_refused": _D,
    "write_short": _D,
    "sync_refused": _D,
}
MOVES: Final[dict[str, Group]] = {  # happen at their moments
    "stream_cut": _N,
    "stream_mute": _N,
    "feed_silent": _N,
    "feed_lags": _N,
    "partition": _N,
    "deadman_fires": _V,
    "orders_wiped": _V,
    "venue_closed": _V,
    "spec_changed": _V,
    "notice": _V,
    "price_jump": _V,
    "book_thin": _V,
    "foreign_order": _V,
    "cancelled_elsewhere": _V,
    "liquidated": _V,
    "deleveraged": _V,
    "fill_busted": _V,
    "transfer": _V,
    "funding": _V,
    "funding_of_all": _V,
    "venue_clock_step": _C,
    "venue_clock_drift": _C,
    "wall_clock_step": _C,
    "wall_clock_frozen": _C,
    "pause": _C,
    "suspend": _C,
    "disk_full": _D,
    "disk_read_only": _D,
    "tail_torn": _D,
    "tail_lost": _D,
    "writes_reordered": _D,
    "killed": _P,
    "killed_in_recovery": _P,
    "reboot": _P,
    "second_instance": _P,
    "wrong_environment": _H,
    "lease_lost": _P,
    "strategy_raises": _P,
    "halt": _H,
    "halt_twice": _H,
    "stop_or_ban": _H,
    "flatten": _H,
    "resume_in_flatten": _H,
    "command_replayed": _H,
    "limit_typo": _H,
    "limit_tightened": _H,
    "gross_tightened": _H,
    "signed_twice": _H,
    "resolve": _H,
}
KINDS: Final[dict[str, Group]] = {**WEATHER, **MOVES}

# One at a time they are the whole of the weather; what sticks may last until the weather changes.
_RATES: Final = (0.02, 0.08, 0.25)
_BURST_ODDS: Final = 0.7
_BURST_MS: Final = (100, 400, 1_500)
# Sticking, these would leave nothing to look at: no order gets out, or every life ends at once.
_NEVER_STICKY: Final = frozenset(
    {"write_refused", "sync_refused", "refused_for_good", "accepted_yet_refused"}
)
# How much seldomer, or oftener, than the usual: lists are asked for every few seconds, writes all the time.
_SHARE: Final = {
    "write_refused": 0.04,
    "sync_refused": 0.6,
    "accepted_yet_refused": 3.0,
    "unlisted_code": 0.1,
    "orders_stale": 10.0,
    "order_left_out": 10.0,
    **dict.fromkeys(
        (
            "endpoint_unavailable",
            "positions_stale",
            "position_left_out",
            "positions_empty",
            "balances_stale",
            "balances_zero",
            "executions_cut",
            "positions_source_gone",
        ),
        4.0,
    ),
}


# Chosen oftener: what they need (an open order, a list that has changed) is seldom there.
_OFTENER: Final = {
    "orders_stale": 4,
    "order_left_out": 4,
    "balances_stale": 2,
    "cancel_ignored": 2,
    "endpoint_retired": 2,
}


class PlanUnusable(Exception):
    """A fault that no kind and no group is called by."""


def kinds_of(words: Iterable[str]) -> frozenset[str]:
    """The kinds that are meant by names of kinds and groups, ``all`` and ``none``; ``-name`` takes away.

    Errors: PlanUnusable for a word that names nothing.
    """
    chosen: set[str] = set()
    for number, word in enumerate(words):
        without = word.startswith("-")
        name = word.removeprefix("-")
        if name == "all":
            meant = set(KINDS)
        elif name == "none":
            meant = set()
        elif name in KINDS:
            meant = {name}
        else:
            meant = {kind for kind, group in KINDS.items() if group.value == name}
            if not meant:
                raise PlanUnusable(f"no fault and no group of faults is called {name[:40]!r}")
        if without and number == 0:
            chosen = set(KINDS)
        chosen = chosen - meant if without else chosen | meant
    return frozenset(chosen)


class On(Struct, frozen=True):
    """One kind at work: with what odds, and until when."""

    odds: float
    until_mono_ns: int


class Weather:
    """Which faults are at work, and how often each was seen to have an effect."""

    def __init__(self, seed: int, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self.seen: Counter[str] = Counter()
        self.manners: Counter[str] = Counter()
        self.look_due = False  # the auditor looks at everything after every fault
        self.now_mono_ns = 0
        self.groups: frozenset[str] = frozenset()  # the kinds of request that a broken endpoint answers
        self._rng = random.Random(f"weather {seed}")
        self._choices = [name for name in WEATHER if name in kinds for _ in range(_OFTENER.get(name, 1))]
        self._on: dict[str, On] = {}

    def calms_down(self) -> None:
        """Nothing of it is at work from now on."""
        self._on = {}
        self.groups = frozenset()

    def changes(self, groups: tuple[str, ...]) -> None:
        """Another mixture: mostly one fault or two, at times none, and rarely all of them."""
        rng = self._rng
        self.calms_down()
        if not self._choices or rng.random() < 0.12:
            return
        count = min(len(self._choices), rng.choice((1, 1, 2, 2, 3, 5, len(self._choices))))
        self.groups = frozenset(rng.sample(groups, rng.choice((1, 1, 2, 4))))
        for name in rng.sample(self._choices, count):
            manner = rng.choice(tuple(Manner)) if count < len(self._choices) else Manner.RATE
            if manner is Manner.STICKY and name in _NEVER_STICKY:
                manner = Manner.RATE
            self.manners[manner.value] += 1
            usual = _SHARE.get(name, 1.0)
            if manner is Manner.STICKY:
                self._on[name] = On(1.0, 1 << 62)
            elif manner is Manner.BURST:
                length_ms = rng.choice(_BURST_MS)
                self._on[name] = On(_BURST_ODDS * usual, self.now_mono_ns + length_ms * 1_000_000)
            else:
                odds = _RATES[0] if count == len(self._choices) else rng.choice(_RATES)
                self._on[name] = On(odds * usual, 1 << 62)

    def strikes(self, name: str) -> bool:
        """Whether this fault is to happen here and now. Whoever asks says by ``saw`` whether it had an effect."""
        on = self._on.get(name)
        return on is not None and on.until_mono_ns > self.now_mono_ns and self._rng.random() < on.odds

    def saw(self, name: str) -> None:
        """It happened, and had an effect."""
        self.seen[name] += 1
        self.look_due = True
