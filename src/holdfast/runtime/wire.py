"""What is said over the trading process's Unix socket: one question or act per frame, one answer back.

A frame is its length in four bytes, big end first, then that many bytes of msgpack. Both sides refuse a frame
above their bound. Nothing here imports asyncio: the command line's client must start in a blink.
"""

from __future__ import annotations

import os
import struct
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import Struct

ASK_BYTES_MAX: Final = 64 * 1024
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
HEADER_BYTES: Final = 4
ASK_AGE_S_MAX: Final = 30
_LENGTH: Final = struct.Struct(">I")


class WireError(Exception):
    """A frame that is too large, cut short, or not what was promised: one line."""


class AskKind(Enum):
    """What is wanted: a look, an act, or looks repeated until the connection ends."""

    VIEW = "view"
    ACT = "act"
    WATCH = "watch"


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's act, authenticated and authorised by the face it came through.

    The trading process makes a ``vocab.events.Command`` of it; ``verb`` is that of ``vocab.events.Verb``, or
    ``abort``. ``second_by`` is a second authenticated person, never the same as ``by``. ``limit`` to ``review``
    are as a person typed them; the trading process alone knows what they come to.
    """

    verb: str
    by: str
    reason: str = ""
    strategy: str = ""
    instrument: str = ""
    hold_id: int = 0
    order_id: int = 0
    trade_id: str = ""
    protective: bool = False
    second_by: str = ""
    limit: str = ""
    value: str = ""
    for_text: str = ""
    once: bool = False
    review: str = ""
    glass_id: int = 0


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question. ``nonce`` is never used twice; ``boottime_ns`` is CLOCK_BOOTTIME when it was asked.

    Both ends run on one machine, so one clock tells an old act from a fresh one without trusting wall time.
    ``hz``: how often a watch is answered, at most ten times a second.
    """

    kind: AskKind
    name: str
    nonce: str
    boottime_ns: int
    args: dict[str, str | int | bool] = {}
    act: Act | None = None
    hz: int = 4


class Answer(Struct, frozen=True, kw_only=True):
    """``ok`` False: nothing changed, and ``text`` says why and what would help. ``data``: a view's record."""

    ok: bool
    text: str = ""
    data: Any = None


_ASK: Final = msgspec.msgpack.Decoder(Ask)
_ANSWER: Final = msgspec.msgpack.Decoder(Answer)
_ENCODER: Final = msgspec.msgpack.Encoder()


def new_nonce() -> str:
    """128 random bits as text."""
    return os.urandom(16).hex()


def frame(message: Ask | Answer, *, bytes_max: int) -> bytes:
    """The message with its length before it. Errors: WireError above the bound."""
    body = _ENCODER.encode(message)
    if len(body) > bytes_max:
        raise WireError(f"a message of {len(body)} bytes; at most {bytes_max} are carried")
    return _LENGTH.pack(len(body)) + body


def body_length(header: bytes, *, bytes_max: int) -> int:
    """The announced length. Errors: WireError for zero or above the bound."""
    (length,) = _LENGTH.unpack(header)
    if not 0 < length <= bytes_max:
        raise WireError(f"a frame of {length} bytes was announced; expected 1 to {bytes_max}")
    return int(length)


def read_ask(body: bytes) -> Ask:
    """Errors: WireError when it is not an Ask."""
    try:
        return _ASK.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a question that is understood: {error}") from None


def read_answer(body: bytes) -> Answer:
    """Errors: WireError when it is not an Answer."""
    try:
        return _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not an answer that is understood: {error}") from None
