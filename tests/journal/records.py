"""Journal records with boring defaults, and small journals made of them."""

from typing import Any

from holdfast.journal import Journal, open_for_append
from holdfast.vocab.events import Command, TimerFired, TimerKind, Verb
from holdfast.vocab.facts import IntentRefused, OrderApproved
from holdfast.vocab.orders import Lane, OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.refusals import OverPosition

SMALL: dict[str, Any] = {"segment_bytes": 4096, "reserve_bytes": 1024}


def a_timer(number=1):
    return TimerFired(
        wall_ns=1_700_000_000_000_000_000 + number, mono_ns=number, kind=TimerKind.SWEEP, key=number
    )


def an_approval(number=1, **changes):
    terms = OrderTerms(
        instrument="BTCUSDT",
        side=Side.BUY,
        qty_lots=number,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTC,
        price_ticks=600_000 + number,
    )
    plain: dict[str, Any] = {
        "order_id": (1 << 40) + number,
        "strategy": "quoter",
        "intent_seq": number,
        "lane": Lane.RISK,
        "terms": terms,
        "reference_ticks": 600_000,
        "decision_ticks": None,
        "approved_mono_ns": number,
    }
    return OrderApproved(**{**plain, **changes})


def a_refusal(number=1):
    refusal = OverPosition(of="strategy", would_be_lots=12, limit_lots=10)
    return IntentRefused(strategy="quoter", intent_seq=number, instrument="BTCUSDT", refusal=refusal)


def a_command(number=1, *, reason="odd fills"):
    return Command(
        wall_ns=5 + number, mono_ns=number, command_id=number, verb=Verb.HALT, by="ann", reason=reason
    )


def records(count, start=0):
    """Records of several kinds and sizes."""
    made = (a_timer, an_approval, a_refusal, a_command)
    return [made[number % len(made)](number + 1) for number in range(start, start + count)]


def a_journal(directory, count=0, *, sync_every=4, **changes) -> Journal:
    """An open journal with so many records, synced after every few."""
    journal = open_for_append(str(directory), account="uid-1", **{**SMALL, **changes}).journal
    for number, record in enumerate(records(count), start=1):
        journal.append(record, number)
        if number % sync_every == 0:
            journal.sync()
        else:
            journal.write()
    return journal


def killed(journal):
    """What kill -9 leaves: everything written, nothing said at the end."""
    for handle in (journal._first, journal._handle, journal._spare, journal._lock):
        if handle >= 0:
            journal._files.close(handle)
    journal._first = journal._handle = journal._spare = journal._lock = -1
