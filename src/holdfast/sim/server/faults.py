"""Planned failures: each matches some requests or user events, and strikes at a rate, a number of times, or for
a while. What was seen and what was struck is counted, so that a test can prove that a fault had its effect.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from random import Random
from typing import Final

from msgspec import Struct

from holdfast.vocab.units import NS_PER_S

USER_KINDS: Final = frozenset({"user_drop", "user_delay", "user_duplicate", "user_reorder"})
BEFORE_KINDS: Final = frozenset({"retire", "refuse", "rate_limit", "slow", "reset", "hang"})
AFTER_KINDS: Final = frozenset(
    {"ack_reset", "ack_hang", "ack_truncated", "ack_empty", "ack_garbage", "ack_error", "ack_slow"}
)
KINDS: Final = USER_KINDS | BEFORE_KINDS | AFTER_KINDS
FAULTS_MAX: Final = 1_000


class FaultSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault as asked for.

    kind, of requests before they take effect: ``retire`` (404/410; ``body`` html, json or empty), ``refuse``
    (``http``, ``code``, ``msg``), ``rate_limit`` (429 or 418, ``retry_after_s``), ``slow`` (``delay_ms``, then
    as usual), ``reset`` and ``hang`` (the request is never acted upon).
    After they took effect, so that the sender cannot know: ``ack_reset`` (connection reset), ``ack_hang``
    (silence for ``delay_ms``, then a reset), ``ack_truncated`` (half a body), ``ack_empty`` (200 and nothing),
    ``ack_garbage`` (200 and no JSON), ``ack_error`` (``http``, ``code``, ``msg``: 503 with -1007 unless told),
    ``ack_slow`` (``delay_ms``).
    Of user events: ``user_drop``, ``user_delay`` (``delay_ms``), ``user_duplicate``, ``user_reorder`` (after the
    next one).

    Matching, every one given must fit, with * and ?: ``method``, ``path`` (a WebSocket API method is the path
    "/ws-fapi/v1/order.place"), ``account``, ``symbol``, ``event`` (user events).
    Extent: ``rate`` of the matches (1 all), at most ``count`` of them, for ``for_s`` seconds of venue time.
    """

    kind: str
    rate: float = 1.0
    count: int | None = None
    for_s: float | None = None
    method: str = "*"
    path: str = "*"
    account: str = "*"
    symbol: str = "*"
    event: str = "*"
    delay_ms: int = 1_000
    http: int = 0
    code: int | None = None
    msg: str = ""
    body: str = "html"
    retry_after_s: int = 60


class Fault(Struct):
    """A fault at work. ``seen``: matches; ``struck``: how many of them it hit."""

    fault_id: int
    spec: FaultSpec
    until_ns: int | None
    seen: int = 0
    struck: int = 0

    def over(self, now_ns: int) -> bool:
        """Whether it has done what was asked."""
        spec = self.spec
        return (spec.count is not None and self.struck >= spec.count) or (
            self.until_ns is not None and now_ns >= self.until_ns
        )


class BadFault(ValueError):
    """A fault that makes no sense: one line for the person who asked."""


class FaultPlan:
    """All faults of one venue. Seeded: the same requests meet the same faults."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._ids = 0
        self.faults: dict[int, Fault] = {}

    def add(self, spec: FaultSpec, now_ns: int) -> Fault:
        """Put a fault to work. Errors: BadFault."""
        if spec.kind not in KINDS:
            raise BadFault(f"unknown fault kind {spec.kind!r}: one of {', '.join(sorted(KINDS))}")
        if not 0 <= spec.rate <= 1:
            raise BadFault(f"rate {spec.rate} is not between 0 and 1")
        if len(self.faults) >= FAULTS_MAX:
            raise BadFault(f"{FAULTS_MAX} faults are at work already")
        self._ids += 1
        until_ns = None if spec.for_s is None else now_ns + int(spec.for_s * NS_PER_S)
        fault = Fault(self._ids, spec, until_ns)
        self.faults[fault.fault_id] = fault
        return fault

    def remove(self, fault_id: int | None = None) -> int:
        """Take one fault away, or all; how many went."""
        if fault_id is None:
            gone = len(self.faults)
            self.faults.clear()
            return gone
        return 0 if self.faults.pop(fault_id, None) is None else 1

    def request(
        self, kinds: frozenset[str], *, method: str, path: str, account: str, symbol: str, now_ns: int
    ) -> FaultSpec | None:
        """The fault that strikes this request, if any: the oldest that wants it."""
        if not self.faults:
            return None
        for fault in self.faults.values():
            spec = fault.spec
            if (
                spec.kind in kinds
                and fnmatchcase(method, spec.method)
                and fnmatchcase(path, spec.path)
                and fnmatchcase(account, spec.account)
                and fnmatchcase(symbol, spec.symbol)
                and self._strikes(fault, now_ns)
            ):
                return spec
        return None

    def user_event(self, *, account: str, event: str, symbol: str, now_ns: int) -> FaultSpec | None:
        """The fault that strikes this user event, if any."""
        if not self.faults:
            return None
        for fault in self.faults.values():
            spec = fault.spec
            if (
                spec.kind in USER_KINDS
                and fnmatchcase(event, spec.event)
                and fnmatchcase(account, spec.account)
                and fnmatchcase(symbol, spec.symbol)
                and self._strikes(fault, now_ns)
            ):
                return spec
        return None

    def _strikes(self, fault: Fault, now_ns: int) -> bool:
        if fault.over(now_ns):
            return False
        fault.seen += 1
        if fault.spec.rate < 1 and self._random.random() >= fault.spec.rate:
            return False
        fault.struck += 1
        return True
