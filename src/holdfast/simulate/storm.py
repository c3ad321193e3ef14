"""What goes wrong between the bot and the venue. Fulfils ``sim.port.Faults``."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import structs

from holdfast.sim.port import Latency, SimVenuePort
from holdfast.simulate.plan import Weather
from holdfast.vocab.events import Event, OrderReported, TradeReported
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Fatal, Ok, Outcome, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.reports import (
    Balances,
    Done,
    NoSuchOrder,
    Orders,
    Positions,
    Report,
    Specs,
    Trades,
    VenueStatus,
)
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    Request,
    SetLeverage,
)
from holdfast.vocab.units import NS_PER_MS

CALM_LATENCY: Final = Latency(request_ns=5 * NS_PER_MS, reply_ns=5 * NS_PER_MS, event_ns=3 * NS_PER_MS)
GROUPS: Final[dict[type, str]] = {
    PlaceOrder: "place",
    AmendOrder: "amend",
    CancelOrder: "cancel",
    CancelAll: "cancel",
    QueryOrder: "query",
    QueryOpenOrders: "orders",
    QueryPositions: "positions",
    QueryBalances: "balances",
    QueryTrades: "trades",
    QueryVolumes: "volumes",
    QueryCash: "cash",
    QuerySpecs: "specs",
    SetLeverage: "leverage",
    ArmDeadman: "deadman",
    MeasureClock: "clock",
}
BREAKABLE: Final = (
    "query", "orders", "positions", "balances", "trades", "cash", "clock", "specs", "cancel", "amend", "deadman",
)  # fmt: skip
_READS: Final = frozenset(
    {"query", "orders", "positions", "balances", "trades", "cash", "specs", "clock", "volumes"}
)
_ENDS: Final = (VenueStatus.CANCELLED, VenueStatus.EXPIRED, VenueStatus.REJECTED)
# An order is refused by the venue once its receive window has passed: it never travels longer than this.
_REQUEST_MS_MAX: Final = 900
_USUAL_MS: Final = 12


class Storm:
    """The network and the venue's own faults, of one seed."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.weather = weather
        self.port: SimVenuePort | None = None
        self.mute_until_ns = 0  # by the venue's clock: the account's stream stands, and says nothing
        self.parted_until_ns = 0  # nothing passes in either direction
        self.closed_until_ns = 0  # no order is taken
        self.other_specs: frozenset[str] = frozenset()
        self.last_lie_ns = -(1 << 62)
        self.last_slow_ns = -(1 << 62)
        self.awaited: dict[
            int, int
        ] = {}  # orders that reached the venue and whose answer has not come: how many
        self.tells: Callable[[Event, int], None] = lambda _, __: (
            None
        )  # an event reaches the bot after so many ns
        self.on_arrival: Callable[[Request], None] = lambda _: None
        self._rng = random.Random(f"storm {seed}")
        self._before: dict[str, Outcome] = {}

    def calms_down(self) -> None:
        """From now on everything works."""
        self.weather.calms_down()
        self.mute_until_ns = self.parted_until_ns = self.closed_until_ns = 0
        self.other_specs = frozenset()

    # --- a call -----------------------------------------------------------------------------------------------

    def before_call(self, request: Request, lane: Lane, now_ns: int) -> Outcome | None:
        """What happens on the way to the venue."""
        rng, weather = self._rng, self.weather
        request_ms, reply_ms, event_ms = (rng.randrange(1, _USUAL_MS) for _ in range(3))
        if weather.strikes("request_slow"):
            request_ms = rng.randrange(100, _REQUEST_MS_MAX)  # the next request's way: this one has arrived
            weather.saw("request_slow")
            self.last_slow_ns = now_ns
        if weather.strikes("answer_late"):
            reply_ms = rng.randrange(200, 2_500)
            weather.saw("answer_late")
            self.last_slow_ns = now_ns
        elif weather.strikes("event_before_ack"):
            reply_ms, event_ms = rng.randrange(40, 300), 1
        if self.port is not None:
            self.port.latency = Latency(
                request_ns=request_ms * NS_PER_MS,
                reply_ns=reply_ms * NS_PER_MS,
                event_ns=event_ms * NS_PER_MS,
            )
        instead = self._instead(request, GROUPS[type(request)], now_ns)
        if instead is None:
            self.on_arrival(request)
            if type(request) is PlaceOrder:
                self.awaited[request.order_id] = 1
        return instead

    def _instead(self, request: Request, group: str, now_ns: int) -> Outcome | None:
        weather = self.weather
        if now_ns < self.parted_until_ns:
            weather.saw("partition")
            return Unknown(why="no route to host")
        if group in weather.groups:
            if weather.strikes("endpoint_retired"):
                weather.saw("endpoint_retired")
                return Unknown(why="404 Not Found", code="404")
            if weather.strikes("endpoint_unavailable"):
                weather.saw("endpoint_unavailable")
                return Transient(why="503 Service Unavailable", code="503")
        if (
            type(request) is QueryPositions
            and request.source < 2
            and weather.strikes("positions_source_gone")
        ):
            weather.saw("positions_source_gone")
            return Fatal(why="410 Gone", code="410")
        if weather.strikes("request_lost"):
            weather.saw("request_lost")
            return Unknown(why="lost on the way")
        if weather.strikes("unlisted_code"):
            weather.saw("unlisted_code")
            return Unknown(why="-9999", code="-9999", unlisted=True)
        if group not in _READS:
            for name, by in (("withheld_by_lease", Withheld.LEASE), ("withheld_by_buffer", Withheld.BUFFER)):
                if weather.strikes(name):
                    weather.saw(name)
                    return Suppressed(by=by)
        if group in {"place", "amend"}:
            if now_ns < self.closed_until_ns:
                weather.saw("venue_closed")
                return Fatal(why="the market is closed", code="-4108")
            if weather.strikes("refused_for_good"):
                weather.saw("refused_for_good")
                return Fatal(why="margin is insufficient", code="-2019")
        if weather.strikes("refused_for_now"):
            weather.saw("refused_for_now")
            return Transient(why="too many requests", code="-1003")
        if group == "cancel" and weather.strikes("cancel_ignored"):
            weather.saw("cancel_ignored")
            return Ok(value=Done()) if type(request) is CancelAll else Unknown(why="ignored")
        return None

    def after_call(self, request: Request, outcome: Outcome, now_ns: int) -> Outcome:
        """What happens on the way back, and what the venue says instead of the truth."""
        weather = self.weather
        group = GROUPS[type(request)]
        if now_ns < self.parted_until_ns:
            return Unknown(why="no route to host")
        if group in weather.groups and weather.strikes("endpoint_mute"):
            weather.saw("endpoint_mute")
            return Unknown(why="silence")
        if weather.strikes("answer_lost"):
            weather.saw("answer_lost")
            return Unknown(why="the answer was lost")
        if weather.strikes("answer_unreadable"):
            weather.saw("answer_unreadable")
            return Unknown(why="200 and a page of HTML")
        if not isinstance(outcome, Ok) or isinstance(outcome.value, NoSuchOrder):
            return outcome
        if group == "place" and weather.strikes("accepted_yet_refused"):
            weather.saw("accepted_yet_refused")
            if self._rng.random() < 0.5:
                return Transient(why="service unavailable", code="-1008")
            return Fatal(why="margin is insufficient", code="-2019")
        lie = self._lie(group, outcome)
        if lie is None:
            return outcome
        name, told = lie
        weather.saw(name)
        self.last_lie_ns = now_ns
        return Ok(value=told)

    def _lie(self, group: str, outcome: Ok) -> tuple[str, Report] | None:
        value = outcome.value
        if isinstance(value, Orders):
            return self._stale("orders_stale", group, outcome) or self._lists(value)
        if isinstance(value, Positions):
            return self._stale("positions_stale", group, outcome) or self._lists(value)
        if isinstance(value, Balances):
            stale = self._stale("balances_stale", group, outcome)
            if stale is None and value.balances and self.weather.strikes("balances_zero"):
                zero = tuple(structs.replace(row, wallet_e8=0) for row in value.balances)
                return "balances_zero", structs.replace(value, balances=zero)
            return stale
        if isinstance(value, Trades) and value.trades and self.weather.strikes("executions_cut"):
            kept = self._rng.randrange(len(value.trades))
            return "executions_cut", structs.replace(value, trades=value.trades[:kept], complete=False)
        if isinstance(value, Specs) and self.other_specs:
            specs = tuple(
                structs.replace(spec, notional_e8_min=spec.notional_e8_min * 2)
                if spec.instrument in self.other_specs
                else spec
                for spec in value.specs
            )
            return "spec_changed", structs.replace(value, specs=specs)
        return None

    def _lists(self, value: Orders | Positions) -> tuple[str, Report] | None:
        rng, weather = self._rng, self.weather
        if isinstance(value, Orders):
            if value.orders and weather.strikes("order_left_out"):
                orders = list(value.orders)
                del orders[rng.randrange(len(orders))]
                return "order_left_out", structs.replace(value, orders=tuple(orders))
            return None
        if value.positions and weather.strikes("positions_empty"):
            return "positions_empty", structs.replace(value, positions=())
        if value.positions and weather.strikes("position_left_out"):
            positions = list(value.positions)
            del positions[rng.randrange(len(positions))]
            return "position_left_out", structs.replace(value, positions=tuple(positions))
        return None

    def _stale(self, name: str, group: str, outcome: Ok) -> tuple[str, Report] | None:
        before, self._before[group] = self._before.get(group), outcome
        if isinstance(before, Ok) and self.weather.strikes(name) and before != outcome:
            return name, before.value
        return None

    # --- the account's stream ---------------------------------------------------------------------------------

    def on_event(self, event: Event, now_ns: int) -> Sequence[int]:
        """After which further delays it arrives."""
        rng, weather = self._rng, self.weather
        if now_ns < self.parted_until_ns:
            return ()
        if now_ns < self.mute_until_ns:
            weather.saw("stream_mute")
            return ()
        if weather.strikes("event_lost"):
            weather.saw("event_lost")
            return ()
        arrivals = [0]
        if type(event) is OrderReported and weather.strikes("event_before_ack"):
            arrivals = [50 * NS_PER_MS]  # and its executions overtake it
        self._contradicts(event)
        if weather.strikes("event_late"):
            weather.saw("event_late")
            arrivals = [rng.randrange(1, rng.choice((30, 300, 3_000))) * NS_PER_MS]
        if weather.strikes("event_doubled"):
            weather.saw("event_doubled")
            arrivals.append(rng.randrange(0, 2_000) * NS_PER_MS)
        return arrivals

    def _contradicts(self, event: Event) -> None:
        """The end of an order is told twice, and not as the same end; the wrong word may come first."""
        report = event.report if isinstance(event, OrderReported | TradeReported) else None
        if (
            report is None
            or report.status not in (*_ENDS, VenueStatus.FILLED)
            or not self.weather.strikes("end_contradicted")
        ):
            return
        self.weather.saw("end_contradicted")
        other = self._rng.choice([status for status in _ENDS if status is not report.status])
        wrong = OrderReported(
            wall_ns=event.wall_ns, mono_ns=event.mono_ns, report=structs.replace(report, status=other)
        )
        self.tells(wrong, self._rng.randrange(1, 20) * NS_PER_MS)

    def heard(self, event: Event) -> None:
        """An event reaches the bot: does it overtake the answer to its order?"""
        if isinstance(event, TradeReported):
            order_id = event.trade.order_id
        elif isinstance(event, OrderReported):
            order_id = event.report.order_id
        else:
            return
        if order_id is not None and self.awaited.pop(order_id, 0):
            self.weather.seen["event_before_ack"] += 1  # in any weather: no reason to look at everything

    def answered(self, request: Request) -> None:
        """The answer to a call reaches the bot."""
        if type(request) is PlaceOrder:
            self.awaited.pop(request.order_id, None)
