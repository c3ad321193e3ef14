"""What the trading process shows of itself, read off the core. Looking changes nothing."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.core.gate.checks import first_refusal
from holdfast.core.holds.ladder import cool_down_left_ms, rung_of
from holdfast.core.holds.rules import remedy_of
from holdfast.core.ledger.ledger import HOUSE, QUARANTINE
from holdfast.core.ledger.positions import PositionRow
from holdfast.core.orders.book import OrderRow as Row
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.state import Session, State, Word
from holdfast.runtime.limits import glass_rows, limits_view
from holdfast.runtime.live import Live
from holdfast.runtime.views import (
    FLATTEN_PLAN,
    BreakRow,
    CountersRow,
    ExposureRow,
    ExposureView,
    FeedRow,
    FillRow,
    FillsView,
    FlattenPlanView,
    FlattenRow,
    GlassView,
    HoldRow,
    HoldsView,
    InfoView,
    InstrumentRow,
    JournalRow,
    LatchRow,
    OrderRow,
    OrdersView,
    PingView,
    PlanRow,
    PositionsView,
    QuarantineView,
    RatesRow,
    StatusView,
    StrategiesView,
    StrategyRow,
    UnknownView,
    View,
    WhyView,
)
from holdfast.runtime.whynot import Place, in_words
from holdfast.vocab.effects import Record
from holdfast.vocab.events import BasketIntent, OrderIntent, TargetIntent
from holdfast.vocab.facts import (
    FillBooked,
    FlattenBegan,
    FlattenEnded,
    HoldPlaced,
    HoldReleased,
    IntentRefused,
    OrderApproved,
    OrderMoved,
)
from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Scope
from holdfast.vocab.ids import client_id_text
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.orders import Did, OrderState, OrderType, Side
from holdfast.vocab.refusals import NotAllowed, Refusal
from holdfast.vocab.units import NS_PER_MS, NotANumber, e8_text, text_of, whole_units

RECENT_MAX: Final = 500
Args = Mapping[str, str | int | bool]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while the process runs."""

    venue_kind: str
    config_path: str
    account_uid: str
    state_dir: str
    account_tag: int
    version: str


class Looker:
    """Fills the views. Its ``tap`` sees every journal record and keeps counts and the last few."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._live: Live | None = None
        self._counts: dict[str, int] = dict.fromkeys(("orders", "fills", "cancels"), 0)
        self._refusals: dict[str, int] = {}
        self._by_strategy: dict[str, dict[str, int]] = {}
        self._fills: deque[FillBooked] = deque(maxlen=RECENT_MAX)
        self._why_not: deque[tuple[IntentRefused, int]] = deque(maxlen=RECENT_MAX)
        self._order_why: dict[int, str] = {}
        self._flatten: FlattenBegan | FlattenEnded | None = None
        self._mode_version = 0
        self._mode: tuple[int, int] = (0, 0)
        self._rate: tuple[int, int] = (0, 0)

    def attach(self, live: Live) -> None:
        """Look at this one."""
        self._live = live

    @property
    def live(self) -> Live:
        """The loop that is looked at. Raises UnknownView before there is one."""
        if self._live is None or self._live.state.session is None:
            raise UnknownView("the bot is still starting")
        return self._live

    # --- what went by -----------------------------------------------------------------------------------------

    def tap(self, _: int, record: Record) -> None:
        """See one journal record."""
        if isinstance(record, OrderApproved):
            self._counts["orders"] += 1
        elif isinstance(record, FillBooked):
            self._counts["fills"] += 1
            self._fills.append(record)
            self._of(record.strategy)["fills"] += 1
        elif isinstance(record, IntentRefused):
            tag = str(type(record.refusal).__struct_config__.tag)
            self._refusals[tag] = self._refusals.get(tag, 0) + 1
            self._why_not.append((record, self.live.state.live.now_wall_ns))
            self._of(record.strategy)["refusals"] += 1
        elif isinstance(record, OrderMoved):
            self._counts["cancels"] += record.did is Did.CANCELLED
            if record.why:
                self._order_why[record.order_id] = record.why
                if len(self._order_why) > RECENT_MAX:
                    del self._order_why[next(iter(self._order_why))]
        elif isinstance(record, OrderIntent | TargetIntent):
            self._of(record.strategy)["intents"] += 1
        elif isinstance(record, BasketIntent):
            self._of(record.strategy)["intents"] += len(record.legs)
        elif isinstance(record, HoldPlaced | HoldReleased):
            self._mode_version += 1
        elif isinstance(record, FlattenBegan | FlattenEnded):
            self._flatten = record

    def _of(self, strategy: str) -> dict[str, int]:
        return self._by_strategy.setdefault(strategy, dict.fromkeys(("intents", "refusals", "fills"), 0))

    def second_passed(self) -> None:
        """Once a second: rates are counted between two of these."""
        live = self._live
        if live is None:
            return
        orders, messages = self._counts["orders"], sum(live.frames_count.values())
        self._rate = (orders - self._mode[0], messages - self._mode[1])
        self._mode = (orders, messages)

    # --- looks ------------------------------------------------------------------------------------------------

    def view(self, name: str, args: Args) -> View:
        """One view by its name. Raises UnknownView."""
        views: dict[str, Callable[[Args], View]] = {
            "status": self._status,
            "info": self._info,
            "ping": self._ping,
            "holds": self._holds_view,
            "why": self._why,
            "positions": self._positions,
            "orders": self._orders,
            "fills": self._fills_view,
            "exposure": self._exposure,
            "limits": lambda _: limits_view(self.live.state, now_mono_ns=self.live.clock.mono_ns()),
            "break-glass list": lambda _: GlassView(
                glasses=glass_rows(self.live.state, now_mono_ns=self.live.clock.mono_ns())
            ),
            "strategies": self._strategies_view,
            "quarantine list": self._quarantine,
            FLATTEN_PLAN: self._plan,
        }
        make = views.get(name)
        if make is None:
            raise UnknownView(f"no view is called {name!r}")
        return make(args)

    def _status(self, _: Args) -> StatusView:
        live = self.live
        state = live.state
        session = state.live
        books = state.books
        orders = books.orders
        now = live.clock.mono_ns()
        equity = state.equity_e8()
        marked = books.drawdown.marked
        refused = {
            reason: count for market in session.markets.values() for reason, count in market.refused.items()
        }
        return StatusView(
            account=session.settings.account,
            venue=session.settings.venue,
            venue_kind=self._about.venue_kind,
            pid=os.getpid(),
            wall_ns=live.clock.wall_ns(),
            uptime_ms=(now - session.started_mono_ns) // NS_PER_MS,
            epoch=orders.epoch,
            level=books.holds.account_level().name.lower(),
            armed=books.holds.account_level() < HoldLevel.HALTED,
            stopping=bool(session.ending),
            mode_version=self._mode_version,
            holds=[_hold_row(hold) for hold in books.holds.holds.values()],
            equity=None if equity is None else e8_text(equity),
            peak=e8_text(books.drawdown.peak_e8) if marked else None,
            drawdown_ppm=books.drawdown.drawdown_ppm() if marked else None,
            wallet=_money(books.ledger.wallet_e8.get(books.ledger.settle_asset)),
            settle_asset=books.ledger.settle_asset,
            instruments=self._instrument_rows(),
            strategies=self._strategy_rows(),
            feeds=self._feeds(now),
            rates=RatesRow(
                orders_per_s=self._rate[0],
                messages_per_s=self._rate[1],
                orders_per_s_refuse=session.settings.account_limits.orders_per_s_refuse,
                orders_per_s_kill=session.settings.account_limits.orders_per_s_kill,
            ),
            counters=CountersRow(
                quotes=sum(market.quotes_count for market in session.markets.values()),
                orders=self._counts["orders"],
                fills=self._counts["fills"],
                cancels=self._counts["cancels"],
                rejects=session.rejects_count,
                refusals=self._refusals,
                suppressed=sum(live.suppressed_count.values()),
                malformed=sum(refused.values()) + session.malformed_count,
            ),
            journal=JournalRow(
                records=live.journal.record_count,
                synced_records=live.journal.record_count,
                last_sync_us=live.sync_ns_last // 1000,
                market_frames=live.market_log.frame_count,
            ),
            latch=self._latch(),
            open_orders=sum(1 for row in orders.live.values() if not is_final(row.state)),
            unknown_orders=sum(1 for row in orders.live.values() if row.state is OrderState.UNKNOWN),
            quarantined_fills=len(books.ledger.quarantined),
            breaks=[
                BreakRow(kind=one.kind.value, key=one.key, ours=str(one.ours), theirs=str(one.theirs))
                for one in books.breaks.values()
            ],
            clock_offset_ms=session.offset_ns // NS_PER_MS if session.offset_known else None,
            clock_rtt_ms=None,
            flatten=self._flatten_row(session),
            last_alert=live.last_alert,
            rung=rung_of(books.ladder, books.holds).value,
            breakers_today=books.ladder.breakers_count,
            exits_today=books.orders.day.exits_count,
            cool_down_left_ms=None
            if books.holds.find(HoldCause.DRAWDOWN_BREAKER) is None
            else cool_down_left_ms(
                books.ladder,
                cooldown_ms=session.settings.account_limits.breaker_cooldown_ms,
                now_mono_ns=now,
            ),
            degraded=session.degraded,
            conflated_quotes=0 if live.feeding is None else live.feeding.pressure.conflated_count,
            feeds_changed=0 if live.feeding is None else live.feeding.changed_count,
            silent_streams=list(session.silent),
        )

    def _latch(self) -> LatchRow:
        live = self.live
        holder = next((hold for hold in live.state.books.holds.holds.values() if hold.latch_nonce), None)
        return LatchRow(
            tripped=live.latch.tripped(),
            nonce=live.latch.observe(),
            by="" if holder is None else holder.by,
            reason="" if holder is None else holder.reason,
            lease_held=live.lease.fresh(live.clock.mono_ns()),
            lease_left_ms=None,
        )

    def _flatten_row(self, session: Session) -> FlattenRow | None:
        last = self._flatten
        if last is None:
            return None
        return FlattenRow(
            strategy=last.scope.strategy,
            instrument=last.scope.instrument,
            active=bool(session.jobs),
            flat=last.flat if isinstance(last, FlattenEnded) else None,
            by="" if isinstance(last, FlattenEnded) else last.by,
            why=last.why if isinstance(last, FlattenEnded) else last.reason,
        )

    def _feeds(self, now: int) -> list[FeedRow]:
        live = self.live
        session = live.state.live
        newest = max((market.quote_mono_ns for market in session.markets.values()), default=0)
        rows = [
            FeedRow(
                name=name,
                stream="market",
                up=up,
                age_ms=max(0, now - newest) // NS_PER_MS if newest > 0 else None,
                messages=next(
                    (count for feed, count in live.frames_count.items() if name.startswith(feed)), 0
                ),
            )
            for name, up in session.feeds_up.items()
        ]
        rows.append(FeedRow(name="account", stream="user", up=session.user_stream_up, age_ms=None))
        return rows

    def _instrument_rows(self, instrument: str = "") -> list[InstrumentRow]:
        live = self.live
        state = live.state
        session = state.live
        now = live.clock.mono_ns()
        words = session.words
        heard = _age_ms(words.positions, now)
        rows: list[InstrumentRow] = []
        for name, spec in state.specs.items():
            if instrument and name != instrument:
                continue
            market = session.markets[name]
            row = state.books.ledger.position(name)
            price = market.price_ticks()
            unit = Decimal(spec.tick)
            age = now - market.quote_mono_ns
            rows.append(
                InstrumentRow(
                    instrument=name,
                    position=_lots(spec, row.position_lots),
                    venue_position=None if heard is None else _lots(spec, words.position_lots.get(name, 0)),
                    venue_position_age_ms=heard,
                    open_orders=sum(
                        1 for one in state.books.orders.rows_in(instrument=name) if not is_final(one.state)
                    ),
                    bid=text_of(market.bid_ticks, unit) if market.bid_ticks else None,
                    ask=text_of(market.ask_ticks, unit) if market.ask_ticks else None,
                    quote_age_ms=max(0, age) // NS_PER_MS if market.bid_ticks else None,
                    mark=text_of(market.mark_ticks, unit) if market.mark_ticks else None,
                    unrealised=e8_text(row.unrealised_e8(price_ticks=price, tick_lot_e8=spec.tick_lot_e8))
                    if price
                    else None,
                    realised=e8_text(row.realised_e8),
                    unknown_orders=sum(
                        1
                        for one in state.books.orders.rows_in(instrument=name)
                        if one.state is OrderState.UNKNOWN
                    ),
                    level=_level_of(state, Scope(instrument=name)),
                    feed=session.feed_of.get(name) or live.feeds[0].name,
                    reference=name in session.reference_of,
                )
            )
        return rows

    def _strategy_rows(self) -> list[StrategyRow]:
        state = self.live.state
        session = state.live
        rows: list[StrategyRow] = []
        ledger = state.books.ledger
        names = [setup.strategy for setup in session.settings.strategies]
        names += [name for name in (HOUSE, QUARANTINE) if any(ledger.attributed.get(name, {}).values())]
        for name in names:
            held = {
                instrument: row
                for instrument, row in ledger.attributed.get(name, {}).items()
                if instrument in state.specs
            }
            if name in {HOUSE, QUARANTINE} and not any(row != PositionRow() for row in held.values()):
                continue
            counts = self._by_strategy.get(name, {})
            unrealised = 0
            for instrument, row in held.items():
                unrealised += row.unrealised_e8(
                    price_ticks=session.markets[instrument].price_ticks(),
                    tick_lot_e8=state.specs[instrument].tick_lot_e8,
                )
            hold = state.books.holds.strictest(strategy=name, instrument="")
            rows.append(
                StrategyRow(
                    strategy={HOUSE: "(house)", QUARANTINE: "(quarantine)"}.get(name, name),
                    state="running" if hold is None else hold.cause.value,
                    positions={
                        instrument: _lots(state.specs[instrument], row.position_lots)
                        for instrument, row in held.items()
                        if row.position_lots
                    },
                    realised=e8_text(sum(row.realised_e8 for row in held.values())),
                    unrealised=e8_text(unrealised),
                    fees=e8_text(sum(row.fee_e8 for row in held.values())),
                    intents=counts.get("intents", 0),
                    refusals=counts.get("refusals", 0),
                    fills=counts.get("fills", 0),
                )
            )
        return rows

    def _info(self, _: Args) -> InfoView:
        live = self.live
        settings = live.state.live.settings
        limits: dict[str, str] = {}
        groups: list[tuple[str, msgspec.Struct]] = [
            ("account", settings.account_limits),
            ("timings", settings.timings),
        ]
        groups += [(f"instrument.{one.instrument}", one) for one in settings.instrument_limits]
        groups += [(f"strategy.{one.strategy}.{one.instrument}", one) for one in settings.strategy_limits]
        for prefix, group in groups:
            limits.update(
                {f"{prefix}.{key}": str(value) for key, value in msgspec.structs.asdict(group).items()}
            )
        return InfoView(
            version=self._about.version,
            build=live.identity.build,
            config_hash=settings.config_hash,
            config_path=self._about.config_path,
            account=settings.account,
            venue=settings.venue,
            venue_kind=self._about.venue_kind,
            account_uid=self._about.account_uid,
            state_dir=self._about.state_dir,
            python=sys.version.split()[0],
            started_wall_ns=live.state.live.started_wall_ns,
            limits=limits,
        )

    def _ping(self, _: Args) -> PingView:
        live = self.live
        return PingView(
            wall_ns=live.clock.wall_ns(),
            event_age_ms=(live.clock.mono_ns() - live.state.live.now_mono_ns) // NS_PER_MS,
            loop_lag_us=live.loop_lag_ns // 1_000,
        )

    def _holds_view(self, _: Args) -> HoldsView:
        holds = self.live.state.books.holds
        return HoldsView(
            level=holds.account_level().name.lower(),
            holds=[_hold_row(hold) for hold in holds.holds.values()],
        )

    def _positions(self, args: Args) -> PositionsView:
        return PositionsView(
            settle_asset=self.live.state.books.ledger.settle_asset,
            instruments=self._instrument_rows(str(args.get("instrument", ""))),
        )

    def _orders(self, args: Args) -> OrdersView:
        live = self.live
        book = live.state.books.orders
        now = live.clock.mono_ns()
        rows = book.rows_in(
            strategy=str(args.get("strategy", "")), instrument=str(args.get("instrument", ""))
        )
        shown = [self._order_row(row, now) for row in reversed(rows) if not row.settled()]
        foreign = [
            OrderRow(
                order_id=0,
                client_id="",
                strategy="",
                instrument=one.instrument,
                side=_side(one.side),
                order_type="",
                tif="",
                qty=_lots(live.state.specs[one.instrument], one.open_lots),
                filled="0",
                price=None,
                state="foreign",
                age_ms=0,
                venue_order_id=one.venue_order_id,
            )
            for one in book.foreign.values()
        ]
        return OrdersView(orders=shown[: _limit(args)], foreign=foreign, total=len(shown))

    def _order_row(self, row: Row, now: int) -> OrderRow:
        spec = self.live.state.specs[row.terms.instrument]
        return OrderRow(
            order_id=row.order_id,
            client_id=client_id_text(account_tag=self._about.account_tag, order_id=row.order_id),
            strategy=row.strategy or "(house)",
            instrument=row.terms.instrument,
            side=_side(row.terms.side),
            order_type=row.terms.order_type.value,
            tif=row.terms.tif.value,
            qty=_lots(spec, row.qty_lots),
            filled=_lots(spec, row.filled_lots),
            price=None if row.price_ticks is None else text_of(row.price_ticks, Decimal(spec.tick)),
            state=row.state.value,
            age_ms=max(0, now - row.approved_mono_ns) // NS_PER_MS,
            venue_order_id=row.venue_order_id,
            reduce_only=row.terms.reduce_only,
            why=self._order_why.get(row.order_id, ""),
        )

    def _fills_view(self, args: Args) -> FillsView:
        specs = self.live.state.specs
        ledger = self.live.state.books.ledger
        wanted = [
            fill
            for fill in reversed(self._fills)
            if fill.instrument in specs
            and args.get("strategy", "") in {"", fill.strategy}
            and args.get("instrument", "") in {"", fill.instrument}
        ]
        return FillsView(
            fills=[
                _fill_row(
                    fill,
                    specs[fill.instrument],
                    taken_back=ledger.was_taken_back(fill.instrument, fill.trade_id),
                )
                for fill in wanted[: _limit(args)]
            ],
            total=ledger.fills_count,
        )

    def _strategies_view(self, _: Args) -> StrategiesView:
        return StrategiesView(strategies=self._strategy_rows())

    def _quarantine(self, _: Args) -> QuarantineView:
        state = self.live.state
        return QuarantineView(
            fills=[
                FillRow(
                    trade_id=key,
                    order_id=None,
                    strategy="",
                    instrument=one.instrument,
                    side=_side(one.side),
                    qty=_lots(state.specs[one.instrument], one.qty_lots),
                    price=text_of(one.price_ticks, Decimal(state.specs[one.instrument].tick)),
                    fee="",
                    fee_asset="",
                    maker=False,
                    cause="",
                    quarantined=True,
                    venue_ns=0,
                )
                for key, one in state.books.ledger.quarantined.items()
                if one.instrument in state.specs
            ]
        )

    def _exposure(self, _: Args) -> ExposureView:
        state = self.live.state
        session = state.live
        account = session.account
        rows: list[ExposureRow] = []
        for name, spec in state.specs.items():
            position = state.books.ledger.position(name).position_lots
            still = state.books.orders.open_in(name)
            rows.append(
                ExposureRow(
                    instrument=name,
                    position=_lots(spec, position),
                    long_worst=_lots(spec, position + still.buy_lots),
                    short_worst=_lots(spec, position - still.sell_lots),
                    position_max=_lots(spec, state.instrument_limits[name].position_lots_max),
                    notional=_money(state.exposures[name].gross_e8),
                )
            )
        equity = state.equity_e8()
        return ExposureView(
            rows=rows,
            gross=e8_text(account.gross_e8),
            gross_max=e8_text(account.limits.gross_notional_e8_max),
            leverage_ppm=account.gross_e8 * 1_000_000 // equity if equity else None,
            leverage_ppm_max=account.limits.leverage_ppm_max,
            equity=_money(equity),
        )

    # --- why --------------------------------------------------------------------------------------------------

    def _why(self, args: Args) -> WhyView:
        if args.get("side") or args.get("qty") or args.get("price"):
            return self._why_planned(args)
        strategy, instrument = str(args.get("strategy", "")), str(args.get("instrument", ""))
        found = next(
            (
                (one, wall)
                for one, wall in reversed(self._why_not)
                if strategy in {"", one.strategy} and instrument in {"", one.instrument}
            ),
            None,
        )
        if found is None:
            self._are_known(strategy, instrument)
            return WhyView(
                planned=False,
                refused=False,
                refusal="",
                numbers={},
                text="nothing was refused since the start",
                permits="",
                holds=self._holds_for(strategy, instrument),
            )
        refused, wall_ns = found
        view = self._why_view(
            refused.refusal, refused.strategy, refused.instrument, planned=False, wall_ns=wall_ns
        )
        if not refused.legs_count:
            return view
        text = (
            f"leg {refused.leg} of a basket of {refused.legs_count}, of which nothing was sent: {view.text}"
        )
        return msgspec.structs.replace(view, text=text)

    def _are_known(self, strategy: str, instrument: str) -> None:
        """Errors: UnknownView for a name that nobody has; what is empty was not named."""
        state = self.live.state
        if strategy and strategy not in state.desks:
            raise UnknownView(f"no strategy is called {strategy!r}; known: {', '.join(state.desks)}")
        if instrument and instrument not in state.specs:
            raise UnknownView(f"no instrument is called {instrument!r}; known: {', '.join(state.specs)}")

    def _why_planned(self, args: Args) -> WhyView:
        """Ask the very gate about an order that nobody sends: nothing is counted, nothing is changed."""
        state = self.live.state
        session = state.live
        strategy, instrument = str(args.get("strategy", "")), str(args.get("instrument", ""))
        if not (instrument and args.get("side") and args.get("qty")):
            raise UnknownView("a planned order needs --instrument, --side and --qty")
        self._are_known(strategy, instrument)
        if not strategy:
            names = [name for name, desks in state.desks.items() if instrument in desks]
            if len(names) > 1:
                raise UnknownView(f"whose order? --strategy {' or '.join(names)}")
            strategy = names[0] if names else ""
        desk = state.desks.get(strategy, {}).get(instrument)
        if desk is None:
            return self._why_view(
                NotAllowed(strategy=strategy, instrument=instrument), strategy, instrument, planned=True
            )
        spec = state.specs[instrument]
        try:
            lots = whole_units(str(args.get("qty", "")), Decimal(spec.lot))
            price = whole_units(str(args["price"]), Decimal(spec.tick)) if args.get("price") else None
        except NotANumber as error:
            raise UnknownView(f"{instrument}: {error}") from None
        refusal = first_refusal(
            OrderIntent(
                wall_ns=session.now_wall_ns,
                mono_ns=self.live.clock.mono_ns(),
                strategy=strategy,
                intent_seq=desk.last_intent_seq + 1,
                instrument=instrument,
                side=Side.BUY if str(args.get("side", "buy")).lower() == "buy" else Side.SELL,
                qty_lots=lots,
                price_ticks=price,
                order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            ),
            desk,
        )
        if refusal is None:
            return WhyView(
                planned=True,
                refused=False,
                refusal="",
                numbers={},
                text="nothing forbids this order now",
                permits="",
                holds=self._holds_for(strategy, instrument),
                strategy=strategy,
                instrument=instrument,
            )
        return self._why_view(refusal, strategy, instrument, planned=True)

    def _why_view(
        self, refusal: Refusal, strategy: str, instrument: str, *, planned: bool, wall_ns: int | None = None
    ) -> WhyView:
        tag = str(type(refusal).__struct_config__.tag)
        numbers = {name: _plain(value) for name, value in msgspec.structs.asdict(refusal).items()}
        spec = self.live.state.specs.get(instrument)
        text, permits = in_words(refusal, Place(strategy=strategy, instrument=instrument, spec=spec))
        return WhyView(
            planned=planned,
            refused=True,
            refusal=tag,
            numbers=numbers,
            text=text,
            permits=permits,
            holds=self._holds_for(strategy, instrument),
            strategy=strategy,
            instrument=instrument,
            wall_ns=wall_ns,
        )

    def _holds_for(self, strategy: str, instrument: str) -> list[HoldRow]:
        return [
            _hold_row(hold)
            for hold in self.live.state.books.holds.holds.values()
            if (not strategy or hold.scope.strategy in {"", strategy})
            and (not instrument or hold.scope.instrument in {"", instrument})
        ]

    def _plan(self, args: Args) -> FlattenPlanView:
        state = self.live.state
        session = state.live
        words = session.words
        wanted = str(args.get("instrument", ""))
        heard = _age_ms(words.positions, self.live.clock.mono_ns())
        rows: list[PlanRow] = []
        for name, spec in state.specs.items():
            if wanted and name != wanted:
                continue
            # the venue's last word, unless fills came since: flatten itself reads the venue anew
            row = state.books.ledger.position(name)
            lots = words.position_lots.get(name, 0) if heard is not None else 0
            if row.changed_mono_ns > words.positions.mono_ns:
                lots = row.position_lots
            limits = state.instrument_limits[name]
            market = session.markets[name]
            price = market.price_ticks()
            side = Side.SELL if lots > 0 else Side.BUY
            bound = price + side * (price * limits.flatten_collar_ppm // 1_000_000)
            rows.append(
                PlanRow(
                    instrument=name,
                    venue_position=None if heard is None else _lots(spec, lots),
                    side=_side(side) if lots else "",
                    qty=_lots(spec, abs(lots)),
                    clips=-(-abs(lots) // limits.flatten_clip_lots),
                    price_bound=text_of(bound, Decimal(spec.tick)) if price and lots else None,
                    open_orders=len(state.books.orders.rows_in(instrument=name)),
                )
            )
        exits = [row for row in rows if row.clips]
        text = (
            "nothing to exit by the venue's last word"
            if not exits
            else f"{len(exits)} to exit, by reduce-only orders in clips, one in flight each"
        )
        return FlattenPlanView(rows=rows, text=text)


def _hold_row(hold: Hold) -> HoldRow:
    return HoldRow(
        hold_id=hold.hold_id,
        level=hold.level.name.lower(),
        cause=hold.cause.value,
        release=hold.release.value,
        by=hold.by,
        reason=hold.reason,
        since_wall_ns=hold.since_wall_ns,
        strategy=hold.scope.strategy,
        instrument=hold.scope.instrument,
        permits=remedy_of(hold),
    )


def _fill_row(fill: FillBooked, spec: InstrumentSpec, *, taken_back: bool) -> FillRow:
    return FillRow(
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        strategy=fill.strategy or "(house)",
        instrument=fill.instrument,
        side=_side(fill.side),
        qty=_lots(spec, fill.qty_lots),
        price=text_of(fill.price_ticks, Decimal(spec.tick)),
        fee=e8_text(fill.fee_e8),
        fee_asset=fill.fee_asset,
        maker=fill.maker,
        cause=fill.cause.value,
        quarantined=fill.quarantined,
        venue_ns=fill.venue_ns,
        taken_back=taken_back,
    )


def _level_of(state: State, scope: Scope) -> str:
    hold = state.books.holds.strictest(strategy=scope.strategy, instrument=scope.instrument)
    # a hold on one strategy only does not hold the instrument
    if hold is None or hold.scope.strategy:
        return "none"
    return hold.level.name.lower()


def _age_ms(word: Word, now_mono_ns: int) -> int | None:
    return max(0, now_mono_ns - word.mono_ns) // NS_PER_MS if word.mono_ns > 0 else None


def _limit(args: Args) -> int:
    return max(1, min(RECENT_MAX, int(args.get("limit", 100))))


def _side(side: Side) -> str:
    return "buy" if side > 0 else "sell"


def _lots(spec: InstrumentSpec, lots: int) -> str:
    return text_of(lots, Decimal(spec.lot))


def _money(amount_e8: int | None) -> str | None:
    return None if amount_e8 is None else e8_text(amount_e8)


def _plain(value: object) -> str:
    return str(getattr(value, "value", value))
