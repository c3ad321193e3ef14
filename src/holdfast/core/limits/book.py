"""What people changed of the limits, and which numbers are in force because of it.

Promises: nothing here is ever looser than its hard cap, and a limit without a hard cap is never looser than the
configuration says. A change stands over the configuration until somebody edits that number there: from then on
the stricter of the two is in force, until the next change.
"""

from __future__ import annotations

from typing import Final, TypeVar

from msgspec import Struct, structs

from holdfast.vocab.facts import GlassBroken, GlassEnded, LimitChanged, LoosenAsked
from holdfast.vocab.governed import (
    ACCOUNT_ROWS,
    CRITERIA_ROWS,
    FLOW_ROWS,
    GROUP_FLOW_ROWS,
    INSTRUMENT_ROWS,
    STRATEGY_ROWS,
    Group,
    Limit,
    LimitRow,
    limits_of,
    stricter,
)
from holdfast.vocab.holds import Scope
from holdfast.vocab.invariant import invariant
from holdfast.vocab.limits import InstrumentLimits, Settings, StrategyLimits

ASKED_KEPT_MAX: Final = 64
G = TypeVar("G", bound=Group)


class Asked(Struct, kw_only=True):
    """One person alone asked for what takes two, and since when."""

    by: str
    reason: str
    since_mono_ns: int


class LimitBook(Struct, kw_only=True):
    """Changed limits by name, what waits for a second person by its words, and broken glass by number."""

    changed: dict[str, LimitChanged] = {}
    asked: dict[str, Asked] = {}
    glasses: dict[int, GlassBroken] = {}
    last_glass_id: int = 0

    # --- facts ------------------------------------------------------------------------------------------------

    def ask(self, fact: LoosenAsked, *, mono_ns: int) -> None:
        """Begin the solo operator's delay. The oldest is forgotten beyond the bound: it must be asked again."""
        self.asked.pop(fact.act, None)
        while len(self.asked) >= ASKED_KEPT_MAX:
            del self.asked[next(iter(self.asked))]
        self.asked[fact.act] = Asked(by=fact.by, reason=fact.reason, since_mono_ns=mono_ns)

    def change(self, fact: LimitChanged) -> None:
        """Take the new number."""
        self.changed[fact.name] = fact
        self.asked.pop(fact.act, None)

    def break_glass(self, fact: GlassBroken) -> None:
        """Open one limit for a while."""
        self.glasses[fact.glass_id] = fact
        self.last_glass_id = fact.glass_id
        self.asked.pop(fact.act, None)

    def end_glass(self, fact: GlassEnded) -> None:
        """Close it again."""
        invariant(fact.glass_id in self.glasses, "only open glass is closed", glass_id=fact.glass_id)
        del self.glasses[fact.glass_id]

    def reboot(self, mono_ns: int) -> None:
        """The monotonic clock began anew: every delay restarts in full."""
        for one in self.asked.values():
            one.since_mono_ns = mono_ns


def within_cap(limit: Limit, value: int) -> int:
    """The number, or what its hard cap leaves of it."""
    return stricter(limit.row, value, limit.value if limit.cap is None else limit.cap)


def standing(limit: Limit, book: LimitBook) -> int:
    """The number that stands, broken glass apart. ``limit`` is the configuration's."""
    change = book.changed.get(limit.name)
    if change is None:
        return limit.value
    value = change.new
    if change.configured != limit.value:
        value = stricter(limit.row, value, limit.value)
    return within_cap(limit, value)


def in_force(configured: Settings, book: LimitBook) -> Settings:
    """The settings with every number as it is in force now."""
    if not book.changed and not book.glasses:
        return configured
    values = {name: standing(limit, book) for name, limit in limits_of(configured).items()}
    limits = limits_of(configured)
    for glass in book.glasses.values():
        limit = limits.get(glass.name)
        if limit is not None:
            values[glass.name] = within_cap(limit, glass.value)
    return with_values(configured, values)


def with_values(settings: Settings, values: dict[str, int]) -> Settings:
    """The settings with these limits at these numbers."""
    return structs.replace(
        settings,
        account_limits=_with("account", settings.account_limits, ACCOUNT_ROWS, values),
        instrument_limits=tuple(
            _with(f"instrument.{one.instrument}", one, INSTRUMENT_ROWS, values)
            for one in settings.instrument_limits
        ),
        strategy_limits=tuple(
            _with(f"strategy.{one.strategy}.{one.instrument}", one, STRATEGY_ROWS, values)
            for one in settings.strategy_limits
        ),
        flows=tuple(_with(f"flow.{one.instrument}", one, FLOW_ROWS, values) for one in settings.flows),
        group_flows=tuple(
            _with(f"flow_group.{one.group}", one, GROUP_FLOW_ROWS, values) for one in settings.group_flows
        ),
        criteria=tuple(
            _with(f"criteria.{one.strategy}", one, CRITERIA_ROWS, values) for one in settings.criteria
        ),
    )


def _with(prefix: str, group: G, rows: tuple[LimitRow, ...], values: dict[str, int]) -> G:
    changes = {row.field: values[f"{prefix}.{row.key}"] for row in rows if f"{prefix}.{row.key}" in values}
    return structs.replace(group, **changes)


def senseless(settings: Settings, limit: Limit, value: int) -> str:
    """Why this number is no limit at all, or makes another meaningless; empty where it is one."""
    row = limit.row
    if not 0 < value <= row.most:
        return f"expected more than zero and at most {row.most}"
    wanted = with_values(settings, {limit.name: value})
    account = wanted.account_limits
    ladder = (
        ("orders_per_s_refuse", account.orders_per_s_refuse, "orders_per_s_kill", account.orders_per_s_kill),
        (
            "drawdown_release",
            account.drawdown_release_ppm,
            "drawdown_warning",
            account.drawdown_warning_ppm,
        ),
        (
            "drawdown_warning",
            account.drawdown_warning_ppm,
            "drawdown_breaker",
            account.drawdown_breaker_ppm,
        ),
    )
    for lower, below, upper, above in ladder:
        if below >= above and row.key in (lower, upper):
            return f"{lower} would not be less than {upper}"
    groups: list[InstrumentLimits | StrategyLimits] = [*wanted.instrument_limits, *wanted.strategy_limits]
    for rates in groups:
        if _within(limit, rates) and rates.orders_per_s_refuse >= rates.orders_per_s_halt:
            return "orders_per_s_refuse would not be less than orders_per_s_halt"
    spec = next((one for one in wanted.instruments if one.instrument == limit.scope.instrument), None)
    if spec is not None:
        if row.field.endswith("_lots_max") or row.field.endswith("_lots"):
            least = max(1, spec.qty_lots_min)
            if value < least:
                return f"below the venue's smallest size ({least} lots): nothing could be sent"
            if row.key == "flatten_clip" and value > spec.qty_lots_max:
                return f"larger than the venue's largest order ({spec.qty_lots_max} lots)"
        if row.key == "order_notional_max" and value < spec.notional_e8_min:
            return "below the venue's smallest order: nothing could be sent"
    return ""


def _within(limit: Limit, group: InstrumentLimits | StrategyLimits) -> bool:
    """Whether a limit is one of this record."""
    strategy = group.strategy if isinstance(group, StrategyLimits) else ""
    return limit.scope == Scope(strategy=strategy, instrument=group.instrument)
