"""Records as JSON lines with readable names, for people and for other programs."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from msgspec import Struct, structs

from holdfast.vocab.effects import Record


def plain(value: Any) -> Any:
    """A record's value as JSON knows it: structs as objects with their fields' names, enums by value, bytes as base64.

    A tagged struct carries its tag as ``type``.
    """
    if isinstance(value, Struct):
        fields = {name: plain(part) for name, part in structs.asdict(value).items()}
        tag = value.__struct_config__.tag
        return fields if tag is None else {"type": tag, **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value


def export_lines(records: Iterable[tuple[int, int, Record]]) -> Iterator[str]:
    """One JSON object per record (``journal.iterate``): its index, its place in the market log, and its fields.

    Integers stay exact: they are written in full, and a reader in a language of floats must mind it.
    """
    for index, market_pos, record in records:
        yield json.dumps({"index": index, "market_pos": market_pos, **plain(record)}, ensure_ascii=False)
