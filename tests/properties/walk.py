"""A seeded walk: strategies, people, a market, a venue and a network that do what they like, and an auditor.

The auditor looks at every step with twins that are slow, plain and apart from the code they audit; what is
O(everything) is looked at now and then, and at the end.
"""

import random

from msgspec import structs

from holdfast.core.state import State, decode_books, encode_books
from holdfast.vocab.events import BasketIntent, Command, OrderReported, ReferenceRead, TradeReported
from holdfast.vocab.facts import (
    AmendStep,
    EpochBegan,
    FillBooked,
    FlattenEnded,
    HoldPlaced,
    HoldReleased,
    IntentRefused,
    OrderAmended,
    OrderApproved,
    OrderMoved,
    PositionAdjusted,
)
from holdfast.vocab.governed import limits_of, looser
from holdfast.vocab.holds import HoldCause, HoldLevel, Release
from holdfast.vocab.limits import FlowRules, GroupFlowRules
from holdfast.vocab.orders import ChildOf, Lane, OrderState, Side, TimeInForce
from holdfast.vocab.reference import InstrumentReference, ReferenceRules
from holdfast.vocab.reports import FillCause
from holdfast.vocab.requests import AmendOrder, PlaceOrder
from holdfast.vocab.units import E8
from tests.core.test_lifecycle import expected
from tests.house import naive
from tests.house.events import an_intent
from tests.house.room import Room, folded, replayed
from tests.house.setup import (
    BTC,
    BTC_TICKS,
    ETH,
    ETH_TICKS,
    account_limits,
    caps_over,
    instrument_limits,
    settings,
    timings,
)
from tests.house.venue import NaiveVenue

FINAL = naive.FINAL_STATES
COUNTED_NS = 1_500 * 10**6  # within so long what is open is counted anew at the prices of the market
KEPT_WORTHS = 1_000


class Auditor:
    """What must hold after every step, whatever happened."""

    def __init__(self):
        self.trades = {}  # (instrument, trade id) -> signed lots
        self.adjusted = {}
        self.states = {}
        self.last_order_id = 0
        self.holds = {}
        self.approvals = 0
        self.children = 0
        self.baskets = 0
        self.looked = 0
        self.sent = []  # (when, instrument, side, notional) of what was let through
        self.steps = 0
        self.restarts = 0
        self.worths = {}  # instrument -> (since when, what it was worth), newest last

    def __call__(self, room):
        event, facts = room.records[-1]
        self.steps += 1
        self._prices(room)
        if type(event) is BasketIntent:
            self._together(event, facts)
        for fact in facts:
            kind = type(fact)
            if kind is EpochBegan:
                self.sent = []  # a start forgets it
            elif kind is OrderApproved:
                self._approved(room, fact)
            elif kind is OrderAmended and fact.step is AmendStep.ASKED:
                self._amended(room, fact)
            elif kind is OrderMoved:
                self._moved(fact)
            elif kind is FillBooked:
                key = fact.instrument, fact.trade_id
                assert key not in self.trades, "a fill is booked once"
                self.trades[key] = fact.side * fact.qty_lots
            elif kind is PositionAdjusted:
                self.adjusted[fact.instrument] = self.adjusted.get(fact.instrument, 0) + fact.delta_lots
            elif kind is HoldPlaced:
                old = self.holds.get(fact.hold.hold_id)
                assert old is None or old.level <= fact.hold.level
                self.holds[fact.hold.hold_id] = fact.hold
            elif kind is HoldReleased:
                self._released(room, event, fact)
            elif kind is FlattenEnded:
                self._flat(room, fact)
        if facts:
            self._books(room)

    def _together(self, basket, facts):
        """All of it was let through in this one step, or none. What lets it through is looked at with all of it open."""
        approved = [fact.intent_seq for fact in facts if type(fact) is OrderApproved]
        refused = [fact for fact in facts if type(fact) is IntentRefused]
        if refused:
            assert ([], 1) == (approved, len(refused)), "nothing of a refused basket leaves"
            assert refused[0].intent_seq == basket.legs[refused[0].leg - 1].intent_seq
        else:
            assert [leg.intent_seq for leg in basket.legs] == approved
            self.baskets += 1

    def _prices(self, room):
        """What each instrument was worth lately, by its market alone."""
        for instrument in room.state.specs:
            market = room.state.session.markets[instrument]
            mid = -((market.bid_ticks + market.ask_ticks) // -2)
            worth = max(mid, market.mark_ticks, market.last_ticks)
            known = self.worths.setdefault(instrument, [])
            if not known or known[-1][1] != worth:
                known.append((room.mono_ns, worth))
                del known[:-KEPT_WORTHS]

    def _counted(self, room, instrument, row, longest, shortest):
        """The kept sums are the twin's, at a price that was the market's within a sweep."""
        lots = max(abs(longest), abs(shortest))
        if not lots:
            assert 0 == row.gross_e8 == row.long_e8 == row.short_e8
            return
        unit = room.state.specs[instrument].tick_lot_e8
        known = self.worths[instrument]
        ends = [since for since, _ in known[1:]] + [room.mono_ns]
        lately = {
            worth for (_, worth), end in zip(known, ends, strict=True) if room.mono_ns - end <= COUNTED_NS
        }
        assert row.gross_e8 in {lots * unit * worth for worth in lately}, (instrument, lots, row.gross_e8)

    def _approved(self, room, fact):
        assert fact.order_id > self.last_order_id, "an id is never used twice"
        self.last_order_id = fact.order_id
        self.states[fact.order_id] = OrderState.SENT
        terms = fact.terms
        assert terms.qty_lots > 0
        if fact.lane is Lane.FLATTEN:
            assert terms.reduce_only
            return
        self.approvals += 1
        self._within_parent(room, fact)
        self._meets_none(room, fact.order_id, terms.instrument, terms.side, terms.price_ticks)
        desk = room.state.desks[fact.strategy][terms.instrument]
        assert desk.level < HoldLevel.HALTED, "nothing passes at HALTED outside the flatten lane"
        self._within_caps(room, fact.strategy, terms.instrument, terms.side, desk.level)
        self._within_flow(room, fact)
        account = room.state.session.account
        if not terms.reduce_only:
            halved = 1 if desk.level >= HoldLevel.REDUCED else 0
            assert account.gross_e8 <= account.limits.gross_notional_e8_max >> halved
            self._within_shares(room, terms, halved)
        if desk.level >= HoldLevel.REDUCE_ONLY or terms.reduce_only:
            self._reducing(room, terms)
        market = room.state.session.markets[terms.instrument]
        assert room.mono_ns - market.quote_mono_ns <= 1_000 * 10**6, "no order is priced from old data"

    def _within_shares(self, room, terms, halved):
        account = room.state.session.account
        net = account.net.long_e8 if terms.side > 0 else -account.net.short_e8
        assert net <= account.limits.net_notional_e8_max >> halved, "net notional on the order's side"
        exposure = room.state.exposures[terms.instrument]
        own = room.state.instrument_limits[terms.instrument].equity_share_ppm_max >> halved
        for e8, share in (
            (exposure.gross_e8, own),
            (exposure.group.gross_e8, account.limits.group_share_ppm_max >> halved),
        ):
            assert e8 * 10**6 <= share * account.equity_e8, (terms.instrument, e8, share)
        told = {row.instrument: row for row in room.state.session.reference.instruments}
        row = told[terms.instrument]
        volume_ppm = room.state.instrument_limits[terms.instrument].adv_share_ppm_max  # people change it
        assert terms.qty_lots * 10**6 <= volume_ppm * row.adv_lots, "its share of the daily volume"
        assert terms.price_ticks is None or terms.price_ticks <= row.band_high_ticks

    def _within_caps(self, room, strategy, instrument, side, level):
        halved = 1 if level >= HoldLevel.REDUCED else 0
        mine = room.state.desks[strategy][instrument].limits.position_lots_max >> halved
        everyone = room.state.instrument_limits[instrument].position_lots_max >> halved
        for whose, cap in ((strategy, mine), (None, everyone)):
            longest, shortest = naive.worst_case_lots(room.books, instrument, whose)
            worst = longest if side > 0 else -shortest
            assert worst <= cap, (whose, instrument, worst, cap)

    def _within_flow(self, room, fact):
        """Every order is kept, amends apart: the newest of one side and window may not be too much, unless it exits."""
        terms = fact.terms
        rules = {one.instrument: one for one in room.state.session.settings.flows}[terms.instrument]
        now = fact.approved_mono_ns
        worth = (terms.price_ticks or 0) * terms.qty_lots * room.state.specs[terms.instrument].tick_lot_e8
        groups = {name: row.group for name, row in room.state.session.facts.items()}
        (group_rules,) = room.state.session.settings.group_flows
        self.sent = [
            one for one in self.sent if one[0] > now - max(rules.window_ms, group_rules.window_ms) * 10**6
        ]
        self.sent.append((now, terms.instrument, terms.side, worth))
        alike = [one for one in self.sent if one[2] is terms.side]
        here = [
            e8
            for at, where, _, e8 in alike
            if where == terms.instrument and at > now - rules.window_ms * 10**6
        ]
        assert terms.reduce_only or sum(here) <= rules.same_side_e8_max, "not everybody at once"
        group = groups[terms.instrument]
        since = now - group_rules.window_ms * 10**6
        kin = [e8 for at, where, _, e8 in alike if groups[where] == group and at > since]
        over = group == group_rules.group and sum(kin) > group_rules.same_side_e8_max
        assert terms.reduce_only or not over, "nor in a whole group"

    def _within_parent(self, room, fact):
        """I10: filled and live of all children of a parent are at most the parent, by looking at each of them."""
        orders = room.books.orders
        number = orders.row(fact.order_id).parent_id
        if not number:
            return
        strategy = orders.row(fact.order_id).strategy
        parent = orders.parents[strategy].known[number]
        kin = [
            row
            for row in (*orders.live.values(), *orders.final.values())
            if row.parent_id == number and row.strategy == strategy
        ]
        self.children += 1
        taken = sum(row.filled_lots + naive.open_lots_of(row) for row in kin)
        assert taken == parent.taken_lots
        assert taken <= parent.parent_lots

    def _meets_none(self, room, order_id, instrument, side, price):
        for row in room.books.orders.live.values():
            if row.order_id != order_id and row.terms.instrument == instrument and row.side is not side:
                for other in naive.resting_ticks_of(row):
                    assert price is None or side * price < side * other, "it meets an order of the account"

    def _reducing(self, room, terms):
        held = -terms.side * room.position(terms.instrument)
        if terms.trigger_ticks is not None:
            assert terms.qty_lots <= held
            return
        working = sum(
            naive.open_lots_of(row)
            for row in room.books.orders.live.values()
            if row.terms.instrument == terms.instrument
            and row.terms.side is terms.side
            and row.terms.trigger_ticks is None
        )
        assert working <= held, "what reduces sums to the position at most"

    def _amended(self, room, fact):
        row = room.order(fact.order_id)
        desk = room.state.desks[row.strategy][row.terms.instrument]
        assert desk.level < HoldLevel.HALTED
        self._within_parent(room, fact)
        self._meets_none(room, row.order_id, row.terms.instrument, row.side, fact.price_ticks)
        if fact.qty_lots >= row.qty_lots:
            self._within_caps(room, row.strategy, row.terms.instrument, row.terms.side, desk.level)

    def _moved(self, fact):
        before = self.states[fact.order_id]
        assert expected(before, fact.did) is fact.state, (before, fact.did, fact.state)
        assert before not in FINAL or fact.state is before, "final is final"
        self.states[fact.order_id] = fact.state

    def _released(self, room, event, fact):
        hold = self.holds.pop(fact.hold_id)
        if hold.release is Release.AUTOMATIC:
            return
        auto_arm = hold.cause is HoldCause.STARTUP and fact.by == "auto" and room.config.arm_auto
        assert isinstance(event, Command) or auto_arm, "what loosens is an act of a person"
        assert fact.by == "auto" or fact.reason

    def _flat(self, room, fact):
        if not fact.flat or fact.scope.strategy:
            return
        for instrument in [fact.scope.instrument] if fact.scope.instrument else room.state.specs:
            assert 0 == room.position(instrument)
            assert [] == [
                row
                for row in room.books.orders.live.values()
                if row.terms.instrument == instrument and row.state not in FINAL
            ]

    def _books(self, room):
        books = room.books
        orders = books.orders
        assert len(orders.live) + len(orders.foreign) == room.state.session.account.open_orders_count
        account = room.state.session.account
        exposures = room.state.exposures
        assert sum(row.gross_e8 for row in exposures.values()) == account.gross_e8
        assert sum(row.long_e8 for row in exposures.values()) == account.net.long_e8
        assert sum(row.short_e8 for row in exposures.values()) == account.net.short_e8
        for instrument, row in exposures.items():
            held = books.ledger.position(instrument).position_lots
            buys, sells = naive.open_by_side(orders, instrument)
            kept = orders.open_in(instrument)
            assert (buys, sells) == (kept.buy_lots, kept.sell_lots)
            longest, shortest = held + buys, held - sells
            self._counted(room, instrument, row, longest, shortest)
            assert row.gross_e8 * longest == max(abs(longest), abs(shortest)) * row.long_e8
            assert row.gross_e8 * shortest == max(abs(longest), abs(shortest)) * row.short_e8
        for name, group in account.groups.items():
            mine = [
                row.gross_e8 for one, row in exposures.items() if room.state.session.facts[one].group == name
            ]
            assert sum(mine) == group.gross_e8
        for instrument in room.state.specs:
            row = orders.open_in(instrument)
            here = [one for one in orders.live.values() if one.terms.instrument == instrument]
            bids = [price for one in here if one.side > 0 for price in naive.resting_ticks_of(one)]
            asks = [price for one in here if one.side < 0 for price in naive.resting_ticks_of(one)]
            resting = room.state.resting[instrument]
            assert (max(bids, default=0), min(asks, default=1 << 63)) == (
                resting.bid_ticks,
                resting.ask_ticks,
            )
            assert row.protective_buy_lots <= row.buy_lots
            assert row.protective_sell_lots <= row.sell_lots
            mine = [rows[instrument] for rows in orders.by_strategy.values() if instrument in rows]
            foreign = [one for one in orders.foreign.values() if one.instrument == instrument]
            assert row.orders_count == sum(one.orders_count for one in mine) + len(foreign)
            for strategy, rows in orders.by_strategy.items():
                if instrument in rows:
                    own = rows[instrument]
                    assert naive.open_by_side(orders, instrument, strategy) == (own.buy_lots, own.sell_lots)
            booked = sum(lots for (where, _), lots in self.trades.items() if where == instrument)
            position = books.ledger.position(instrument).position_lots
            assert booked + self.adjusted.get(instrument, 0) == position
            parts = [rows[instrument] for rows in books.ledger.attributed.values() if instrument in rows]
            assert position == sum(part.position_lots for part in parts)
        overfilled = any(name.startswith("overfill/") for name in books.breaks)
        for order in orders.live.values():
            largest = max(order.qty_lots, order.amend_qty_lots)
            assert order.filled_lots <= largest or overfilled, "what is open counts as less than it is"
        if self.holds:
            for strategy, desks in room.state.desks.items():
                for instrument, desk in desks.items():
                    here = [
                        hold.level
                        for hold in self.holds.values()
                        if hold.scope.strategy in {"", strategy} and hold.scope.instrument in {"", instrument}
                    ]
                    assert desk.level == max(here, default=HoldLevel.NONE), "the strictest hold wins"


class Walk:
    """One seed."""

    def __init__(self, seed, *, armed=True):
        self.rng = random.Random(seed)
        config = settings(
            arm_auto=armed,
            timings=timings(
                duplicate_window_ms=self.rng.choice([0, 300]), deadman_ms=self.rng.choice([0, 8_000])
            ),
            account_limits=account_limits(
                orders_per_s_refuse=60,
                orders_per_s_kill=120,
                net_notional_e8_max=20_000 * E8,
                group_share_ppm_max=3_000_000,
            ),
            instrument_limits=(
                instrument_limits(
                    BTC, equity_share_ppm_max=1_500_000, adv_share_ppm_max=100_000, depth_ppm_max=1_000_000
                ),
                instrument_limits(
                    ETH, order_lots_max=1_000, equity_share_ppm_max=1_000_000, adv_share_ppm_max=100_000
                ),
            ),
            reference=ReferenceRules(age_ms_max=86_400_000),
            flows=tuple(
                FlowRules(instrument=name, window_ms=2_000, same_side_e8_max=9_000 * E8, walk_ppm_max=100_000)
                for name in (BTC, ETH)
            ),
            group_flows=(GroupFlowRules(group="crypto", window_ms=2_000, same_side_e8_max=10_000 * E8),),
        )
        config = structs.replace(config, caps=caps_over(config))
        self.room = Room(config=config, venue=NaiveVenue(config.instruments))
        self.room.venue.lists_name_orders_only_by_its_own_ids = self.rng.random() < 0.7
        self.room.post = self._post
        self.room.delay_ms = self._delay
        self.auditor = Auditor()
        self.room.checks.append(self.auditor)
        self.trouble = 0.0
        self.room.starts()
        self.reads()
        self.room.run(s=1)

    def reads(self):
        """The reference file, as it is after every start."""
        rng = self.rng
        rows = (
            InstrumentReference(
                instrument=BTC,
                group="crypto",
                adv_lots=rng.choice([700, 5_000]),
                band_high_ticks=BTC_TICKS * 2,
            ),
            InstrumentReference(
                instrument=ETH,
                group=rng.choice(["crypto", "other"]),
                adv_lots=10_000,
                band_high_ticks=ETH_TICKS * 2,
            ),
        )
        self.room.tell(
            ReferenceRead(
                wall_ns=0,
                mono_ns=0,
                as_of_wall_ns=self.room.wall_ns,
                digest=str(rng.random()),
                instruments=rows,
            )
        )

    # --- the network ------------------------------------------------------------------------------------------

    def _post(self, call):
        rng = self.rng
        if rng.random() >= self.trouble:
            return 0, False
        if isinstance(call.request, PlaceOrder | AmendOrder):
            return rng.randrange(0, 1_000), rng.random() < 0.7  # the venue takes no older request
        return rng.randrange(0, 300), rng.random() < 0.5

    def _delay(self):
        rng = self.rng
        if rng.random() >= self.trouble:
            return rng.randrange(0, 20)
        return rng.randrange(0, 1_500)

    # --- one move -----------------------------------------------------------------------------------------------

    def go(self, moves):
        for _ in range(moves):
            self.rng.choices(MOVES, weights=_WEIGHTS)[0](self)
            if self.rng.random() < 0.8:
                self.room.run(ms=self.rng.choice([1, 5, 20, 60, 200, 700]))
            if self.rng.random() < 0.01:
                self.look()
        return self

    def look(self):
        """What is too slow for every step: the fold, a snapshot and back."""
        room = self.room
        own = room.state.books_hash()
        assert own == State(folded(room.records)).books_hash(), "the books are the fold of the facts"
        assert own == State(decode_books(encode_books(room.books))).books_hash()
        self.auditor.looked += 1

    def calm_down(self, seconds=40):
        """Stop the faults and let everything settle."""
        room = self.room
        self.trouble = 0.0
        room.venue.stream_deaf = False
        room.venue.dead_sources = set()
        room.quoting = True
        room.run(s=3)
        room.stream_is(up=True)
        room.run(s=seconds)

    # --- moves --------------------------------------------------------------------------------------------------

    def _some_order(self):
        live = [row for row in self.room.books.orders.live.values() if row.state not in FINAL]
        return self.rng.choice(live) if live else None

    def _where(self):
        instrument = self.rng.choice([BTC, BTC, ETH])
        return {
            "instrument": instrument,
            "strategy": "alpha" if instrument == ETH else self.rng.choice(["alpha", "beta"]),
        }

    def quote(self):
        rng, room = self.rng, self.room
        instrument = rng.choice([BTC, ETH])
        mid = room.mids[instrument]
        step = rng.choice([1, 1, 1, 20]) * mid // 5_000
        room.quotes(instrument, mid=max(mid // 2, mid + rng.randrange(-step, step + 1)))
        if rng.random() < 0.1:
            kept = room.mids[instrument]
            room.quotes(instrument, mid=rng.choice([kept * 2, kept]), spread=rng.choice([10, -2, 10]))
            room.mids[instrument] = kept

    def mark(self):
        instrument = self.rng.choice([BTC, ETH])
        self.room.marks(self.room.mids[instrument], instrument)

    def rest(self):
        rng = self.rng
        where = self._where()
        lots = rng.randrange(1, 85) * (10 if where["instrument"] == ETH else 1)
        mid = self.room.mids[where["instrument"]]
        side = rng.choice([Side.BUY, Side.SELL])
        price = mid - side * rng.randrange(0, mid // 99)
        sells_or_buys = self.room.buys if side > 0 else self.room.sells
        sells_or_buys(
            lots,
            at=price,
            tif=rng.choice(list(TimeInForce)),
            reduce_only=rng.random() < 0.1,
            child_of=self._parent(where, side),
            **where,
        )

    def _parent(self, where, side):
        """Some orders are children: of one of a few parents of that strategy, instrument and side."""
        if self.rng.random() < 0.6:
            return None
        place = sorted([(BTC, 1), (BTC, -1), (ETH, 1), (ETH, -1)]).index((where["instrument"], int(side)))
        number = 1 + place + 4 * self.rng.randrange(3)
        return ChildOf(number, 60 + 50 * number)

    def take(self):
        where = self._where()
        lots = self.rng.randrange(1, 90) * (10 if where["instrument"] == ETH else 1)
        self.room.takes(self.rng.choice([1, -1]), lots, **where)

    def target(self):
        where = self._where()
        self.room.targets(self.rng.randrange(-220, 221), **where)

    def protect(self):
        where = self._where()
        held = self.room.position(where["instrument"], of=where["strategy"])
        if held:
            side = Side.SELL if held > 0 else Side.BUY
            self.room.wants_protection(self.rng.randrange(1, abs(held) + 2), side=side, **where)

    def amend(self):
        row = self._some_order()
        if row is not None and row.strategy and row.price_ticks:
            lots = max(1, row.qty_lots + self.rng.randrange(-20, 40))
            self.room.amends(row, lots=lots, at=row.price_ticks + self.rng.randrange(-300, 300))

    def cancel(self):
        row = self._some_order()
        if row is not None and row.strategy:
            order_id = self.rng.choice([row.order_id, row.order_id, 0])
            self.room.cancels(row, order_id=order_id)

    def fill(self):
        venue = self.room.venue
        resting = [order for order in venue.open_orders() if order.terms.trigger_ticks is None]
        if resting:
            order = self.rng.choice(resting)
            lots = self.rng.randrange(1, order.qty - order.filled + 1)
            venue.fills(order, lots=lots, told=self.rng.random() >= self.trouble)

    def trigger(self):
        venue = self.room.venue
        stops = [order for order in venue.open_orders() if order.terms.trigger_ticks is not None]
        if stops:
            order = self.rng.choice(stops)
            venue.fills(order, price=self.room.mids[order.terms.instrument])

    def venue_ends_one(self):
        resting = self.room.venue.open_orders()
        if resting:
            self.room.venue.cancels(self.rng.choice(resting), told=self.rng.random() < 0.5)

    def foreign(self):
        if self.rng.random() < 0.5:
            mid = self.room.mids[BTC]
            self.room.venue.gets_a_foreign_order(
                self.rng.choice([Side.BUY, Side.SELL]), 3, price=mid, told=self.rng.random() < 0.5
            )
        else:
            cause = self.rng.choice([FillCause.ORDER, FillCause.LIQUIDATION])
            self.room.venue.trades_itself(
                self.rng.choice([Side.BUY, Side.SELL]), 2, price=self.room.mids[BTC], cause=cause
            )

    def pay(self):
        kind = self.rng.choice(["FUNDING_FEE", "TRANSFER", "REBATE"])
        self.room.venue.pays(kind, self.rng.randrange(-(10**9), 10**9), instrument=BTC)
        if self.rng.random() < 0.7:
            self.room.tell_cash(kind)

    def again(self):
        """Something that the stream said before is said again."""
        said = [
            event for event, _ in self.room.records[-400:] if isinstance(event, TradeReported | OrderReported)
        ]
        if said:
            self.room.hears(self.rng.choice(said))

    def network(self):
        self.trouble = self.rng.choice([0.0, 0.0, 0.1, 0.5])
        self.room.venue.stream_deaf = self.rng.random() < 0.1
        self.room.venue.dead_sources = self.rng.choice([set(), set(), {0}, {0, 1}])

    def stream(self):
        self.room.stream_is(up=False)
        self.room.run(ms=self.rng.randrange(1, 3_000))
        self.room.stream_is(up=True)

    def silence(self):
        self.room.quoting = False
        self.room.run(ms=self.rng.randrange(100, 8_000))
        self.room.quoting = True

    def person(self):
        rng, room = self.rng, self.room
        verb = rng.choice(["halt", "pause", "ban", "cancel", "reconcile", "flatten", "stop", "kill"])
        scope = rng.choice(
            [{}, {"instrument": BTC}, {"strategy": "alpha"}, {"strategy": "alpha", "instrument": BTC}]
        )
        if verb == "kill" and rng.random() < 0.5:
            scope = {}
        room.says(verb, protective=rng.random() < 0.3, by=rng.choice(["ann", "bob"]), **scope)

    def adopts(self):
        for found in list(self.room.books.breaks.values()):
            self.room.says("adopt", instrument=found.key)

    def loosen(self):
        rng, room = self.rng, self.room
        self.adopts()
        for key in list(room.books.ledger.quarantined):
            room.says("quarantine_release", trade_id=key)
        for hold in list(room.books.holds.holds.values()):
            if hold.cause is HoldCause.STARTUP:
                room.says("arm")
            elif hold.release is Release.TWO_PERSONS:
                room.says("recover", second_by="carl")
            elif hold.release is Release.PERSON and rng.random() < 0.9:
                room.says("resume", hold_id=hold.hold_id)

    def govern(self):
        """Limits go up and down, alone and by two, for good and for minutes; the caps stay where they are."""
        rng, room = self.rng, self.room
        as_configured = limits_of(room.config)
        limit = rng.choice(list(as_configured.values()))
        value = max(1, limit.value * rng.choice([1, 2, 3, 4, 5, 9]) // 4)
        what = {
            "limit": limit.name,
            "value": value,
            "by": rng.choice(["ann", "bob"]),
            "second_by": rng.choice(["", "carl"]),
        }
        if rng.random() < 0.6:
            room.says("limit_set", **what)
        elif rng.random() < 0.8:
            # for one order it ends in the step that the auditor looks at: not where the auditor goes by it
            once = limit.row.key == "order_max" and rng.random() < 0.5
            for_ms = rng.choice([500, 5_000, 600_000])
            room.says("break_glass", for_ms=for_ms, once=once, review="monday", **what)
        else:
            room.says("glass_end", glass_id=room.books.limits.last_glass_id)
        for name, one in limits_of(room.state.live.settings).items():
            configured = as_configured[name]
            most = configured.value if configured.cap is None else configured.cap
            assert not looser(one.row, one.value, most), f"{name} is looser than its hard cap"

    def together(self):
        """Several at once, on both sides of both markets, resting or not: all of them or none."""
        rng = self.rng
        legs = []
        for _ in range(rng.randrange(1, 5)):
            instrument, side = rng.choice((BTC, ETH)), rng.choice((Side.BUY, Side.SELL))
            mid = self.room.mids[instrument]
            lots = rng.randrange(1, 40) if instrument == BTC else rng.randrange(20, 200)
            legs.append(
                an_intent(
                    instrument=instrument,
                    side=side,
                    qty_lots=lots,
                    price_ticks=mid - side * mid * rng.choice((-1, 1, 2, 4)) // 1_000,
                    reduce_only=rng.random() < 0.1,
                    child_of=ChildOf(rng.randrange(1, 4), 150) if rng.random() < 0.1 else None,
                )
            )
        self.room.wants_together(*legs)

    def restart(self):
        self.look()
        self.auditor.restarts += 1
        self.auditor.worths.clear()  # the clock may begin anew
        self.room.restarts(
            reboot=self.rng.random() < 0.3,
            down_ms=self.rng.randrange(1, 3_000),
            snapshot=self.rng.random() < 0.5,
        )
        self.reads()
        self.room.run(ms=self.rng.choice([10, 3_000]))

    # --- at the end -----------------------------------------------------------------------------------------------

    def ends_well(self):
        """Once the faults stop, books and venue agree; a replay agrees with both."""
        self.calm_down()
        self.adopts()
        self.room.run(s=30)
        room = self.room
        self.look()
        venue = room.venue
        for instrument in room.state.specs:
            assert venue.position(instrument) == room.position(instrument)
        ours = {row.order_id for row in room.books.orders.live.values() if row.state not in FINAL}
        theirs = {order.order_id for order in venue.open_orders() if order.order_id is not None}
        risen = {int(name.partition("/")[2]) for name in room.books.breaks if name.startswith("order_risen/")}
        assert ours | risen >= theirs >= ours, (ours, theirs)
        assert not [row for row in room.books.orders.live.values() if row.state is OrderState.UNKNOWN]
        foreign = sum(order.qty - order.filled for order in venue.open_orders() if order.order_id is None)
        assert (
            foreign
            == sum(
                row.open_lots for row in room.books.orders.foreign.values() if row.venue_order_id not in risen
            )
            or risen
        )
        wallet = room.books.ledger.wallet_e8.get("USDT", 0)
        tolerance = 3 * (room.books.ledger.fills_count + 1)
        assert abs(wallet - naive.floor_e8(venue.wallet_e8)) <= tolerance
        state, again = replayed(room.records)
        assert again == room.records, "the same events give the same facts"
        assert state.state_hash() == room.state.state_hash()
        return self


_TABLE = [
    (Walk.quote, 20),
    (Walk.mark, 4),
    (Walk.rest, 30),
    (Walk.take, 12),
    (Walk.target, 12),
    (Walk.together, 8),
    (Walk.protect, 3),
    (Walk.amend, 16),
    (Walk.cancel, 8),
    (Walk.fill, 16),
    (Walk.trigger, 2),
    (Walk.venue_ends_one, 2),
    (Walk.foreign, 0.4),
    (Walk.pay, 1),
    (Walk.again, 4),
    (Walk.network, 3),
    (Walk.stream, 0.7),
    (Walk.silence, 0.4),
    (Walk.person, 1),
    (Walk.loosen, 8),
    (Walk.govern, 2),
    (Walk.restart, 0.5),
]
MOVES = [move for move, _ in _TABLE]
_WEIGHTS = [weight for _, weight in _TABLE]
