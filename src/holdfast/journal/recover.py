"""Opening a journal again: prove it, cut a torn tail, find a snapshot, go on.

Recovery may itself be killed at any point and done again with the same result: it only ever turns bytes that are
no record into zeros, and completes what a start had begun.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from msgspec import Struct

from holdfast.journal.chain import AnchorFault, Chain, Tail, anchor_faults
from holdfast.journal.codec import HEADER_BYTES, Header, genesis, pack_header
from holdfast.journal.files import REAL_FILES, Files, write_all
from holdfast.journal.segments import (
    RESERVE_BYTES,
    SEGMENT_BYTES,
    Anchor,
    Journal,
    Place,
    segment_name,
)
from holdfast.journal.snapshots import Snapshot, SnapshotIgnored, choose, read_snapshots
from holdfast.ports.journal import JournalFailed, OtherAccount


class Opened(Struct, frozen=True, kw_only=True):
    """A journal ready to go on, and what was found on the way."""

    journal: Journal
    market_pos: int  # of the last record: the market log must not hand out positions below it again
    tail: Tail | None  # what was cut
    snapshot: Snapshot | None  # the newest that matches the chain
    ignored: tuple[SnapshotIgnored, ...]
    anchor_faults: tuple[AnchorFault, ...]


def open_for_append(
    directory: str,
    *,
    account: str,
    anchors: Iterable[Anchor] = (),
    files: Files = REAL_FILES,
    segment_bytes: int = SEGMENT_BYTES,
    reserve_bytes: int = RESERVE_BYTES,
) -> Opened:
    """Create or continue the journal of an account; its whole chain is proven first.

    Raises CorruptJournal naming the place; JournalFailed when another process has it, when it belongs to another
    account, or when the disk refuses.
    """
    if not 0 <= reserve_bytes < segment_bytes - HEADER_BYTES:
        raise ValueError(f"the reserve of {reserve_bytes} bytes does not fit a segment of {segment_bytes}")
    lock = -1
    try:
        files.make_dir(directory)
        lock = files.lock_dir(directory)
        files.sync_dir(
            directory
        )  # a killed start may have left entries that only memory has: none may outlive another
        return _open(directory, account, tuple(anchors), files, segment_bytes, reserve_bytes, lock)
    except BlockingIOError:
        raise JournalFailed(f"{directory}: another process has this journal open") from None
    except OSError as error:
        if lock >= 0:
            files.close(lock)
        raise JournalFailed(
            f"{directory}: cannot open the journal: {os.strerror(error.errno or 0)}"
        ) from error
    except Exception:
        if lock >= 0:
            files.close(lock)
        raise


def _open(
    directory: str,
    account: str,
    anchors: tuple[Anchor, ...],
    files: Files,
    segment_bytes: int,
    reserve_bytes: int,
    lock: int,
) -> Opened:
    found, ignored = read_snapshots(directory, files=files)
    wanted = {snapshot.at.index for snapshot in found} | {anchor.index for anchor in anchors}
    chain = Chain(directory, wanted=wanted, files=files)
    market_pos = chain.prove()
    if chain.account and chain.account != account:
        raise OtherAccount(f"{directory}: belongs to account {chain.account!r}, not {account!r}")
    if chain.tail is not None:
        _zero(directory, chain.tail, files)
    place = chain.place
    if place is None or place.offset == 0:
        place = _begin(directory, account, files, segment_bytes, exists=place is not None)
    snapshot, ignored = choose(found, ignored, chain.hashes)
    journal = Journal(
        directory,
        account=account,
        place=place,
        lock=lock,
        files=files,
        segment_bytes=segment_bytes,
        reserve_bytes=reserve_bytes,
    )
    return Opened(
        journal=journal,
        market_pos=market_pos,
        tail=chain.tail,
        snapshot=snapshot,
        ignored=ignored,
        anchor_faults=anchor_faults(chain, anchors),
    )


def _zero(directory: str, tail: Tail, files: Files) -> None:
    """Make a torn tail what it would be had it never been written."""
    handle = files.open(f"{directory}/{tail.segment}")
    try:
        write_all(files, handle, bytes(tail.cut_bytes), tail.offset)
        files.sync(handle)
    finally:
        files.close(handle)


def _begin(directory: str, account: str, files: Files, segment_bytes: int, *, exists: bool) -> Place:
    """Write the first segment's header, whatever a start before us had got done of it."""
    before = genesis(account)
    handle = files.open(f"{directory}/{segment_name(0)}", create=not exists)
    try:
        files.allocate(handle, segment_bytes)
        header = Header(number=0, first_index=0, account=account, hash_before=before)
        write_all(files, handle, pack_header(header), 0)
        files.sync(handle)
        files.sync_dir(directory)
    finally:
        files.close(handle)
    return Place(number=0, size_bytes=segment_bytes, offset=HEADER_BYTES, record_count=0, last_hash=before)


def latest_snapshot(
    directory: str, *, before_index: int | None = None, files: Files = REAL_FILES
) -> tuple[Snapshot | None, tuple[SnapshotIgnored, ...]]:
    """The newest snapshot that matches the chain, and those passed over with the reason.

    Proves the whole chain for it: ``open_for_append`` tells the same in its own pass.
    """
    found, ignored = read_snapshots(directory, files=files)
    chain = Chain(directory, wanted=(snapshot.at.index for snapshot in found), files=files)
    chain.prove()
    return choose(found, ignored, chain.hashes, before_index=before_index)
