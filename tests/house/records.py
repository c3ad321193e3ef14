"""What a run leaves behind: the events it was told, each with the facts it led to. Folded, or stepped again."""

from holdfast.core.state import Books, State
from holdfast.core.step import step
from holdfast.vocab.effects import (
    Alert,
    Call,
    ClearLatch,
    CommandAnswered,
    EndProcess,
    SetTimer,
    TripLatch,
)
from holdfast.vocab.market import Depth, Malformed, Mark, Quote, Trade

MARKET = (Quote, Trade, Mark, Depth, Malformed)
PLUMBING = (Call, SetTimer, Alert, CommandAnswered, ClearLatch, TripLatch, EndProcess)


def is_fact(effect):
    return not isinstance(effect, (*PLUMBING, *MARKET))


def folded(records):
    """New books from the facts alone."""
    books = Books()
    mono_ns = 0
    for event, facts in records:
        if not isinstance(event, MARKET):
            mono_ns = event.mono_ns  # as from a journal, which holds no market data
        for fact in facts:
            books.apply(fact, mono_ns=mono_ns)
    return books


def replayed(records):
    """Step everything again in a new state; returns it with the facts that came out."""
    state = State()
    again = []
    for event, _ in records:
        again.append((event, [effect for effect in step(state, event) if is_fact(effect)]))
    return state, again
