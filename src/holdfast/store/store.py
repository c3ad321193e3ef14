"""The read store's one writer, and its questions.

It holds nothing that the journal does not: it may be deleted at any time, and is rebuilt when it does not fit. A
disk that refuses it never stops trading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zlib import crc32

from msgspec import Struct, convert

from holdfast.store.rows import Alert, Cash, Command, Equity, Fill, HoldRow, Order, RefusalRow
from holdfast.store.schema import APPLY, TABLES, VERSION, Statement, create_statements
from holdfast.vocab.effects import Record

if TYPE_CHECKING:
    import apsw

LIMIT: Final = 1000  # rows per question unless asked otherwise
BUSY_MS: Final = 2_000
PENDING_MAX: Final = 50_000  # statements kept in memory; beyond it ``apply`` commits by itself

_Row = TypeVar("_Row", bound=Struct)
Indexed = Iterable[tuple[int, int, Record]]
"""(index, market position, record), as the journal hands them out."""


class StoreFailed(Exception):
    """The read store cannot be used, or has not seen the records before this one. One line for a person."""


class ReadStore:
    """A read store, open. Money is INTEGER; one process writes, any number read."""

    def __init__(self, path: str, connection: apsw.Connection, *, next_index: int, wall_ns: int) -> None:
        """Use ``open`` or ``read_only``."""
        self.path = path
        self.next_index = next_index  # the journal record that it waits for
        self._connection = connection
        self._wall_ns = wall_ns  # of the last event: facts have the time of the event before them
        self._pending: list[Statement] = []

    @classmethod
    def open(cls, path: str) -> ReadStore:
        """Open for writing; created when absent, emptied when it cannot be trusted (then ``next_index`` is 0).

        Raises StoreFailed.
        """
        import apsw

        try:
            connection = apsw.Connection(path)
            connection.set_busy_timeout(BUSY_MS)
            connection.pragma("journal_mode", "wal")
            # not synced: a commit must not stall trading; a machine that went down in between is noticed here
            connection.pragma("synchronous", "off")
            meta = _meta(connection) if connection.pragma("user_version") == VERSION else {"boot": -1}
            if meta.get("boot", 0) not in {0, _boot()}:
                _recreate(connection)
                meta = {}
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('boot', ?)", (_boot(),))
        except apsw.Error as error:
            raise StoreFailed(f"{path}: {error}") from error
        return cls(path, connection, next_index=meta.get("next_index", 0), wall_ns=meta.get("wall_ns", 0))

    @classmethod
    def read_only(cls, path: str) -> ReadStore:
        """Open for questions only. Raises StoreFailed when there is none that this build reads."""
        import apsw

        try:
            connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
            connection.set_busy_timeout(BUSY_MS)
            version = connection.pragma("user_version")
            if version != VERSION:
                raise StoreFailed(
                    f"{path}: version {version}, this build reads version {VERSION}: rebuild it"
                )
            meta = _meta(connection)
        except apsw.Error as error:
            raise StoreFailed(f"{path}: {error}") from error
        return cls(path, connection, next_index=meta.get("next_index", 0), wall_ns=meta.get("wall_ns", 0))

    # --- writing --------------------------------------------------------------------------------------------------

    def apply(self, index: int, record: Record) -> None:
        """Take in one journal record; it shows after ``commit``. One seen before is passed over.

        Raises StoreFailed when records before it are missing: then ``rebuild``, or apply those first.
        """
        if index != self.next_index:
            if index < self.next_index:
                return
            raise StoreFailed(f"{self.path}: waits for record {self.next_index}, was given {index}")
        self.next_index = index + 1
        self._wall_ns = getattr(record, "wall_ns", self._wall_ns)
        change = APPLY.get(type(record))
        if change is None:
            return
        self._pending += change(record, index, self._wall_ns)
        if len(self._pending) >= PENDING_MAX:
            self.commit()

    def commit(self) -> None:
        """Make everything applied visible, in one transaction.

        Raises StoreFailed; then nothing of it shows, and the store must be opened again.
        """
        import apsw

        pending, self._pending = self._pending, []
        meta = (("next_index", self.next_index), ("wall_ns", self._wall_ns))
        try:
            with self._connection:
                execute = self._connection.execute
                for sql, values in pending:
                    execute(sql, values)
                self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta)
        except (apsw.Error, OverflowError) as error:
            raise StoreFailed(f"{self.path}: {error}") from error

    def rebuild(self, records: Indexed) -> None:
        """Empty it and fill it from a journal's records (``journal.iterate``), from the first one on.

        Raises StoreFailed.
        """
        import apsw

        try:
            _recreate(self._connection)
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('boot', ?)", (_boot(),))
        except apsw.Error as error:
            raise StoreFailed(f"{self.path}: {error}") from error
        self.next_index = self._wall_ns = 0
        self._pending = []
        self.catch_up(records)

    def follow(self, record_count: int, records: Callable[[int], Indexed]) -> None:
        """Hold what a journal of so many records says, from wherever it is now. Raises StoreFailed.

        ``records``: the journal's, from an index on. A store that saw more than there is saw what a crash took.
        """
        if self.next_index > record_count:
            self.rebuild(records(0))
        elif self.next_index < record_count:
            self.catch_up(records(self.next_index))

    def catch_up(self, records: Indexed) -> None:
        """Take in records up to their end and commit. Raises StoreFailed."""
        for index, _, record in records:
            self.apply(index, record)
        self.commit()

    def close(self) -> None:
        """Close. What was applied and not committed is found again in the journal."""
        import apsw

        if not self._connection.readonly("main"):
            try:
                self._connection.pragma("synchronous", "full")
                self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('boot', 0)")
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.Error:
                self._pending = []  # the next open on this boot still trusts it; on another, it is rebuilt
        self._connection.close()

    # --- questions ------------------------------------------------------------------------------------------------

    def orders(
        self,
        *,
        order_id: int | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        state: str | None = None,
        limit: int = LIMIT,
    ) -> list[Order]:
        """Orders, newest first."""
        asked = {"order_id": order_id, "strategy": strategy, "instrument": instrument, "state": state}
        return self._rows(Order, asked, limit)

    def fills(
        self,
        *,
        order_id: int | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        quarantined: bool | None = None,
        limit: int = LIMIT,
    ) -> list[Fill]:
        """Executions, newest first."""
        asked = {
            "order_id": order_id,
            "strategy": strategy,
            "instrument": instrument,
            "quarantined": quarantined,
        }
        return self._rows(Fill, asked, limit)

    def refusals(
        self,
        *,
        strategy: str | None = None,
        instrument: str | None = None,
        kind: str | None = None,
        limit: int = LIMIT,
    ) -> list[RefusalRow]:
        """Refused intents, newest first."""
        return self._rows(RefusalRow, {"strategy": strategy, "instrument": instrument, "kind": kind}, limit)

    def holds(
        self, *, standing: bool | None = None, cause: str | None = None, limit: int = LIMIT
    ) -> list[HoldRow]:
        """Holds, newest first. ``standing``: only those that still stand, or only those that do not."""
        rows = self._rows(HoldRow, {"cause": cause}, limit if standing is None else -1)
        if standing is not None:
            rows = [row for row in rows if (row.released_wall_ns is None) == standing][:limit]
        return rows

    def commands(
        self, *, verb: str | None = None, by: str | None = None, limit: int = LIMIT
    ) -> list[Command]:
        """What people told the core, newest first."""
        return self._rows(Command, {"verb": verb, "by": by}, limit)

    def cash(self, *, kind: str | None = None, asset: str | None = None, limit: int = LIMIT) -> list[Cash]:
        """Movements of cash other than by trades, newest first."""
        return self._rows(Cash, {"kind": kind, "asset": asset}, limit)

    def equity(self, *, day: int | None = None, limit: int = LIMIT) -> list[Equity]:
        """Marks of equity, newest first."""
        return self._rows(Equity, {"day": day}, limit)

    def alerts(self, *, kind: str | None = None, limit: int = LIMIT) -> list[Alert]:
        """What people may want to find again, newest first."""
        return self._rows(Alert, {"kind": kind}, limit)

    def _rows(self, row: type[_Row], asked: dict[str, Any], limit: int) -> list[_Row]:
        import apsw

        given = {name: value for name, value in asked.items() if value is not None}
        where = " AND ".join(f'"{name}" = ?' for name in given) or "1"
        names = ", ".join(f'"{name}"' for name in row.__struct_fields__)
        table = TABLES[row][0]
        sql = f"SELECT {names} FROM {table} WHERE {where} ORDER BY record_index DESC LIMIT ?"  # noqa: S608
        try:
            found = self._connection.execute(sql, (*given.values(), limit)).fetchall()
        except apsw.Error as error:
            raise StoreFailed(f"{self.path}: {error}") from error
        return [convert(dict(zip(row.__struct_fields__, values, strict=True)), row) for values in found]


def _meta(connection: apsw.Connection) -> dict[str, int]:
    rows: list[Any] = connection.execute("SELECT key, value FROM meta").fetchall()
    return dict(rows)


def _recreate(connection: apsw.Connection) -> None:
    """Drop whatever is there, and make the tables of this version."""
    with connection:
        there = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in there:
            connection.execute(f'DROP TABLE "{name}"')
        for statement in create_statements():
            connection.execute(statement)
        connection.pragma("user_version", VERSION)


def _boot() -> int:
    """A number for this boot of the machine: an unsynced store is trusted within one."""
    return crc32(Path("/proc/sys/kernel/random/boot_id").read_bytes()) + 1
