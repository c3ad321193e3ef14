"""The read store: whatever the way there, it says what the journal says."""

import json
import random

import apsw
import pytest
from msgspec import structs

from holdfast.journal import iterate, open_for_append
from holdfast.store import ReadStore, StoreFailed
from holdfast.store import store as module
from holdfast.store.schema import APPLY, TABLES
from holdfast.vocab import events, facts
from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Release, Scope
from holdfast.vocab.orders import Did, OrderState, Side
from holdfast.vocab.reports import FillCause
from tests.journal.records import a_command, a_refusal, a_timer, an_approval


def moved(number, state=OrderState.LIVE, venue_order_id="", why=""):
    order_id = (1 << 40) + number
    return facts.OrderMoved(
        order_id=order_id, did=Did.ACK, state=state, venue_order_id=venue_order_id, why=why, mono_ns=1
    )


def a_fill(number, order=None, **changes):
    plain = facts.FillBooked(
        trade_id=str(number), order_id=None if order is None else (1 << 40) + order, strategy="quoter",
        instrument="BTCUSDT", side=Side.BUY, qty_lots=2, price_ticks=600_001, fee_e8=-17, fee_asset="USDT",
        maker=True, cause=FillCause.ORDER, quarantined=order is None, venue_ns=5,
    )  # fmt: skip
    return structs.replace(plain, **changes)


def a_hold(number, level=HoldLevel.HALTED, reason="odd fills"):
    hold = Hold(
        hold_id=number, scope=Scope(instrument="BTCUSDT"), level=level, cause=HoldCause.HALT, release=Release.PERSON,
        by="ann", reason=reason, since_wall_ns=9, since_mono_ns=8,
    )  # fmt: skip
    return facts.HoldPlaced(hold=hold)


def cash(number):
    return facts.CashBooked(
        cash_id=str(number),
        kind=facts.CashKind.FUNDING,
        asset="USDT",
        amount_e8=-(2**62),
        instrument="",
        venue_ns=3,
    )


SCRIPT = [
    a_timer(1),
    an_approval(1),
    moved(1, venue_order_id="77"),
    a_fill(1, 1),
    moved(1, OrderState.CANCEL_SENT),
    facts.OrderAmended(
        order_id=(1 << 40) + 1, step=facts.AmendStep.ASKED, qty_lots=50, price_ticks=9, why=""
    ),
    a_timer(2),
    facts.OrderAmended(
        order_id=(1 << 40) + 1, step=facts.AmendStep.DONE, qty_lots=5, price_ticks=600_009, why=""
    ),
    a_fill(2, 1),
    a_refusal(3),
    a_hold(1),
    a_command(4),
    facts.HoldReleased(hold_id=1, by="bob", reason="checked"),
    a_hold(2, HoldLevel.REDUCED),
    a_hold(2, HoldLevel.REDUCE_ONLY, reason="worse"),
    cash(1),
    facts.EquityMarked(equity_e8=10**15, peak_e8=10**15 + 1, day=19_000),
    a_fill(9),
    facts.FillAccepted(key="BTCUSDT/9", by="ann", reason="mine"),
    events.LatchSeen(wall_ns=7, mono_ns=7, nonce=5, by="ann", reason="smoke"),
    facts.BreakFound(kind=facts.BreakKind.POSITION, key="BTCUSDT", ours=1, theirs=2),
    facts.FlattenEnded(scope=Scope(), flat=False, why="the venue is down", mono_ns=1),
    an_approval(2),
    facts.OrderAmended(
        order_id=(1 << 40) + 2, step=facts.AmendStep.ASKED, qty_lots=50, price_ticks=9, why=""
    ),
    facts.OrderAmended(
        order_id=(1 << 40) + 2, step=facts.AmendStep.REFUSED, qty_lots=50, price_ticks=9, why="no"
    ),
    moved(2, OrderState.REJECTED, why="-2019"),
    facts.FillBusted(
        trade_id="2",
        order_id=(1 << 40) + 1,
        instrument="BTCUSDT",
        side=Side.BUY,
        qty_lots=2,
        price_ticks=600_001,
        booked=True,
        counted=False,
        by="venue",
        reason="a clear error",
        venue_ns=6,
    ),
    a_fill(11),
    facts.FillClaimed(key="BTCUSDT/11", order_id=(1 << 40) + 2, strategy="quoter"),
]


def indexed(records, start=0):
    return ((index, 0, record) for index, record in enumerate(records, start))


def everything(store):
    """All rows of all tables."""
    return {
        table: store._connection.execute(f"SELECT * FROM {table} ORDER BY record_index").fetchall()
        for table, _, _ in TABLES.values()
    }


@pytest.fixture
def store(tmp_path):
    opened = ReadStore.open(str(tmp_path / "read.db"))
    opened.rebuild(indexed(SCRIPT))
    yield opened
    opened.close()


def test_an_order_is_told_as_it_stands(store):
    """State, venue id, amended terms and what was filled, from five records."""
    order = store.orders(order_id=(1 << 40) + 1)[0]

    assert ("cancel_sent", "77", 5, 600_009, 4) == (
        order.state,
        order.venue_order_id,
        order.qty_lots,
        order.price_ticks,
        order.filled_lots,
    )
    assert ("quoter", 1, "limit", 1) == (order.strategy, order.side, order.order_type, order.record_index)
    assert (1_700_000_000_000_000_001, 1_700_000_000_000_000_002) == (order.wall_ns, order.updated_wall_ns)
    assert [(2, 600_002)] == [(one.qty_lots, one.price_ticks) for one in store.orders(state="rejected")]
    assert ["-2019"] == [one.why for one in store.orders(state="rejected")]
    assert [2, 1] == [one.intent_seq for one in store.orders(strategy="quoter")]
    assert [] == store.orders(instrument="ETHUSDT")
    assert 1 == len(store.orders(limit=1))


def test_a_refused_basket_is_told_with_its_leg(tmp_path):
    store = ReadStore.open(str(tmp_path / "read.db"))
    store.rebuild(indexed([structs.replace(a_refusal(3), leg=2, legs_count=3)]))
    (row,) = store.refusals()
    assert {"leg": 2, "legs_count": 3, "limit_lots": 10}.items() <= json.loads(row.numbers).items()
    store.close()


def test_fills_refusals_holds_and_the_rest_can_be_asked_for(store):
    """What the CLI and the dashboard show."""
    assert ["11", "9", "2", "1"] == [fill.trade_id for fill in store.fills()]
    assert [("2", "venue")] == [
        (fill.trade_id, fill.taken_back_by) for fill in store.fills() if fill.taken_back_by
    ]
    claimed = store.fills(order_id=(1 << 40) + 2)
    assert [("11", "quoter", 0)] == [(fill.trade_id, fill.strategy, fill.quarantined) for fill in claimed]
    assert 2 == store.orders(order_id=(1 << 40) + 2)[0].filled_lots
    assert [-17, -17] == [fill.fee_e8 for fill in store.fills(order_id=(1 << 40) + 1)]
    assert [] == store.fills(quarantined=True)
    assert ["ann"] == [fill.accepted_by for fill in store.fills(order_id=None) if fill.accepted_by]
    assert [("over_position", '{"of":"strategy","would_be_lots":12,"limit_lots":10}')] == [
        (row.kind, row.numbers) for row in store.refusals(strategy="quoter")
    ]
    assert [(2, 2, "worse", None)] == [
        (hold.hold_id, hold.level, hold.reason, hold.released_wall_ns) for hold in store.holds(standing=True)
    ]
    assert [(1, "bob", "checked")] == [
        (hold.hold_id, hold.released_by, hold.released_reason) for hold in store.holds(standing=False)
    ]
    assert ["halt"] == [command.verb for command in store.commands(by="ann")]
    assert [-(2**62)] == [entry.amount_e8 for entry in store.cash(kind="funding")]
    assert [(10**15, 10**15 + 1)] == [(mark.equity_e8, mark.peak_e8) for mark in store.equity(day=19_000)]
    kinds = ["fill_claimed", "fill_busted", "flatten_ended", "break_found", "latch_seen", "fill_accepted"]
    assert kinds == [one.kind for one in store.alerts()]
    assert "not flat: the venue is down" == store.alerts(kind="flatten_ended")[0].text


def test_rebuilding_equals_keeping_up(tmp_path, store):
    """Batches cut anywhere, also between an event and its facts, and restarts in between: the same rows."""
    for seed in range(20):
        rng = random.Random(seed)
        path = str(tmp_path / f"{seed}.db")
        other = ReadStore.open(path)
        for index, record in enumerate(SCRIPT):
            other.apply(index, record)
            if rng.random() < 0.3:
                other.commit()
            if rng.random() < 0.15:
                other._connection.close()  # killed: what was not committed is applied again from the journal
                other = ReadStore.open(path)
                other.catch_up(indexed(SCRIPT[: index + 1]))
        other.commit()
        assert everything(store) == everything(other)
        assert len(SCRIPT) == other.next_index
        other.close()


def test_it_is_rebuilt_from_a_real_journal(tmp_path):
    """The source of truth, end to end."""
    journal = open_for_append(
        str(tmp_path / "j"), account="a", segment_bytes=1 << 20, reserve_bytes=0
    ).journal
    for record in SCRIPT:
        journal.append(record, 0)
    journal.close()
    store = ReadStore.open(str(tmp_path / "read.db"))
    store.rebuild(iterate(str(tmp_path / "j")))
    other = ReadStore.open(str(tmp_path / "other.db"))
    other.catch_up(indexed(SCRIPT))

    assert everything(other) == everything(store)
    store.close()
    other.close()


def test_what_is_applied_shows_after_the_commit(tmp_path):
    """Readers never see half a batch."""
    store = ReadStore.open(str(tmp_path / "read.db"))
    store.commit()
    reader = ReadStore.read_only(str(tmp_path / "read.db"))
    for index, record in enumerate(SCRIPT):
        store.apply(index, record)
    assert [] == reader.orders()
    store.commit()
    assert 2 == len(reader.orders())
    assert len(SCRIPT) == ReadStore.read_only(str(tmp_path / "read.db")).next_index
    store.close()


def test_a_gap_is_refused_and_a_repetition_passed_over(store):
    """Rows built on records that were skipped would be wrong without saying so."""
    before = everything(store)
    store.apply(3, SCRIPT[3])
    store.commit()
    assert before == everything(store)
    with pytest.raises(StoreFailed, match=f"waits for record {len(SCRIPT)}, was given {len(SCRIPT) + 1}"):
        store.apply(len(SCRIPT) + 1, a_timer(5))


def test_a_number_that_does_not_fit_is_refused_and_not_rounded(tmp_path):
    """SQLite would make a float of it."""
    store = ReadStore.open(str(tmp_path / "read.db"))
    store.apply(0, facts.EquityMarked(equity_e8=2**63, peak_e8=0, day=1))
    with pytest.raises(StoreFailed, match="too big"):
        store.commit()
    assert [] == ReadStore.open(str(tmp_path / "read.db")).equity()


def test_a_store_of_another_version_or_of_a_crashed_machine_starts_empty(tmp_path, monkeypatch):
    """It is not synced: after a power loss it may be anything, and the journal has it all."""
    path = str(tmp_path / "read.db")
    ReadStore.open(path).rebuild(indexed(SCRIPT))
    assert len(SCRIPT) == ReadStore.open(path).next_index
    boot = module._boot()
    monkeypatch.setattr(module, "_boot", lambda: boot + 1)
    store = ReadStore.open(path)
    assert (0, []) == (store.next_index, store.orders())

    store.rebuild(indexed(SCRIPT))
    store.close()  # a clean stop is synced: it is trusted after a reboot
    monkeypatch.setattr(module, "_boot", lambda: boot + 2)
    store = ReadStore.open(path)
    assert len(SCRIPT) == store.next_index
    store._connection.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(StoreFailed, match="version 99, this build reads version"):
        ReadStore.read_only(path)
    assert 0 == ReadStore.open(path).next_index


def test_what_is_no_database_is_a_clear_error(tmp_path):
    """One line with the path."""
    (tmp_path / "read.db").write_bytes(b"not a database, by far " * 100)
    with pytest.raises(StoreFailed, match=r"read\.db: .*not a database"):
        ReadStore.open(str(tmp_path / "read.db"))
    with pytest.raises(StoreFailed, match="unable to open"):
        ReadStore.read_only(str(tmp_path / "nowhere.db"))


def test_memory_is_bounded_without_a_commit(tmp_path, monkeypatch):
    """A runtime that forgets to commit must not fill the machine."""
    monkeypatch.setattr(module, "PENDING_MAX", 5)
    store = ReadStore.open(str(tmp_path / "read.db"))
    for index in range(12):
        store.apply(index, cash(index))
        assert len(store._pending) < 5
    assert 10 == len(store.cash())
    store.close()


def test_who_changed_a_limit_from_what_to_what_can_be_looked_up(tmp_path):
    """The journal has it; nobody greps a journal at three in the morning."""
    store = ReadStore.open(str(tmp_path / "read.db"))
    change = facts.LimitChanged(
        name="account.open_orders_max", old=40, new=60, configured=40, by="ann", second_by="bob", alone=False,
        reason="third instrument", wall_ns=3,
    )  # fmt: skip
    store.apply(0, change)
    store.apply(1, structs.replace(change, second_by="", alone=True))
    store.commit()
    first, second = store.alerts()
    store.close()
    said = {first.text, second.text}
    assert {"account.open_orders_max"} == {first.key, second.key}
    assert "40 to 60 by ann and bob: third instrument" in said
    assert "40 to 60 by ann (alone, after the cooling delay): third instrument" in said


def test_every_fact_that_people_ask_for_has_a_row():
    """A fact kind that is added later is decided on, not forgotten."""
    unwritten = {
        facts.BooksOpened, facts.SizeReduced, facts.ClockSet, facts.HashMark, facts.MarketSeen,
    }  # fmt: skip
    kinds = {
        kind for kind in vars(facts).values() if isinstance(kind, type) and issubclass(kind, facts._Fact)
    }

    assert kinds - {facts._Fact} - unwritten == {kind for kind in APPLY if issubclass(kind, facts._Fact)}


def test_every_statement_is_one_that_sqlite_takes(tmp_path):
    """The whole script ran above; here each table's columns are named once more by SQLite itself."""
    store = ReadStore.open(str(tmp_path / "read.db"))
    for row, (table, key, _) in TABLES.items():
        columns = [name for _, name, *_ in store._connection.execute(f"PRAGMA table_info({table})")]
        assert list(row.__struct_fields__) == columns
        assert key in columns
    with pytest.raises(apsw.ConstraintError):
        store._connection.execute("INSERT INTO equity VALUES (1, NULL, 1, 1, 1)")
    store.close()


def test_following_a_journal_reads_what_is_new_and_begins_anew_only_where_it_saw_more(tmp_path):
    """A start waits for it: a million records read again after each crash are half a minute."""
    store = ReadStore.open(str(tmp_path / "f.sqlite"))
    asked = []

    def records(first, *, count):
        asked.append(first)
        return [row for row in indexed(SCRIPT[:count]) if row[0] >= first]

    half = len(SCRIPT) // 2
    for count in (half, len(SCRIPT), len(SCRIPT), half):
        store.follow(count, lambda first, count=count: records(first, count=count))
        assert count == store.next_index
    assert [0, half, 0] == asked
    other = ReadStore.open(str(tmp_path / "g.sqlite"))
    other.catch_up(indexed(SCRIPT[:half]))
    assert everything(other) == everything(store)
    other.close()
    store.close()
