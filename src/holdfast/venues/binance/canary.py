"""The canary: an order that only the venue's own dead-man switch may cancel, to see that it does.

Far from the market, post-only and as small as the venue takes. Not an order of the books: it is sent while nothing else
trades the account, under a name that no order of ours can have, and it is gone before anything else begins.
"""

from __future__ import annotations

import asyncio
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from holdfast.ports.clock import Clock
from holdfast.ports.probe import Canary
from holdfast.ports.venue import MaySend
from holdfast.venues.binance import calls, wire
from holdfast.venues.binance.asking import Answer, decoded
from holdfast.venues.binance.calls import Calls
from holdfast.venues.binance.codec import Unreadable, read
from holdfast.venues.binance.contract import MARK
from holdfast.venues.binance.errors import Kind
from holdfast.venues.transport.hop import always
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Fatal, Suppressed, Transient
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.units import NS_PER_MS, NotANumber, decimal_of, text_of

# Binance refuses a buy below 95 % of the mark (PERCENT_PRICE); nearer than this it might fill on a wild day.
_BELOW_MARK: Final = Decimal("0.97")
_LOOK_S: Final = 0.25
_OPEN: Final = ("NEW", "PARTIALLY_FILLED")
_LANDINGS: Final = 4  # a cancel may overtake a slow order: it is asked for again, and looked at, so often
NAME: Final = "dead-man switch"


async def fly(work: Calls, canary: Canary, *, clock: Clock) -> Check:
    """Arm, place, wait for the venue to cancel, and leave nothing behind, whatever became of it."""
    flight = _Flight(work, canary, clock)
    try:
        found = await flight.go()
    finally:
        lost = await flight.land()
    return lost or found


class _Flight:
    def __init__(self, work: Calls, canary: Canary, clock: Clock) -> None:
        self._work = work
        self._canary = canary
        self._clock = clock
        self._symbol = canary.spec.instrument
        self._client_id = f"hfcanary-{clock.wall_ns() // NS_PER_MS}"
        self._armed_ns: int | None = None  # when it was last asked for; None: no countdown of ours can run
        self._placed = False

    async def go(self) -> Check:
        canary = self._canary
        resting = await self._resting()
        if resting:
            return self._not_proven(resting)
        price_ticks = await self._price_ticks()
        if price_ticks is None:
            return self._not_proven(f"no mark price of {self._symbol}")
        spec = canary.spec
        least = -(-spec.notional_e8_min // max(1, price_ticks * spec.tick_lot_e8))
        lots = max(1, spec.qty_lots_min, least)
        if lots > canary.order_lots_max or lots * price_ticks * spec.tick_lot_e8 > canary.notional_e8_max:
            return self._not_proven(
                f"the venue's smallest order in {self._symbol} is above this bot's limits"
            )
        self._armed_ns = self._clock.mono_ns()  # from here on it may run, whatever the answer says
        if not await self._countdown(canary.countdown_ms):
            return self._failed("the venue does not say that it armed it")
        placed = await self._place(lots, price_ticks)
        if not isinstance(placed, str):
            self._placed = not isinstance(
                placed, Transient | Fatal | Suppressed
            )  # those prove that it is not there
            return self._not_proven(
                f"the canary was not taken: {getattr(placed, 'why', type(placed).__name__)}"
            )
        began_ns = self._clock.mono_ns()
        status = ""
        while self._ms_since(began_ns) < canary.countdown_ms + canary.late_ms:
            await asyncio.sleep(_LOOK_S)
            status = await self._status()
            if status and status not in _OPEN:
                break
        took_ms = self._ms_since(began_ns)
        if not status:
            return self._failed(f"what became of the canary was not told {took_ms} ms after it")
        if status in _OPEN:
            return self._failed(
                f"an order armed for {canary.countdown_ms} ms was still open after {took_ms} ms"
            )
        if status not in {"CANCELED", "EXPIRED"}:
            return self._failed(f"the canary ended as {status}: look at the position in {self._symbol}")
        self._placed = False
        if took_ms < canary.countdown_ms // 2:
            return self._failed(f"the canary was cancelled after {took_ms} ms: not by the countdown")
        return Check(
            name=NAME,
            verdict=Verdict.OK,
            found=f"cancelled an order in {self._symbol} {took_ms} ms after it, armed for {canary.countdown_ms} ms",
        )

    async def land(self) -> Check | None:
        """Cancel what may be open, and disarm: nobody's later order must meet a countdown of ours.

        While it is not seen final the countdown runs on: an order of ours that nobody knows of is worse.
        """
        if self._placed and not await self._gone():
            return self._failed(
                f"the canary {self._client_id} may rest in {self._symbol}: its countdown of "
                f"{self._canary.countdown_ms} ms is left running"
            )
        if self._armed_ns is not None and not await self._countdown(0):
            await self._run_out(self._armed_ns)
        return None

    async def _run_out(self, armed_ns: int) -> None:
        """Nobody said that it is disarmed: nothing rests that it could cancel, so it may as well fire."""
        left_ms = self._canary.countdown_ms + self._canary.late_ms - self._ms_since(armed_ns)
        await asyncio.sleep(max(0, left_ms) / 1_000)

    async def _gone(self) -> bool:
        """Cancel until the venue says that it ended. That it knows no such order proves nothing: it may yet come."""
        for landing in range(_LANDINGS):
            if landing:
                await asyncio.sleep(_LOOK_S)
            await self._ask_cancel({"symbol": self._symbol, "origClientOrderId": self._client_id})
            status = await self._status()
            if status and status not in _OPEN:
                return True
        return False

    def _ms_since(self, began_ns: int) -> int:
        return (self._clock.mono_ns() - began_ns) // NS_PER_MS

    def _not_proven(self, why: str) -> Check:
        return Check(
            name=NAME, verdict=Verdict.WARN, found=f"not proven: {why}", advice="holdfast doctor --venue"
        )

    def _failed(self, why: str) -> Check:
        return Check(
            name=NAME,
            verdict=Verdict.FAIL,
            found=why,
            advice="nobody would cancel for a dead bot: use the watchdog, and ask the venue",
        )

    async def _resting(self) -> str:
        """Why not here: whatever rests in the instrument would be cancelled with the canary."""
        params = {"symbol": self._symbol}
        for endpoint in (calls.OPEN, calls.OPEN_ALGO):
            answer = await self._work.asker.ask(
                endpoint, params, kind=Kind.READ, lane=Lane.READ, may_send=always
            )
            rows = decoded(answer)
            if not isinstance(rows, list):
                return "the open orders are not told"
            if rows:
                return f"orders rest in {self._symbol}"
        return ""

    async def _price_ticks(self) -> int | None:
        answer = await self._work.asker.ask(
            MARK, {"symbol": self._symbol}, kind=Kind.READ, lane=Lane.READ, may_send=always
        )
        told = decoded(answer)
        if not isinstance(told, dict):
            return None
        try:
            mark = decimal_of(str(told.get("markPrice")))
        except NotANumber:
            return None
        ticks = mark * _BELOW_MARK / Decimal(self._canary.spec.tick)
        whole = int(ticks.to_integral_value(rounding=ROUND_FLOOR))
        return whole if whole > 0 else None

    async def _countdown(self, countdown_ms: int) -> bool:
        params = {"symbol": self._symbol, "countdownTime": str(countdown_ms)}
        answer = await self._work.asker.ask(
            calls.COUNTDOWN, params, kind=Kind.CONFIG, lane=Lane.CANCEL, may_send=always
        )
        return isinstance(answer, str)

    async def _place(self, lots: int, price_ticks: int) -> Answer:
        spec = self._canary.spec
        params = {
            "symbol": self._symbol,
            "side": "BUY",
            "type": "LIMIT",
            "quantity": text_of(lots, Decimal(spec.lot)),
            "price": text_of(price_ticks, Decimal(spec.tick)),
            "timeInForce": "GTX",
            "newClientOrderId": self._client_id,
            "newOrderRespType": "RESULT",
        }
        self._placed = True  # from here on it may be there, whatever the answer says
        may_send: MaySend = self._canary.may_send
        return await self._work.asker.ask(
            calls.PLACE, params, kind=Kind.PLACE, lane=Lane.RISK, may_send=may_send
        )

    async def _status(self) -> str:
        answer = await self._work.asker.ask(
            calls.QUERY,
            {"symbol": self._symbol, "origClientOrderId": self._client_id},
            kind=Kind.QUERY,
            lane=Lane.READ,
            may_send=always,
        )
        if not isinstance(answer, str):
            return ""
        try:
            return read(answer, wire.OrderReply).status
        except Unreadable:
            return ""

    async def _ask_cancel(self, params: dict[str, str]) -> None:
        await self._work.asker.ask(calls.CANCEL, params, kind=Kind.CANCEL, lane=Lane.CANCEL, may_send=always)
