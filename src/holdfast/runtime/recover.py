"""Books from the disk: the newest snapshot that fits the chain, and the facts behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.core.replay import fold
from holdfast.core.state import Books
from holdfast.vocab.effects import Record
from holdfast.vocab.events import StrategySaved

SNAPSHOT_EVERY_RECORDS: Final = 50_000


class Kept(Struct, kw_only=True):
    """What a snapshot holds: the books, the time of the last event, and each strategy's saved state."""

    books: Books = msgspec.field(default_factory=Books)
    mono_ns: int = 0
    saved: dict[str, bytes] = {}


_DECODER: Final = msgspec.msgpack.Decoder(Kept)


def encode_kept(kept: Kept) -> bytes:
    """The payload of a snapshot."""
    return msgspec.msgpack.encode(kept)


def decode_kept(payload: bytes) -> Kept:
    """Errors: msgspec.DecodeError for bytes that are not one."""
    return _DECODER.decode(payload)


def recover(records: Iterable[Record], kept: Kept | None = None) -> Kept:
    """Fold the records behind a snapshot (or all of them) into books.

    Errors: ReplayDiffers where a written hash of the books is not the folded one.
    """
    start = kept if kept is not None else Kept()

    def noting_saves() -> Iterable[Record]:
        for record in records:
            if isinstance(record, StrategySaved):
                start.saved[record.strategy] = record.state
            yield record

    folded = fold(noting_saves(), start.books, mono_ns=start.mono_ns)
    return Kept(books=folded.books, mono_ns=folded.mono_ns, saved=start.saved)
