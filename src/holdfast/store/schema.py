"""The tables, and what each kind of journal record does to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct, json, structs

from holdfast.store.rows import Alert, Cash, Command, Equity, Fill, HoldRow, Order, RefusalRow
from holdfast.vocab import events, facts
from holdfast.vocab.units import NS_PER_S

VERSION: Final = 2  # a store of another version is dropped and rebuilt

# row type → table, its key, and its further indices
TABLES: Final[dict[type[Struct], tuple[str, str, tuple[str, ...]]]] = {
    Order: ("orders", "order_id", ("instrument", "strategy", "record_index")),
    Fill: ("fills", "record_index", ("order_id", "instrument, trade_id", "strategy")),
    RefusalRow: ("refusals", "record_index", ("strategy", "kind")),
    HoldRow: ("holds", "hold_id", ("record_index",)),
    Command: ("commands", "record_index", ("command_id",)),
    Cash: ("cash", "record_index", ("cash_id",)),
    Equity: ("equity", "record_index", ("day",)),
    Alert: ("alerts", "record_index", ("kind",)),
}
_SQL_TYPES: Final = {"int": "INTEGER NOT NULL", "int | None": "INTEGER", "str": "TEXT NOT NULL"}


def create_statements() -> list[str]:
    """What makes an empty database a read store."""
    made = ["CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID"]
    for row, (table, key, indices) in TABLES.items():
        columns = ", ".join(
            f'"{name}" {_SQL_TYPES[kind]}' + (" PRIMARY KEY" if name == key else "")
            for name, kind in row.__annotations__.items()
        )
        made.append(f"CREATE TABLE {table} ({columns})")
        made += [f"CREATE INDEX {table}_{at} ON {table} ({columns})" for at, columns in enumerate(indices)]
    return made


def _insert(row: type[Struct]) -> str:
    table = TABLES[row][0]
    names = row.__struct_fields__
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our own names


Statement = tuple[str, tuple[Any, ...]]

INSERT: Final[dict[type[Struct], str]] = {row: _insert(row) for row in TABLES}


def added(row: Any) -> Statement:
    """The statement that adds one row."""
    return INSERT[type(row)], structs.astuple(row)


# --- facts ----------------------------------------------------------------------------------------------------------


def _order_approved(fact: facts.OrderApproved, index: int, wall_ns: int) -> list[Statement]:
    terms = fact.terms
    return [
        added(
            Order(
                order_id=fact.order_id,
                record_index=index,
                wall_ns=wall_ns,
                updated_wall_ns=wall_ns,
                strategy=fact.strategy,
                intent_seq=fact.intent_seq,
                lane=fact.lane.value,
                instrument=terms.instrument,
                side=int(terms.side),
                qty_lots=terms.qty_lots,
                price_ticks=terms.price_ticks,
                order_type=terms.order_type.value,
                tif=terms.tif.value,
                trigger_ticks=terms.trigger_ticks,
                reduce_only=int(terms.reduce_only),
                reference_ticks=fact.reference_ticks,
                decision_ticks=fact.decision_ticks,
                state="sent",
                venue_order_id="",
                why="",
                filled_lots=0,
            )
        )
    ]


_MOVE: Final = (
    "UPDATE orders SET state = ?, why = ?, updated_wall_ns = ?,"
    " venue_order_id = CASE ? WHEN '' THEN venue_order_id ELSE ? END WHERE order_id = ?"
)


def _order_moved(fact: facts.OrderMoved, _index: int, wall_ns: int) -> list[Statement]:
    venue_id = fact.venue_order_id
    return [(_MOVE, (fact.state.value, fact.why, wall_ns, venue_id, venue_id, fact.order_id))]


def _order_amended(fact: facts.OrderAmended, _index: int, wall_ns: int) -> list[Statement]:
    if fact.step is not facts.AmendStep.DONE:
        return []
    sql = "UPDATE orders SET qty_lots = ?, price_ticks = ?, updated_wall_ns = ? WHERE order_id = ?"
    return [(sql, (fact.qty_lots, fact.price_ticks, wall_ns, fact.order_id))]


_FILLED: Final = "UPDATE orders SET filled_lots = filled_lots + ?, updated_wall_ns = ? WHERE order_id = ?"


def _fill_booked(fact: facts.FillBooked, index: int, wall_ns: int) -> list[Statement]:
    row = Fill(
        record_index=index,
        wall_ns=wall_ns,
        trade_id=fact.trade_id,
        order_id=fact.order_id,
        strategy=fact.strategy,
        instrument=fact.instrument,
        side=int(fact.side),
        qty_lots=fact.qty_lots,
        price_ticks=fact.price_ticks,
        fee_e8=fact.fee_e8,
        fee_asset=fact.fee_asset,
        maker=int(fact.maker),
        cause=fact.cause.value,
        quarantined=int(fact.quarantined),
        venue_ns=fact.venue_ns,
        decision_ticks=fact.decision_ticks,
        accepted_by="",
        taken_back_by="",
    )
    if fact.order_id is None:
        return [added(row)]
    return [added(row), (_FILLED, (fact.qty_lots, wall_ns, fact.order_id))]


def _fill_accepted(fact: facts.FillAccepted, index: int, wall_ns: int) -> list[Statement]:
    instrument, _, trade_id = fact.key.partition("/")
    sql = "UPDATE fills SET quarantined = 0, accepted_by = ? WHERE instrument = ? AND trade_id = ?"
    return [
        (sql, (fact.by, instrument, trade_id)),
        _alert("fill_accepted", fact.key, f"{fact.by}: {fact.reason}", index, wall_ns),
    ]


def _fill_busted(fact: facts.FillBusted, index: int, wall_ns: int) -> list[Statement]:
    sql = "UPDATE fills SET quarantined = 0, taken_back_by = ? WHERE instrument = ? AND trade_id = ?"
    told = _alert(
        "fill_busted", f"{fact.instrument}/{fact.trade_id}", f"{fact.by}: {fact.reason}", index, wall_ns
    )
    return [(sql, (fact.by, fact.instrument, fact.trade_id)), told]


def _fill_claimed(fact: facts.FillClaimed, index: int, wall_ns: int) -> list[Statement]:
    instrument, _, trade_id = fact.key.partition("/")
    named = (
        "UPDATE fills SET quarantined = 0, order_id = ?, strategy = ? WHERE instrument = ? AND trade_id = ?"
    )
    filled = (
        "UPDATE orders SET updated_wall_ns = ?, filled_lots = filled_lots +"
        " (SELECT qty_lots FROM fills WHERE instrument = ? AND trade_id = ?) WHERE order_id = ?"
    )
    return [
        (named, (fact.order_id, fact.strategy, instrument, trade_id)),
        (filled, (wall_ns, instrument, trade_id, fact.order_id)),
        _alert("fill_claimed", fact.key, f"of order {fact.order_id}", index, wall_ns),
    ]


def _intent_refused(fact: facts.IntentRefused, index: int, wall_ns: int) -> list[Statement]:
    leg = {"leg": fact.leg, "legs_count": fact.legs_count} if fact.legs_count else {}
    row = RefusalRow(
        record_index=index,
        wall_ns=wall_ns,
        strategy=fact.strategy,
        intent_seq=fact.intent_seq,
        instrument=fact.instrument,
        kind=tag_of(fact.refusal),
        numbers=json.encode(structs.asdict(fact.refusal) | leg).decode(),
    )
    return [added(row)]


def _cash_booked(fact: facts.CashBooked, index: int, wall_ns: int) -> list[Statement]:
    row = Cash(
        record_index=index,
        wall_ns=wall_ns,
        cash_id=fact.cash_id,
        kind=fact.kind.value,
        asset=fact.asset,
        amount_e8=fact.amount_e8,
        instrument=fact.instrument,
        venue_ns=fact.venue_ns,
    )
    return [added(row)]


def _hold_placed(fact: facts.HoldPlaced, index: int, _wall_ns: int) -> list[Statement]:
    hold = fact.hold
    row = HoldRow(
        hold_id=hold.hold_id,
        record_index=index,
        strategy=hold.scope.strategy,
        instrument=hold.scope.instrument,
        level=int(hold.level),
        cause=hold.cause.value,
        release=hold.release.value,
        by=hold.by,
        reason=hold.reason,
        since_wall_ns=hold.since_wall_ns,
        released_wall_ns=None,
        released_by="",
        released_reason="",
    )
    sql, values = added(row)
    # the same hold placed again tells its newer self
    return [(sql.replace("INSERT", "INSERT OR REPLACE", 1), values)]


def _hold_released(fact: facts.HoldReleased, _index: int, wall_ns: int) -> list[Statement]:
    sql = "UPDATE holds SET released_wall_ns = ?, released_by = ?, released_reason = ? WHERE hold_id = ?"
    return [(sql, (wall_ns, fact.by, fact.reason, fact.hold_id))]


def _equity_marked(fact: facts.EquityMarked, index: int, wall_ns: int) -> list[Statement]:
    row = Equity(
        record_index=index,
        wall_ns=wall_ns,
        equity_e8=fact.equity_e8 + fact.transfers_counted_e8,
        peak_e8=fact.peak_e8,
        day=fact.day,
    )
    return [added(row)]


# --- events ---------------------------------------------------------------------------------------------------------


def _command(event: events.Command, index: int, wall_ns: int) -> list[Statement]:
    row = Command(
        record_index=index,
        wall_ns=wall_ns,
        command_id=event.command_id,
        verb=event.verb.value,
        by=event.by,
        second_by=event.second_by,
        reason=event.reason,
        strategy=event.scope.strategy,
        instrument=event.scope.instrument,
        hold_id=event.hold_id,
        order_id=event.order_id,
        trade_id=event.trade_id,
    )
    return [added(row)]


# --- what people look for afterwards ----------------------------------------------------------------------------------


def tag_of(record: Any) -> str:
    """The record's stable name."""
    return str(type(record).__struct_config__.tag)


def _alert(kind: str, key: str, text: str, index: int, wall_ns: int) -> Statement:
    return added(Alert(record_index=index, wall_ns=wall_ns, kind=kind, key=key, text=text))


def _told(
    key: Callable[[Any], str], text: Callable[[Any], str]
) -> Callable[[Any, int, int], list[Statement]]:
    def rows(record: Any, index: int, wall_ns: int) -> list[Statement]:
        return [_alert(tag_of(record), key(record), text(record), index, wall_ns)]

    return rows


def _no_key(_record: Any) -> str:
    return ""


def _people(fact: Any) -> str:
    if fact.second_by:
        return f"{fact.by} and {fact.second_by}"
    return f"{fact.by} (alone, after the cooling delay)" if fact.alone else str(fact.by)


def _scope(record: Any) -> str:
    return "/".join(word for word in (record.scope.strategy, record.scope.instrument) if word) or "account"


APPLY: Final[dict[type, Callable[[Any, int, int], list[Statement]]]] = {
    facts.OrderApproved: _order_approved,
    facts.OrderMoved: _order_moved,
    facts.OrderAmended: _order_amended,
    facts.FillBooked: _fill_booked,
    facts.FillBusted: _fill_busted,
    facts.FillClaimed: _fill_claimed,
    facts.FillAccepted: _fill_accepted,
    facts.IntentRefused: _intent_refused,
    facts.CashBooked: _cash_booked,
    facts.HoldPlaced: _hold_placed,
    facts.HoldReleased: _hold_released,
    facts.EquityMarked: _equity_marked,
    events.Command: _command,
    facts.EpochBegan: _told(lambda fact: str(fact.epoch), lambda fact: f"build {fact.build}"),
    facts.OpeningAgreed: _told(
        lambda fact: fact.asset, lambda fact: f"opened with {fact.wallet_e8}e-8, agreed"
    ),
    facts.PositionAdjusted: _told(
        lambda fact: fact.instrument, lambda fact: f"{fact.delta_lots:+d} lots by {fact.by}: {fact.reason}"
    ),
    facts.BreakFound: _told(
        lambda fact: f"{fact.kind.value} {fact.key}", lambda fact: f"ours {fact.ours}, theirs {fact.theirs}"
    ),
    facts.BreakHealed: _told(lambda fact: f"{fact.kind.value} {fact.key}", lambda _: "agree again"),
    facts.ForeignOrderSeen: _told(
        lambda fact: fact.venue_order_id,
        lambda fact: f"{fact.instrument} {fact.side.name.lower()}, {fact.open_lots} lots open",
    ),
    facts.FlattenBegan: _told(_scope, lambda fact: f"{fact.by}: {fact.reason}"),
    facts.FlattenEnded: _told(_scope, lambda fact: f"{'flat' if fact.flat else 'not flat'}: {fact.why}"),
    facts.LoosenAsked: _told(lambda fact: fact.act, lambda fact: f"{fact.by}, alone: {fact.reason}"),
    facts.LimitChanged: _told(
        lambda fact: fact.name, lambda fact: f"{fact.old} to {fact.new} by {_people(fact)}: {fact.reason}"
    ),
    facts.GlassBroken: _told(
        lambda fact: fact.name,
        lambda fact: (
            f"break-glass {fact.glass_id}: {fact.value} over {fact.standing} by {_people(fact)}: "
            f"{fact.reason}; to review: {fact.review}"
        ),
    ),
    facts.GlassEnded: _told(lambda fact: str(fact.glass_id), lambda fact: fact.why),
    facts.DayRolled: _told(lambda fact: str(fact.day), lambda fact: f"after {fact.breakers_count} breakers"),
    facts.CoolDownMoved: _told(
        _no_key, lambda fact: f"the cool-down {'is over' if fact.over else 'begins again'}, by {fact.by}"
    ),
    events.Stopping: _told(_no_key, lambda event: f"{event.by}: {event.reason}"),
    events.LatchSeen: _told(_no_key, lambda event: f"{event.by}: {event.reason}"),
    events.LeaseLost: _told(
        _no_key,
        lambda event: (
            f"expired by {event.expired_ms} ms, {'contested' if event.contested else 'nobody else had it'}"
        ),
    ),
    events.ReferenceRead: _told(
        lambda event: event.digest,
        lambda event: event.problem or f"reference file with {len(event.instruments)} instruments",
    ),
    facts.DayPriced: _told(
        lambda fact: fact.instrument, lambda fact: f"day {fact.day} begins at {fact.price_ticks} ticks"
    ),
    facts.StrategyMarked: _told(
        lambda fact: fact.strategy, lambda fact: f"made {fact.pnl_e8} (10⁻⁸) by now, day {fact.day}"
    ),
    facts.TargetSet: _told(
        lambda fact: f"{fact.strategy} {fact.instrument}", lambda fact: f"wants {fact.target_lots} lots"
    ),
    events.StrategyFailed: _told(lambda event: event.strategy, lambda event: event.error),
    events.VenueNotice: _told(
        lambda event: f"{event.kind.value} {event.instrument}".strip(), lambda event: event.text
    ),
    events.FeedChosen: _told(
        lambda event: f"{event.instrument} {event.kind.value}",
        lambda event: f"from {event.feed}: {event.why}",
    ),
    events.ReferencePriced: _told(
        lambda event: event.feed, lambda event: f"says prices of {len(event.rows)} instruments"
    ),
    events.StreamSilent: _told(
        lambda event: f"{event.feed} {event.instrument or 'all'} {event.kind.value}",
        lambda event: f"silent for {event.silent_ms} ms" if event.silent else "speaks again",
    ),
    events.HoursPassed: _told(
        _no_key, lambda event: f"{event.by_ns // NS_PER_S} s in which nothing came were passed over"
    ),
    events.PressureChanged: _told(
        _no_key,
        lambda event: (
            f"{'degraded' if event.degraded else 'no longer degraded'}, {event.conflated_count} quotes left out so far"
        ),
    ),
    events.StreamChanged: _told(
        lambda event: f"{event.stream.value} {event.name}",
        lambda event: f"{'up' if event.up else 'down'}: {event.why}",
    ),
}
