"""What people, the venue and the machine do at random moments, drawn from a seed."""

import random

from holdfast.sim.model import NewOrder, Refused
from holdfast.vocab.effects import TripLatch
from holdfast.vocab.events import Command, LeaseLost, NoticeKind, StrategyFailed, VenueNotice, Verb
from holdfast.vocab.facts import BreakKind
from holdfast.vocab.holds import ACCOUNT, HoldCause, Release, Scope
from holdfast.vocab.orders import Side
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S

STRATEGIES = ("quoter", "momentum", "restless")


class Chaos:
    """Moves of one seed; ``goes_on`` False ends them."""

    def __init__(self, world, *, mean_ms=400, only=None):
        self.world = world
        self.rng = random.Random(f"chaos {world.seed}")
        self.mean_ms = mean_ms
        self.goes_on = True
        self.commands = 0
        self.foreign = 0
        self.table = [(move, weight) for move, weight in _TABLE if only is None or move.__name__ in only]
        world.later(self.rng.randrange(1, 3_000), self._turn)

    def _turn(self):
        if not self.goes_on:
            return
        world = self.world
        move, _ = self.rng.choices(self.table, weights=[weight for _, weight in self.table])[0]
        world.later(self.rng.randrange(1, 2 * self.mean_ms), self._turn)
        if world.bot is None or world.standing_still is not None:
            return
        world.acts[move.__name__] += 1
        move(self)

    # --- the world ----------------------------------------------------------------------------------------------

    def weather(self):
        self.world.storm.changes()

    def stream(self):
        world = self.world
        world.port.stream_down("cut")
        port = world.port

        def up():
            if world.port is port and port._sink is not None:
                port.stream_up()

        world.later(self.rng.choice([5, 300, 3_000, 9_000]), up)

    def silence(self):
        world = self.world
        until = world.mono_ns + self.rng.choice([300, 1_500, 7_000]) * NS_PER_MS
        for spec in world.specs:
            if self.rng.random() < 0.7:
                world.silent_until[spec.instrument] = until

    def venue_clock(self):
        step = self.rng.choice([-12_000, -3_000, -500, 500, 3_000, 12_000]) * NS_PER_MS
        self.world.venue_step_ns += step
        self.world.port.venue_offset_ns += step

    def wall_clock(self):
        step = self.rng.choice([-30_000, -2_000, 2_000, 30_000]) * NS_PER_MS
        self.world.wall_skew_ns += step
        self.world.port.venue_offset_ns -= step

    def pause(self):
        """The whole process stands still: nothing is read, no timer fires."""
        self.world.pauses(self.rng.choice([0.3, 2, 6, 20]))

    def jump(self):
        """The market opens elsewhere."""
        self.world.price_ppm = (
            self.world.price_ppm * self.rng.choice([750, 880, 970, 1_030, 1_120, 1_300]) // 1_000
        )

    def notice(self):
        world = self.world
        world.bot.engine.put(
            VenueNotice(
                wall_ns=world.clock.wall_ns(),
                mono_ns=world.mono_ns,
                kind=self.rng.choice(list(NoticeKind)),
                instrument="",
                text="something",
            )
        )

    def crash(self):
        self.world.die_after_calls = self.rng.randrange(1, 30)

    def lease(self):
        world = self.world
        world.bot.engine.put(
            LeaseLost(wall_ns=world.clock.wall_ns(), mono_ns=world.mono_ns, expired_ms=700, contested=False)
        )

    def strategy_fails(self):
        world = self.world
        world.bot.engine.put(
            StrategyFailed(
                wall_ns=world.clock.wall_ns(),
                mono_ns=world.mono_ns,
                strategy=self.rng.choice(STRATEGIES),
                error="oops",
            )
        )

    # --- somebody in the app --------------------------------------------------------------------------------------

    def foreign_order(self):
        world = self.world
        rng = self.rng
        spec = rng.choice(world.specs)
        bid, _, ask, _ = world.exchange.touch(spec.instrument)
        if not bid:
            return
        self.foreign += 1
        market = rng.random() < 0.5
        world.auditor.foreign_act_ns = world.venue_now_ns()
        lots = spec.notional_e8_min * 2 // (ask * spec.tick_lot_e8) + 1
        try:
            world.exchange.place(
                world.account,
                NewOrder(
                    symbol=spec.instrument,
                    side=rng.choice([Side.BUY, Side.SELL]),
                    type="MARKET" if market else "LIMIT",
                    qty_lots=lots,
                    client_id=f"web_{self.foreign}",
                    price_ticks=0 if market else bid - rng.randrange(-3, 50),
                ),
                world.venue_now_ns(),
            )
        except Refused:
            world.acts["foreign refused"] += 1

    def app_cancels(self):
        world = self.world
        orders = [*world.account.open_orders.values()]
        if orders:
            order = self.rng.choice(orders)
            world.exchange.cancel(
                world.account, order.symbol, order_id=order.order_id, now_ns=world.venue_now_ns()
            )

    def liquidated(self):
        world = self.world
        held = [position for position in world.account.positions.values() if position.position_lots]
        if held:
            world.auditor.foreign_act_ns = world.venue_now_ns()
            world.exchange.advance(world.venue_now_ns())
            world.exchange._liquidator._close(world.account, self.rng.choice(held), world.venue_now_ns())
            world.exchange._settle(world.venue_now_ns())

    def pays(self):
        world = self.world
        now = world.venue_now_ns()
        if self.rng.random() < 0.5:
            world.exchange.transfer(world.account, "USDT", self.rng.choice([-500, 1_000]) * E8, now)
        else:
            world.exchange.pay_funding(
                self.rng.choice(world.specs).instrument, self.rng.choice([-900_000, 500_000]), now
            )

    # --- people ---------------------------------------------------------------------------------------------------

    def says(self, verb, *, scope=ACCOUNT, by="ann", **fields):
        world = self.world
        self.commands += 1
        world.acts[f"says {verb.value}"] += 1
        world.bot.engine.put(
            Command(
                wall_ns=world.clock.wall_ns(),
                mono_ns=world.mono_ns,
                command_id=self.commands,
                verb=verb,
                by=by,
                reason="because",
                scope=scope,
                latch_nonce=world.bot._trip,
                **fields,
            )
        )
        world.bot._flush()

    def _scope(self):
        rng = self.rng
        return Scope(
            strategy=rng.choice(["", "", *STRATEGIES]),
            instrument=rng.choice(["", "", *(spec.instrument for spec in self.world.specs)]),
        )

    def halts(self):
        self.world.bot.trip_latch(TripLatch(by="ann", reason="halt"))

    def stops(self):
        verb = self.rng.choice(
            [
                Verb.HALT,
                Verb.PAUSE,
                Verb.BAN,
                Verb.CANCEL,
                Verb.CANCEL,
                Verb.FLATTEN,
                Verb.FLATTEN,
                Verb.STOP,
                Verb.KILL,
            ]
        )
        self.says(verb, scope=self._scope(), protective=self.rng.random() < 0.3)

    def flattens(self):
        self.says(self.rng.choice([Verb.FLATTEN, Verb.KILL, Verb.STOP]))

    def asks(self):
        self.says(self.rng.choice([Verb.RECONCILE, Verb.ARM, Verb.SYNC]))

    def loosens(self):
        """Somebody tries to trade again."""
        world = self.world
        state = world.state
        for key in list(state.books.ledger.quarantined):
            self.says(Verb.QUARANTINE_RELEASE, trade_id=key)
        for hold in list(state.books.holds.holds.values()):
            if hold.cause is HoldCause.STARTUP:
                self.says(Verb.ARM)
            elif hold.release is Release.TWO_PERSONS:
                self.says(Verb.RECOVER, second_by=self.rng.choice(["bob", ""]))
            elif hold.release is Release.PERSON:
                self.says(Verb.RESUME, hold_id=hold.hold_id)
        if any(found.kind is BreakKind.ORDER_RISEN for found in state.books.breaks.values()):
            self.says(Verb.CANCEL, protective=True)
            self.says(Verb.ADOPT)


_TABLE = [
    (Chaos.weather, 14),
    (Chaos.stream, 2),
    (Chaos.silence, 2),
    (Chaos.venue_clock, 0.6),
    (Chaos.wall_clock, 0.3),
    (Chaos.crash, 1.5),
    (Chaos.pause, 0.7),
    (Chaos.jump, 0.15),
    (Chaos.notice, 0.2),
    (Chaos.lease, 0.4),
    (Chaos.strategy_fails, 0.2),
    (Chaos.foreign_order, 1),
    (Chaos.app_cancels, 1.5),
    (Chaos.liquidated, 0.3),
    (Chaos.pays, 1),
    (Chaos.halts, 0.5),
    (Chaos.stops, 2),
    (Chaos.flattens, 0.5),
    (Chaos.asks, 1),
    (Chaos.loosens, 16),
]

__all__ = ["NS_PER_S", "Chaos"]
