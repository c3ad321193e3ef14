"""The one table of what a person may ask or tell: command line, HTTP, chat and dashboard are made from it.

Nothing here imports more than the standard library's light half: ``holdfast halt`` reads this table, and must
have tripped the latch before anything slow is loaded.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class Kind(Enum):
    """How a command is carried out."""

    VIEW = "view"  # a look: changes nothing
    ACT = "act"  # told to the bot over its socket
    LATCH = "latch"  # trips the latch itself, then tells the bot if it answers


class Friction(Enum):
    """What it costs to give a command. Stopping costs nothing."""

    NONE = "none"
    REASON = "reason"
    CONFIRM = "confirm"  # the plan is shown, then confirmed
    TWO_PERSONS = "two_persons"  # or, alone, the labelled cooling delay


class ArgKind(Enum):
    """What an argument may be."""

    TEXT = "text"  # free words, cleaned of control characters
    CHOICE = "choice"
    INSTRUMENT = "instrument"
    STRATEGY = "strategy"
    NAME = "name"
    LIMIT = "limit"  # a limit by its name: account.leverage_max
    NUMBER = "number"  # as the configuration writes one: 0.2 BTC, 5%, 1.5x, 15min, 40
    WHOLE = "whole"  # a whole number above zero
    DECIMAL = "decimal"  # a decimal above zero, kept as text
    FLAG = "flag"


class Arg(NamedTuple):
    """One argument: a word in its place (``positional``) or a ``--name`` anywhere."""

    name: str
    kind: ArgKind
    help: str
    required: bool = False
    positional: bool = False
    choices: tuple[str, ...] = ()


class Row(NamedTuple):
    """One command. ``verb`` is what an act becomes in the core (``vocab.events.Verb``), empty for the rest.

    ``role`` is the least that may give it. ``halting``: it only ever stops or reduces, so it is idempotent,
    takes one step, never expires, and falls back to the latch when the bot does not answer. ``loosens``: it
    permits what was forbidden, so it needs a person's token, freshly shown.
    """

    name: str
    help: str
    kind: Kind
    role: str
    args: tuple[Arg, ...] = ()
    friction: Friction = Friction.NONE
    verb: str = ""
    halting: bool = False
    loosens: bool = False
    waits: bool = False  # its end can be watched: flat, cancelled, ended


_STRATEGY: Final = Arg("strategy", ArgKind.STRATEGY, "only this strategy")
_INSTRUMENT: Final = Arg("instrument", ArgKind.INSTRUMENT, "only this instrument")
_SCOPE: Final = (_STRATEGY, _INSTRUMENT)
_REASON: Final = Arg("reason", ArgKind.TEXT, "why, for those who read it later")
_WHY: Final = Arg("reason", ArgKind.TEXT, "why it is safe now", required=True)
_LIMIT: Final = Arg("limit", ArgKind.WHOLE, "at most so many rows")
_WHICH: Final = Arg("limit", ArgKind.LIMIT, "its name (holdfast limits)", required=True, positional=True)
_NUMBER: Final = Arg(
    "value", ArgKind.NUMBER, 'as configured: "0.2 BTC", 5%, 1.5x, 15min, 40', required=True, positional=True
)
_BAN: Final = (
    Arg(
        "what",
        ArgKind.CHOICE,
        "instrument or strategy",
        required=True,
        positional=True,
        choices=("instrument", "strategy"),
    ),
    Arg("name", ArgKind.NAME, "its name", required=True, positional=True),
)

TABLE: Final[tuple[Row, ...]] = (
    # --- looking
    Row(
        "status",
        "what the bot does now: mode, holds, equity, positions, orders, data age",
        Kind.VIEW,
        "viewer",
    ),
    Row("info", "what runs: version, configuration hash, account, venue, limits", Kind.VIEW, "viewer"),
    Row("ping", "whether the bot answers, and how fast", Kind.VIEW, "viewer"),
    Row("holds", "what forbids trading now, why, and what releases it", Kind.VIEW, "viewer"),
    Row(
        "why",
        "what forbade the last refused order, or would forbid a planned one, and the next act that permits it",
        Kind.VIEW,
        "viewer",
        (
            *_SCOPE,
            Arg("side", ArgKind.CHOICE, "of a planned order", choices=("buy", "sell")),
            Arg("qty", ArgKind.DECIMAL, "of a planned order, in base asset"),
            Arg("price", ArgKind.DECIMAL, "of a planned order"),
        ),
    ),
    Row("positions", "positions, ours and by the venue's last word", Kind.VIEW, "viewer"),
    Row("orders", "orders that are not final", Kind.VIEW, "viewer", (*_SCOPE, _LIMIT)),
    Row("fills", "the latest fills", Kind.VIEW, "viewer", (*_SCOPE, _LIMIT)),
    Row("exposure", "worst case per instrument and for the account, beside its limits", Kind.VIEW, "viewer"),
    Row(
        "limits",
        "every limit beside its hard cap, how much of it is used, and how old what that was counted from is",
        Kind.VIEW,
        "viewer",
    ),
    Row(
        "break-glass list", "which limits are open for minutes, by whom, and until when", Kind.VIEW, "viewer"
    ),
    Row("strategies", "each strategy's state, position and profit", Kind.VIEW, "viewer"),
    Row("quarantine list", "fills that no order of ours explains", Kind.VIEW, "viewer"),
    # --- stopping
    Row(
        "halt",
        "stop ordering now: trips the latch, works with the bot hung or dead",
        Kind.LATCH,
        "operator",
        (_REASON, *_SCOPE),
        verb="halt",
        halting=True,
    ),
    Row(
        "pause",
        "halt and cancel open orders, keep positions",
        Kind.ACT,
        "operator",
        (_REASON, *_SCOPE),
        verb="pause",
        halting=True,
        waits=True,
    ),
    Row(
        "stop",
        "halt, cancel, and leave positions by limit orders",
        Kind.ACT,
        "operator",
        (_REASON, *_SCOPE),
        verb="stop",
        halting=True,
        waits=True,
    ),
    Row(
        "kill",
        "halt for good, cancel, and leave positions at the market inside its collar",
        Kind.LATCH,
        "operator",
        (_REASON, *_SCOPE),
        verb="kill",
        halting=True,
        waits=True,
    ),
    Row(
        "hardstop",
        "kill, then disconnect once every order is final",
        Kind.LATCH,
        "operator",
        (_REASON,),
        verb="hardstop",
        halting=True,
        waits=True,
    ),
    Row(
        "cancel",
        "cancel open orders; protective ones stay unless --protective",
        Kind.ACT,
        "operator",
        (*_SCOPE, Arg("protective", ArgKind.FLAG, "cancel reduce-only protective orders too"), _REASON),
        verb="cancel",
        halting=True,
    ),
    Row(
        "flatten",
        "show the plan, then leave positions by reduce-only, price-bounded slices",
        Kind.ACT,
        "operator",
        (*_SCOPE, _REASON),
        friction=Friction.CONFIRM,
        verb="flatten",
        halting=True,
        waits=True,
    ),
    Row(
        "ban",
        "only reducing orders in an instrument or by a strategy from here on",
        Kind.ACT,
        "operator",
        (*_BAN, _REASON),
        verb="ban",
        halting=True,
    ),
    Row(
        "break-glass end",
        "close a limit that was opened, before its time is over",
        Kind.ACT,
        "operator",
        (
            Arg(
                "glass",
                ArgKind.WHOLE,
                "its number (holdfast break-glass list)",
                required=True,
                positional=True,
            ),
            _REASON,
        ),
        verb="glass_end",
    ),
    Row(
        "abort",
        "trip the latch and end the process at once",
        Kind.LATCH,
        "operator",
        (_REASON,),
        halting=True,
    ),
    # --- looking again
    Row(
        "reconcile",
        "read everything from the venue again, and compare our books with it",
        Kind.ACT,
        "operator",
        verb="reconcile",
    ),
    Row("sync", "another name for holdfast reconcile", Kind.ACT, "operator", verb="sync"),
    # --- letting it trade
    Row(
        "arm",
        "lift the startup hold, once the checks pass",
        Kind.ACT,
        "operator",
        (_REASON,),
        verb="arm",
        loosens=True,
    ),
    Row(
        "resume",
        "release one hold that needs a person, once its checks pass",
        Kind.ACT,
        "operator",
        (Arg("hold", ArgKind.WHOLE, "its number (holdfast holds)", required=True, positional=True), _WHY),
        friction=Friction.REASON,
        verb="resume",
        loosens=True,
    ),
    Row(
        "unpause",
        "release the holds of a pause",
        Kind.ACT,
        "operator",
        (_WHY, *_SCOPE),
        friction=Friction.REASON,
        verb="unpause",
        loosens=True,
    ),
    Row(
        "unban",
        "release a ban",
        Kind.ACT,
        "operator",
        (*_BAN, _WHY),
        friction=Friction.REASON,
        verb="unban",
        loosens=True,
    ),
    Row(
        "recover",
        "leave KILLED: two people, or one after the cooling delay",
        Kind.ACT,
        "risk",
        (_WHY,),
        friction=Friction.TWO_PERSONS,
        verb="recover",
        loosens=True,
    ),
    Row(
        "limits set",
        "change a limit, up to its hard cap: tighter takes one person, looser two, or one and the cooling delay",
        Kind.ACT,
        "risk",
        (_WHICH, _NUMBER, _WHY),
        friction=Friction.TWO_PERSONS,
        verb="limit_set",
        loosens=True,
    ),
    Row(
        "break-glass",
        "open one limit, up to its hard cap, for minutes or for one order; it closes by itself",
        Kind.ACT,
        "risk",
        (
            _WHICH,
            _NUMBER,
            Arg("for", ArgKind.NUMBER, "for how long, at most 10min", required=True),
            Arg("once", ArgKind.FLAG, "for the next order let through in its scope, and no longer"),
            Arg("review", ArgKind.TEXT, "what is looked at afterwards, and by whom", required=True),
            _WHY,
        ),
        friction=Friction.TWO_PERSONS,
        verb="break_glass",
        loosens=True,
    ),
    Row(
        "resolve",
        "sign that an UNKNOWN order is final",
        Kind.ACT,
        "risk",
        (Arg("order", ArgKind.WHOLE, "its number (holdfast orders)", required=True, positional=True), _WHY),
        friction=Friction.REASON,
        verb="resolve",
        loosens=True,
    ),
    Row(
        "quarantine release",
        "sign that a quarantined fill belongs in the books",
        Kind.ACT,
        "risk",
        (
            Arg(
                "trade",
                ArgKind.NAME,
                "its trade id (holdfast quarantine list)",
                required=True,
                positional=True,
            ),
            _WHY,
        ),
        friction=Friction.REASON,
        verb="quarantine_release",
        loosens=True,
    ),
    Row(
        "bust",
        "sign that the venue took a fill back, and take it out of the books",
        Kind.ACT,
        "risk",
        (
            Arg(
                "trade",
                ArgKind.NAME,
                "INSTRUMENT/TRADE, as the break names it (holdfast status)",
                required=True,
                positional=True,
            ),
            _WHY,
        ),
        friction=Friction.REASON,
        verb="bust",
        loosens=True,
    ),
    Row(
        "adopt",
        "take the venue's word on one position, balance or order into the books",
        Kind.ACT,
        "risk",
        (
            Arg(
                "instrument",
                ArgKind.INSTRUMENT,
                "what differs (holdfast status): an instrument, an asset, an order",
                required=True,
                positional=True,
            ),
            _WHY,
        ),
        friction=Friction.REASON,
        verb="adopt",
        loosens=True,
    ),
)

ROWS: Final[dict[str, Row]] = {row.name: row for row in TABLE}


def find(words: tuple[str, ...] | list[str]) -> tuple[Row, int] | None:
    """The command that these words begin with, and how many of them are its name."""
    for count in (2, 1):
        row = ROWS.get(" ".join(words[:count])) if len(words) >= count else None
        if row is not None:
            return row, count
    return None
