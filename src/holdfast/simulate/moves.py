"""What people, the venue and the machine do at random moments of one seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from holdfast.core.orders.lifecycle import is_final
from holdfast.journal.recover import open_for_append
from holdfast.ports.journal import JournalFailed
from holdfast.sim.model import NewOrder, Refused
from holdfast.simulate.world import JOURNAL, RESERVE_BYTES, SEGMENT_BYTES, STRATEGIES, World
from holdfast.vocab.effects import TripLatch
from holdfast.vocab.events import LeaseLost, NoticeKind, StrategyFailed, VenueNotice, Verb
from holdfast.vocab.facts import BreakKind
from holdfast.vocab.holds import ACCOUNT, HoldCause, Release, Scope
from holdfast.vocab.ids import client_id_text, order_id_from_text
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S

_LATCH_SEEN_MS: Final = 100  # how often the live loop looks at its latch
_MEAN_MS: Final = 100
_EARLY: Final = 0.3
_FROZEN_MS: Final = 25
# After this long no request of ours is on its way any more, and what the venue did has been told.
_OLD_NS: Final = 4 * NS_PER_S
_BUSTED_OF: Final = 12  # a venue takes back one of the last so many


class Moves:
    """Makes moves until ``goes_on`` is False."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.goes_on = True
        self._rng = random.Random(f"moves {world.seed}")
        kinds = world.weather.kinds
        self._table: list[tuple[str, Callable[[], bool], float]] = [
            (name, getattr(self, move), weight)
            for name, move, weight in _TABLE
            if name == "" or name in kinds
        ]
        self._weights = [weight for _, _, weight in self._table]
        self._loosens_from_ns = 0  # whoever gets flat does not loosen before
        self._said: list[tuple[Verb, Scope]] = []
        self._signed_busts: set[tuple[str, str]] = set()
        world.later(self._rng.randrange(1, 1_500), self._turn)
        if "foreign_order" in kinds and self._rng.random() < _EARLY:
            for _ in range(4):  # somebody trades in the very moment in which the books are opened
                world.later(self._rng.randrange(5, 60), self._trades_early)

    def _turn(self) -> None:
        if not self.goes_on:
            return
        world = self.world
        name, move, _ = self._rng.choices(self._table, weights=self._weights)[0]
        world.later(self._rng.randrange(1, 2 * _MEAN_MS * world.pace), self._turn)
        if world.bot is not None and not world.standing_still and move() and name:
            world.weather.saw(name)

    # --- the weather, and what always goes on ---------------------------------------------------------------------

    def _weather(self) -> bool:
        self.world.weather_changes()
        return True

    def _snapshot(self) -> bool:
        self.world.saves_snapshot()
        return True

    # --- network and venue ------------------------------------------------------------------------------------------

    def _stream_cut(self) -> bool:
        world = self.world
        port = world.port
        port.stream_down("cut")

        def up() -> None:
            if world.port is port and world.bot is not None and not port.is_up:
                port.stream_up()

        world.later(self._rng.choice((5, 300, 2_000, 6_000)), up)
        return True

    def _stream_mute(self) -> bool:
        self._for_a_while("mute_until_ns")
        return False  # seen where something was not told

    def _partition(self) -> bool:
        world = self.world
        length_ms = self._for_a_while("parted_until_ns")
        for name in world.names:
            world.silent_until[name] = world.mono_ns + length_ms * NS_PER_MS
        return False

    def _venue_closed(self) -> bool:
        self._for_a_while("closed_until_ns")
        return False

    def _for_a_while(self, field: str) -> int:
        length_ms = self._rng.choice((200, 1_000, 4_000))
        setattr(self.world.storm, field, self.world.venue_now_ns() + length_ms * NS_PER_MS)
        return length_ms

    def _feed_silent(self) -> bool:
        world = self.world
        until = world.mono_ns + self._rng.choice((300, 1_500, 7_000)) * NS_PER_MS
        for name in world.names:
            if self._rng.random() < 0.7:
                world.silent_until[name] = until
        return False

    def _feed_lags(self) -> bool:
        """For a while an instrument's feed tells everything so much later, in its order."""
        world, rng = self.world, self._rng
        world.lags(
            rng.choice(world.names), ms=rng.choice((300, 1_500, 3_000)), for_ms=rng.choice((2_000, 5_000))
        )
        return False  # seen where a quote came too late

    def _spec_changed(self) -> bool:
        self.world.storm.other_specs = frozenset({self._rng.choice(self.world.names)})
        world = self.world
        world.later(12_000, lambda: setattr(world.storm, "other_specs", frozenset()))
        return False

    def _notice(self) -> bool:
        world = self.world
        if world.bot is None:
            return False
        world.bot.engine.put(
            VenueNotice(
                wall_ns=world.clock.wall_ns(),
                mono_ns=world.mono_ns,
                kind=self._rng.choice(list(NoticeKind)),
                instrument="",
                text="something",
            )
        )
        return True

    def _price_jump(self) -> bool:
        self.world.price_ppm = (
            self.world.price_ppm * self._rng.choice((750, 880, 970, 1_030, 1_120, 1_300)) // 1_000
        )
        return True

    def _book_thin(self) -> bool:
        """Little is shown at the best prices, and little is traded there: orders fill in pieces."""
        world = self.world
        world.thin_lots = self._rng.choice((1, 2, 3))
        world.later(self._rng.choice((3_000, 9_000)), lambda: setattr(world, "thin_lots", 0))
        return False  # seen where an execution left something of its order

    def _deadman_fires(self) -> bool:
        """The venue's dead-man switch fires although it was refreshed: plain orders of an instrument end."""
        world = self.world
        name = self._rng.choice(world.names)
        return world.exchange.cancel_all(world.account, name, world.venue_now_ns()) > 0

    def _orders_wiped(self) -> bool:
        """The matching engine restarts without its book: orders are gone, and no event says so."""
        world = self.world
        kept = world.storm.parted_until_ns
        world.storm.parted_until_ns = 1 << 62
        now = world.venue_now_ns()
        gone = sum(world.exchange.cancel_all(world.account, name, now) for name in world.names)
        world.storm.parted_until_ns = kept
        return gone > 0

    # --- somebody else on the account -------------------------------------------------------------------------------

    def _foreign_order(self, *, market: bool = False) -> bool:
        world, rng = self.world, self._rng
        spec = rng.choice(world.specs)
        bid, _, ask, _ = world.exchange.touch(spec.instrument)
        if not bid:
            return False
        market = market or rng.random() < 0.5
        world.foreign_act_ns = world.venue_now_ns()
        lots = spec.notional_e8_min * 2 // (ask * spec.tick_lot_e8) + 1
        world.commands_count += 1
        order = NewOrder(
            symbol=spec.instrument,
            side=rng.choice((Side.BUY, Side.SELL)),
            type="MARKET" if market else "LIMIT",
            qty_lots=lots,
            client_id=f"web_{world.commands_count}",
            price_ticks=0 if market else bid - rng.randrange(-3, 50),
        )
        return self._venue_does(lambda: world.exchange.place(world.account, order, world.venue_now_ns()))

    def _venue_does(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except Refused:
            return False
        return True

    def _cancelled_elsewhere(self) -> bool:
        world = self.world
        orders = [*world.account.open_orders.values()]
        if not orders:
            return False
        unanswered = [
            order
            for order in orders
            if order_id_from_text(order.client_id, account_tag=world.tag) in world.storm.awaited
        ]
        order = self._rng.choice(unanswered or orders)
        return self._venue_does(  # whatever is due by now comes first there, and may end it
            lambda: world.exchange.cancel(
                world.account, order.symbol, order_id=order.order_id, now_ns=world.venue_now_ns()
            )
        )

    def _liquidated(self) -> bool:
        world = self.world
        held = [row for row in world.account.positions.values() if row.position_lots]
        if not held:
            return False
        world.foreign_act_ns = world.venue_now_ns()
        world.exchange.liquidate(world.account, self._rng.choice(held), world.venue_now_ns())
        return True

    def _deleveraged(self) -> bool:
        """The venue closes part of a position against another account's liquidation."""
        world = self.world
        held = [row for row in world.account.positions.values() if row.position_lots]
        if not held:
            return False
        world.foreign_act_ns = world.venue_now_ns()
        row = self._rng.choice(held)
        lots = self._rng.randrange(1, abs(row.position_lots) + 1)
        world.exchange.deleverage(world.account, row, lots, world.venue_now_ns())
        return True

    def _fill_busted(self) -> bool:
        """The venue takes one of the last executions back; its stream says so, where it says anything."""
        world = self.world
        known = list(world.account.fills)[-_BUSTED_OF:]
        if not known:
            return False
        fill = self._rng.choice(known)
        world.foreign_act_ns = world.venue_now_ns()
        world.exchange.bust(world.account, fill.symbol, fill.trade_id, world.venue_now_ns(), why="an error")
        return True

    def signs_for_what_differs(self) -> None:
        """Somebody has the venue's word on what its stream did not say or the books are too young for, and signs."""
        world = self.world
        if world.bot is None:
            return
        books, words, truth = world.state.books, world.state.live.words, world.truth()
        since_ns = books.ledger.books_since_venue_ns
        before = {fill.symbol for fill in world.account.fills if fill.venue_ns < since_ns}
        if not (world.busted or before or world.venue_stood_at):
            return
        beyond = self._busted_beyond_reach()
        unsure = beyond or self._stamped_before_the_books(world)
        for found in list(books.breaks.values()):
            name, _, trade_id = found.key.partition("/")
            if found.kind is BreakKind.FILL_GONE and (name, trade_id) in world.busted:
                if self._says(Verb.BUST, trade_id=found.key):
                    self._signed_busts.add((name, trade_id))
                continue
            if found.kind is BreakKind.POSITION and (name in beyond or name in before):
                told, true = words.position_lots, truth.position_lots
            elif found.kind is BreakKind.BALANCE and unsure:
                told, true = words.wallet_e8, truth.wallet_e8
            else:
                continue
            if told.get(name, 0) == true.get(name, 0):
                self._adopts(name)
        busted_ids = {
            order_id_from_text(fill.client_id, account_tag=world.tag) for fill in world.busted.values()
        }
        for order_id, row in list(books.orders.live.items()):
            unlisted = is_final(row.state) and row.reported_lots > row.filled_lots
            if (
                unlisted
                and order_id in busted_ids
                and world.mono_ns - row.changed_mono_ns > _OLD_NS
                and self._all_told(order_id)  # else what is missing is more than what was taken back
            ):
                self._says(Verb.RESOLVE, order_id=order_id)

    def _busted_beyond_reach(self) -> set[str]:
        """Instruments of which the venue took back what the books cannot take out; none while a fill is untold."""
        world = self.world
        ledger = world.state.books.ledger
        if not all(
            (fill.symbol, str(fill.trade_id)) in world.auditor.fills
            for fill in world.account.fills
            if fill.venue_ns >= ledger.books_since_venue_ns
        ):
            return set()
        return {
            name
            for (name, gone), fill in world.busted.items()
            if (ledger.knows_trade(name, gone) or fill.venue_ns < ledger.books_since_venue_ns)
            and not ledger.was_taken_back(name, gone)
            and ledger.may_take_back(name, gone) is None
        }

    def _stamped_before_the_books(self, world: World) -> bool:
        """Whether the opening balance may have in it what its stamp denies, or lack what its stamp puts there: of what
        moved it some was stamped while the venue's clock stood still, or somebody signed for what the venue took back
        in silence before that balance was read.
        """
        opened_venue_ns = world.state.books.ledger.opened_venue_ns
        fills = (*world.account.fills, *world.busted.values())
        moved = {fill.venue_ns for fill in fills} | {entry.venue_ns for entry in world.account.cash}
        return not moved.isdisjoint(world.venue_stood_at) or any(
            key in self._signed_busts and fill.venue_ns <= opened_venue_ns
            for key, fill in world.busted.items()
        )

    def _adopts(self, name: str) -> None:
        """Signed for by who has just looked: nobody says it again later, when the venue's word may be a lie."""
        self.world.says(Verb.ADOPT, scope=Scope(instrument=name))

    def _all_told(self, order_id: int) -> bool:
        """Whether the bot was told every execution of the order that the venue still has: who signs has looked."""
        world = self.world
        client_id = client_id_text(account_tag=world.tag, order_id=order_id)
        return all(
            (fill.symbol, str(fill.trade_id)) in world.auditor.fills
            for fill in world.account.fills
            if fill.client_id == client_id
        )

    def _transfer(self) -> bool:
        world = self.world
        amount_e8 = self._rng.choice((-500, 1_000)) * E8
        return self._venue_does(
            lambda: world.exchange.transfer(world.account, "USDT", amount_e8, world.venue_now_ns())
        )

    def _funding(self) -> bool:
        world = self.world
        name = self._rng.choice(world.names)
        return (
            world.exchange.pay_funding(name, self._rng.choice((-900_000, 500_000)), world.venue_now_ns()) > 0
        )

    def _funding_of_all(self) -> bool:
        """As it is at a venue: of every instrument at one instant."""
        world = self.world
        rate_ppb, now_ns = self._rng.choice((-900_000, 500_000)), world.venue_now_ns()
        return sum([world.exchange.pay_funding(name, rate_ppb, now_ns) for name in world.names]) > 1

    # --- clocks -----------------------------------------------------------------------------------------------------

    def _venue_steps(self, step_ms: int) -> bool:
        world, step_ns = self.world, step_ms * NS_PER_MS
        before_ns = world.venue_now_ns()
        world.venue_step_ns += step_ns
        world.port.venue_offset_ns += step_ns
        moved_ns = world.venue_now_ns() - before_ns  # none where it stands still until it is as late again
        if moved_ns > step_ns:
            world.venue_stood_at.add(before_ns)
        world.foreign_act_ns += moved_ns  # how long ago things were is as it was
        world.storm.last_lie_ns += moved_ns
        world.storm.last_slow_ns += moved_ns
        return True

    def _venue_clock_step(self) -> bool:
        return self._venue_steps(self._rng.choice((-12_000, -3_000, -500, 500, 3_000, 12_000)))

    def _venue_clock_drift(self) -> bool:
        step_ms = self._rng.choice((-20, -5, 5, 20))

        def drifts() -> None:
            self._venue_steps(step_ms)

        for number in range(20):
            self.world.later(100 * number, drifts)
        return True

    def _wall_steps(self, step_ns: int) -> None:
        self.world.wall_skew_ns += step_ns
        self.world.port.venue_offset_ns -= step_ns

    def _wall_clock_step(self) -> bool:
        self._wall_steps(self._rng.choice((-30_000, -2_000, 2_000, 30_000)) * NS_PER_MS)
        return True

    def _wall_clock_frozen(self) -> bool:
        """The wall clock stands still for seconds; then it goes on from there, or jumps to what it should be."""
        ticks = self._rng.choice((20, 80, 200))
        for number in range(1, ticks):
            self.world.later(_FROZEN_MS * number, lambda: self._wall_steps(-_FROZEN_MS * NS_PER_MS))
        if self._rng.random() < 0.5:
            behind = (ticks - 1) * _FROZEN_MS * NS_PER_MS
            self.world.later(_FROZEN_MS * ticks, lambda: self._wall_steps(behind))
        return True

    def _pause(self) -> bool:
        self.world.weather.saw("pause")
        self.world.pauses(self._rng.choice((0.1, 0.3, 2, 6)))

    def _suspend(self) -> bool:
        self.world.weather.saw("suspend")
        self.world.pauses(self._rng.choice((20, 60)))

    # --- disk and process -------------------------------------------------------------------------------------------

    def _disk_full(self) -> bool:
        world = self.world
        world.files.space_bytes = 0

        def space() -> None:
            world.files.space_bytes = None

        world.later(self._rng.choice((2_000, 8_000)), space)
        return False  # seen by the world where an allocation failed

    def _disk_read_only(self) -> bool:
        """The file system is remounted read-only, as after an error of its device."""
        world = self.world
        world.read_only = True
        world.later(self._rng.choice((500, 4_000)), lambda: setattr(world, "read_only", False))
        return False  # seen by the world where something was refused

    def _tail_torn(self) -> bool:
        self.world.tear_next_write = True
        return False

    def _killed(self) -> bool:
        self.world.die_after = self._rng.randrange(1, 60)
        return False

    def _second_instance(self) -> bool:
        """Another process wants this account's journal: it must not get it."""
        world = self.world
        try:
            opened = open_for_append(
                JOURNAL,
                account="demo",
                files=world.files,
                segment_bytes=SEGMENT_BYTES,
                reserve_bytes=RESERVE_BYTES,
            )
        except JournalFailed:
            world.auditor.must("I29 one process at a time", True)
            return True
        opened.journal.close()
        world.auditor.must("I29 one process at a time", False)
        return False

    def _lease_lost(self) -> bool:
        world = self.world
        if world.bot is None:
            return False
        world.bot.engine.put(
            LeaseLost(wall_ns=world.clock.wall_ns(), mono_ns=world.mono_ns, expired_ms=700, contested=False)
        )
        return True

    def _strategy_raises(self) -> bool:
        world = self.world
        if world.bot is None:
            return False
        world.bot.engine.put(
            StrategyFailed(
                wall_ns=world.clock.wall_ns(),
                mono_ns=world.mono_ns,
                strategy=self._rng.choice(STRATEGIES),
                error="oops",
            )
        )
        return True

    # --- people -----------------------------------------------------------------------------------------------------

    def _scope(self) -> Scope:
        rng = self._rng
        return Scope(
            strategy=rng.choice(("", "", *STRATEGIES)), instrument=rng.choice(("", "", *self.world.names))
        )

    def _says(self, verb: Verb, scope: Scope = ACCOUNT, **fields: Any) -> bool:
        self._said = [*self._said[-20:], (verb, scope)]
        return self.world.says(verb, scope=scope, **fields)

    def _trades_elsewhere(self) -> None:
        world = self.world
        if self.goes_on and world.bot is not None:
            world.storm.mute_until_ns = world.venue_now_ns() + 4 * NS_PER_S
            self._foreign_order(market=True)

    def _trades_early(self) -> None:
        if self._foreign_order(market=True):
            self.world.weather.saw("foreign_order")

    def _flattens_again(self) -> None:
        if self.goes_on and not self.world.standing_still:
            self._says(Verb.FLATTEN)

    def _halt(self) -> bool:
        """Somebody trips the latch: through the bot, or from another process, which the bot sees a little later."""
        bot = self.world.bot
        if bot is None:
            return False
        if self._rng.random() < 0.5:
            bot.trip_latch(TripLatch(by="ann", reason="halt"))
        else:
            nonce = bot.tripped_elsewhere()
            self.world.later(self._rng.randrange(1, _LATCH_SEEN_MS), lambda: bot.sees_latch(nonce))
        return True

    def _halt_twice(self) -> bool:
        self._halt()
        self._halt()
        return self._says(Verb.HALT)

    def _stop_or_ban(self) -> bool:
        verb = self._rng.choice(
            (Verb.HALT, Verb.PAUSE, Verb.BAN, Verb.BAN, Verb.CANCEL, Verb.CANCEL, Verb.FLATTEN, Verb.STOP)
        )
        return self._says(verb, self._scope(), protective=self._rng.random() < 0.3)

    def _flatten(self) -> bool:
        if {"foreign_order", "stream_mute"} <= self.world.weather.kinds and self._rng.random() < 0.4:
            # and again a little later: meanwhile somebody traded elsewhere, and only the venue can tell
            self._loosens_from_ns = self.world.mono_ns + 7 * NS_PER_S
            self.world.later(3_000, self._trades_elsewhere)
            self.world.later(4_800, self._flattens_again)
        return self._says(self._rng.choice((Verb.FLATTEN, Verb.FLATTEN, Verb.KILL, Verb.STOP)))

    def _resume_in_flatten(self) -> bool:
        """Somebody is impatient: while an exit runs, its hold must not go."""
        world = self.world
        if not world.state.live.jobs:
            return False
        for hold in list(world.state.books.holds.holds.values()):
            if hold.release is Release.PERSON and hold.cause is not HoldCause.STARTUP:
                accepted = self._says(Verb.RESUME, hold_id=hold.hold_id)
                world.auditor.must("I9 nothing is resumed while an exit runs", not accepted, hold)
                return True
        return False

    def _command_replayed(self) -> bool:
        """An old command comes again: stops are welcome, what loosens names a hold that is gone."""
        if not self._said:
            return False
        verb, scope = self._rng.choice(self._said)
        self.world.says(verb, scope=scope, by="bob")
        return True

    def _limit(self, value: Callable[[int], int]) -> bool:
        limits = self._rng.choice(self.world.state.live.settings.instrument_limits)
        name = f"instrument.{limits.instrument}.position_max"
        return self.world.says(Verb.LIMIT_SET, limit=name, value=value(limits.position_lots_max))

    def _limit_typo(self) -> bool:
        accepted = self._limit(lambda lots: lots * 1_000)
        self.world.auditor.must("I32 no limit passes its hard cap", not accepted)
        return True

    def _limit_tightened(self) -> bool:
        return self._limit(lambda lots: max(1, lots * 9 // 10))

    def _gross_tightened(self) -> bool:
        """The account may hold much less for a while, and as much as before when two people say so."""
        world, rng = self.world, self._rng
        name, most = "account.gross_notional_max", world.settings.account_limits.gross_notional_e8_max
        accepted = world.says(Verb.LIMIT_SET, limit=name, value=most // rng.choice((30, 10, 4)))

        def as_before() -> None:
            if self.goes_on and not world.standing_still:
                world.says(Verb.LIMIT_SET, limit=name, value=most, second_by="bob")

        world.later(rng.choice((6_000, 20_000)), as_before)
        return accepted

    def _signed_twice(self) -> bool:
        """One person signs for two: that is one person."""
        world = self.world
        holds = world.state.books.holds.holds.values()
        if any(hold.release is Release.TWO_PERSONS for hold in holds):
            self.world.says(Verb.RECOVER, second_by="ann")
            return True
        limits = self._rng.choice(world.state.live.settings.instrument_limits)
        name, more = f"instrument.{limits.instrument}.position_max", limits.position_lots_max + 1
        world.says(Verb.LIMIT_SET, limit=name, value=more, second_by="ann")
        return True

    def _resolve(self) -> bool:
        """A person who has looked at the venue signs that an UNKNOWN order is over."""
        world = self.world
        open_ids = world.truth().open_order_ids
        for order_id, row in list(world.state.books.orders.live.items()):
            old = (
                world.mono_ns - row.changed_mono_ns > _OLD_NS
                and world.mono_ns - row.approved_mono_ns > _OLD_NS
            )
            over = row.state is OrderState.UNKNOWN and order_id not in open_ids
            if over and old and self._all_told(order_id):
                return self._says(Verb.RESOLVE, order_id=order_id)
        return False

    def loosens(self) -> bool:
        """Somebody tries to trade again."""
        world = self.world
        if world.bot is None or (self.goes_on and 0 < self._loosens_from_ns - world.mono_ns < 10 * NS_PER_S):
            return False
        state = world.state
        self.signs_for_what_differs()
        for key in list(state.books.ledger.quarantined):
            self._says(Verb.QUARANTINE_RELEASE, trade_id=key)
        for hold in list(state.books.holds.holds.values()):
            if hold.cause is HoldCause.STARTUP:
                self._says(Verb.ARM)
            elif hold.release is Release.TWO_PERSONS:
                self._says(Verb.RECOVER, second_by=self._rng.choice(("bob", "")))
            elif hold.release is Release.PERSON:
                self._says(Verb.RESUME, hold_id=hold.hold_id)
        risen = [found.key for found in state.books.breaks.values() if found.kind is BreakKind.ORDER_RISEN]
        if risen:
            self._says(Verb.CANCEL, protective=True)
        for key in risen:  # by name: a position that the venue denies just now may be there all the same
            self._adopts(key)
        return True

    def _asks(self) -> bool:
        return self._says(self._rng.choice((Verb.RECONCILE, Verb.ARM, Verb.SYNC)))


_TABLE: Final[tuple[tuple[str, str, float], ...]] = (
    ("", "_weather", 11),
    ("", "_snapshot", 1),
    ("", "_asks", 1),
    ("", "loosens", 14),
    ("stream_cut", "_stream_cut", 1.2),
    ("stream_mute", "_stream_mute", 1.5),
    ("feed_silent", "_feed_silent", 1),
    ("feed_lags", "_feed_lags", 1),
    ("partition", "_partition", 0.8),
    ("deadman_fires", "_deadman_fires", 1.2),
    ("orders_wiped", "_orders_wiped", 1.0),
    ("venue_closed", "_venue_closed", 0.8),
    ("spec_changed", "_spec_changed", 1.5),
    ("notice", "_notice", 0.5),
    ("price_jump", "_price_jump", 0.4),
    ("book_thin", "_book_thin", 1.2),
    ("foreign_order", "_foreign_order", 1.0),
    ("cancelled_elsewhere", "_cancelled_elsewhere", 1.5),
    ("liquidated", "_liquidated", 0.6),
    ("deleveraged", "_deleveraged", 0.6),
    ("fill_busted", "_fill_busted", 0.8),
    ("transfer", "_transfer", 0.5),
    ("funding", "_funding", 0.6),
    ("funding_of_all", "_funding_of_all", 0.6),
    ("venue_clock_step", "_venue_clock_step", 0.4),
    ("venue_clock_drift", "_venue_clock_drift", 0.3),
    ("wall_clock_step", "_wall_clock_step", 0.3),
    ("wall_clock_frozen", "_wall_clock_frozen", 0.3),
    ("pause", "_pause", 0.6),
    ("suspend", "_suspend", 0.3),
    ("disk_full", "_disk_full", 0.5),
    ("disk_read_only", "_disk_read_only", 0.3),
    ("tail_torn", "_tail_torn", 0.4),
    ("killed", "_killed", 0.8),
    ("second_instance", "_second_instance", 0.3),
    ("lease_lost", "_lease_lost", 0.3),
    ("strategy_raises", "_strategy_raises", 0.3),
    ("halt", "_halt", 1.2),
    ("halt_twice", "_halt_twice", 0.5),
    ("stop_or_ban", "_stop_or_ban", 1.5),
    ("flatten", "_flatten", 3),
    ("resume_in_flatten", "_resume_in_flatten", 2),
    ("command_replayed", "_command_replayed", 0.4),
    ("limit_typo", "_limit_typo", 0.4),
    ("limit_tightened", "_limit_tightened", 0.6),
    ("gross_tightened", "_gross_tightened", 0.8),
    ("signed_twice", "_signed_twice", 0.4),
    ("resolve", "_resolve", 4),
)
