"""From the exchange's events to the sockets that hear an account: rendered once, then whatever faults are planned."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from holdfast.sim.model import Account, SimEvent
from holdfast.sim.server.listen_keys import ListenKey
from holdfast.sim.server.user_events import ListenKeyExpired, UserMessage, messages_of
from holdfast.sim.server.venue import Venue
from holdfast.vocab.units import NS_PER_MS

_ENCODER = msgspec.json.Encoder()
WAITING_MAX = 100_000


class UserStream:
    """Listener of the exchange. An account without a valid listen key is told nothing: ``unheard`` counts that.

    Messages leave in order, each ``user_latency_ms`` after its event; only planned faults reorder or lose them.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._held: dict[str, tuple[bytes, str]] = {}  # by account: a message that waits for the next one
        self._waiting: deque[tuple[float, str, bytes, str]] = deque(maxlen=WAITING_MAX)
        self._timer: asyncio.TimerHandle | None = None
        self._late: set[asyncio.TimerHandle] = set()
        self.unheard = 0
        self.sent = 0

    def on_event(self, account: Account, event: SimEvent) -> None:
        """The exchange tells of something."""
        for kind, symbol, message in messages_of(self._venue, account, event):
            self._tell(account.name, kind, symbol, message)

    def expired(self, key: ListenKey) -> None:
        """A listen key ended: its sockets hear that, and nothing after it."""
        payload = _ENCODER.encode(
            ListenKeyExpired(event_ms=self._venue.shown_ms(self._venue.now_ns()), listen_key=key.key)
        )
        self._venue.hub.publish(key.key, payload, "listenKeyExpired")

    def close(self) -> None:
        """Forget what waits."""
        if self._timer is not None:
            self._timer.cancel()
        for timer in self._late:
            timer.cancel()

    def _tell(self, account: str, kind: str, symbol: str, message: UserMessage) -> None:
        payload = _ENCODER.encode(message)
        fault = self._venue.faults.user_event(
            account=account, event=kind, symbol=symbol, now_ns=self._venue.now_ns()
        )
        if fault is None:
            self._send(account, payload, kind)
            self._release(account)
            return
        if fault.kind == "user_drop":
            return
        if fault.kind == "user_duplicate":
            self._send(account, payload, kind)
            self._send(account, payload, kind)
            self._release(account)
            return
        if fault.kind == "user_reorder":
            self._release(account)
            self._held[account] = (payload, kind)
            self._after(fault.delay_ms, account, None, kind)
            return
        self._after(fault.delay_ms, account, payload, kind)

    def _release(self, account: str) -> None:
        held = self._held.pop(account, None)
        if held is not None:
            self._send(account, *held)

    def _after(self, delay_ms: int, account: str, payload: bytes | None, kind: str) -> None:
        """Send later, past the order of things; without a payload: whatever is still held by then."""

        def now() -> None:
            self._late.discard(timer)
            if payload is None:
                self._release(account)
            else:
                self._publish(account, payload, kind)
            self._venue.hub.flush()

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, now)
        self._late.add(timer)

    def _send(self, account: str, payload: bytes, kind: str) -> None:
        latency_ms = self._venue.config.user_latency_ms
        if not latency_ms:
            self._publish(account, payload, kind)
            return
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + latency_ms * NS_PER_MS / 1e9, account, payload, kind))
        if self._timer is None:
            self._timer = loop.call_at(self._waiting[0][0], self._due)

    def _due(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and self._waiting[0][0] <= loop.time():
            _, account, payload, kind = self._waiting.popleft()
            self._publish(account, payload, kind)
        self._timer = loop.call_at(self._waiting[0][0], self._due) if self._waiting else None
        self._venue.hub.flush()

    def _publish(self, account: str, payload: bytes, kind: str) -> None:
        key = self._venue.listen_keys.valid(account, self._venue.now_ns())
        if key is None or not self._venue.hub.publish(key, payload, kind):
            self.unheard += 1
        else:
            self.sent += 1
