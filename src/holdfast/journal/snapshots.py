"""Snapshots of state beside a journal, each tied to the record it was taken at.

A snapshot is a convenience: one that does not match its checksum or the chain is ignored, and said to be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

from holdfast.journal.codec import HASH_BYTES
from holdfast.journal.files import REAL_FILES, Files, write_all
from holdfast.journal.segments import Anchor

KEPT_COUNT: Final = 3
_MAGIC: Final = b"HFSNAP\r\n"
_VERSION: Final = 1
_HEAD: Final = Layout("<8sIQ16sQ")  # magic, version, index, hash at the index, payload length
_TEMPORARY: Final = "snapshot.tmp"


class Snapshot(Struct, frozen=True, kw_only=True):
    """State after the record ``at.index``: recovery goes on with the one behind it."""

    at: Anchor
    payload: bytes


class SnapshotIgnored(Struct, frozen=True, kw_only=True):
    """A snapshot that is not what was saved, or of a history that the journal does not have."""

    name: str
    why: str


def _name(index: int) -> str:
    return f"snapshot-{index:020d}.bin"


def _names(directory: str, files: Files) -> list[str]:
    """Names of the snapshots, newest first."""
    found = [
        name for name in files.names(directory) if name.startswith("snapshot-") and name.endswith(".bin")
    ]
    return found[::-1]


def save_snapshot(directory: str, at: Anchor, payload: bytes, *, files: Files = REAL_FILES) -> str | None:
    """Save a snapshot whole or not at all, durable; keeps the last three. None, or one line on why it was not."""
    head = _HEAD.pack(_MAGIC, _VERSION, at.index, bytes.fromhex(at.hash_hex), len(payload))
    digest = blake2b(head + payload, digest_size=HASH_BYTES).digest()
    temporary = f"{directory}/{_TEMPORARY}"
    try:
        if _TEMPORARY in files.names(directory):
            files.remove(temporary)
        handle = files.open(temporary, create=True)
        try:
            write_all(files, handle, head + digest + payload, 0)
            files.sync(handle)
        finally:
            files.close(handle)
        files.rename(temporary, f"{directory}/{_name(at.index)}")
        files.sync_dir(directory)
        names = _names(directory, files)
        ahead = [name for name in names if name > _name(at.index)]  # of a history that was cut off since
        for name in ahead + names[len(ahead) + KEPT_COUNT :]:
            files.remove(f"{directory}/{name}")
    except OSError as error:
        return f"{temporary}: {os.strerror(error.errno or 0)}"
    return None


def read_snapshots(
    directory: str, *, files: Files = REAL_FILES
) -> tuple[tuple[Snapshot, ...], tuple[SnapshotIgnored, ...]]:
    """The snapshots that are whole, newest first, and those that are not."""
    found, ignored = [], []
    try:
        names = _names(directory, files)
    except OSError as error:
        return (), (
            SnapshotIgnored(name=directory, why=f"cannot be listed: {os.strerror(error.errno or 0)}"),
        )
    for name in names:
        snapshot = _read(directory, name, files)
        if isinstance(snapshot, str):
            ignored.append(SnapshotIgnored(name=name, why=snapshot))
        else:
            found.append(snapshot)
    return tuple(found), tuple(ignored)


def _read(directory: str, name: str, files: Files) -> Snapshot | str:
    try:
        data = files.read(f"{directory}/{name}")
    except OSError as error:
        return f"cannot be read: {os.strerror(error.errno or 0)}"
    start = _HEAD.size + HASH_BYTES
    if len(data) < start:
        return "shorter than its header"
    magic, version, index, hash_at, length = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        return f"not a snapshot of version {_VERSION}"
    if (
        blake2b(data[: _HEAD.size] + data[start:], digest_size=HASH_BYTES).digest()
        != data[_HEAD.size : start]
    ):
        return "its checksum does not match it"
    if length != len(data) - start or name != _name(index):
        return "its header does not match it"
    return Snapshot(at=Anchor(index, hash_at.hex()), payload=data[start:])


def choose(
    found: tuple[Snapshot, ...],
    ignored: tuple[SnapshotIgnored, ...],
    hashes: Mapping[int, bytes],
    *,
    before_index: int | None = None,
) -> tuple[Snapshot | None, tuple[SnapshotIgnored, ...]]:
    """The newest snapshot whose place is in the chain (``hashes``: index → hash of the chain there)."""
    misfits: list[SnapshotIgnored] = []
    for snapshot in found:
        if before_index is not None and snapshot.at.index >= before_index:
            continue
        there = hashes.get(snapshot.at.index)
        if there is not None and there.hex() == snapshot.at.hash_hex:
            return snapshot, ignored + tuple(misfits)
        why = "the journal ends before it" if there is None else "the journal has another record there"
        misfits.append(SnapshotIgnored(name=_name(snapshot.at.index), why=why))
    return None, ignored + tuple(misfits)
