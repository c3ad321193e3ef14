"""The life of an order is an enum and this table. A pair that is not in it is illegal."""

from __future__ import annotations

from typing import Final

from holdfast.vocab.orders import Did, OrderState

FINAL: Final = (
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.EXPIRED,
    OrderState.REJECTED,
    OrderState.UNSENT,
)

_OPEN: Final[dict[tuple[OrderState, Did], OrderState]] = {
    (OrderState.SENT, Did.ACK): OrderState.LIVE,
    (OrderState.SENT, Did.PART_FILL): OrderState.LIVE,  # a fill may overtake its own ack
    (OrderState.SENT, Did.FULL_FILL): OrderState.FILLED,
    (OrderState.SENT, Did.CANCEL_ASK): OrderState.CANCEL_SENT,
    (OrderState.SENT, Did.CANCELLED): OrderState.CANCELLED,
    (OrderState.SENT, Did.EXPIRED): OrderState.EXPIRED,
    (OrderState.SENT, Did.REFUSED): OrderState.REJECTED,
    (OrderState.SENT, Did.NOT_SENT): OrderState.UNSENT,
    (OrderState.SENT, Did.GO_SILENT): OrderState.UNKNOWN,
    (OrderState.LIVE, Did.ACK): OrderState.LIVE,
    (OrderState.LIVE, Did.PART_FILL): OrderState.LIVE,
    (OrderState.LIVE, Did.FULL_FILL): OrderState.FILLED,
    (OrderState.LIVE, Did.CANCEL_ASK): OrderState.CANCEL_SENT,
    (OrderState.LIVE, Did.CANCELLED): OrderState.CANCELLED,
    (OrderState.LIVE, Did.EXPIRED): OrderState.EXPIRED,
    (OrderState.LIVE, Did.REFUSED): OrderState.REJECTED,
    (OrderState.LIVE, Did.GO_SILENT): OrderState.UNKNOWN,
    (OrderState.CANCEL_SENT, Did.ACK): OrderState.CANCEL_SENT,
    (OrderState.CANCEL_SENT, Did.PART_FILL): OrderState.CANCEL_SENT,
    (OrderState.CANCEL_SENT, Did.FULL_FILL): OrderState.FILLED,
    (OrderState.CANCEL_SENT, Did.CANCEL_ASK): OrderState.CANCEL_SENT,
    (OrderState.CANCEL_SENT, Did.CANCEL_REFUSED): OrderState.UNKNOWN,
    (OrderState.CANCEL_SENT, Did.CANCELLED): OrderState.CANCELLED,
    (OrderState.CANCEL_SENT, Did.EXPIRED): OrderState.EXPIRED,
    (OrderState.CANCEL_SENT, Did.REFUSED): OrderState.REJECTED,
    (OrderState.CANCEL_SENT, Did.NOT_SENT): OrderState.UNSENT,
    (OrderState.CANCEL_SENT, Did.GO_SILENT): OrderState.UNKNOWN,
    (OrderState.UNKNOWN, Did.ACK): OrderState.LIVE,
    (OrderState.UNKNOWN, Did.PART_FILL): OrderState.LIVE,
    (OrderState.UNKNOWN, Did.FULL_FILL): OrderState.FILLED,
    (OrderState.UNKNOWN, Did.CANCEL_ASK): OrderState.UNKNOWN,
    (OrderState.UNKNOWN, Did.CANCEL_REFUSED): OrderState.UNKNOWN,
    (OrderState.UNKNOWN, Did.CANCELLED): OrderState.CANCELLED,
    (OrderState.UNKNOWN, Did.EXPIRED): OrderState.EXPIRED,
    (OrderState.UNKNOWN, Did.REFUSED): OrderState.REJECTED,
    (OrderState.UNKNOWN, Did.NOT_SENT): OrderState.UNSENT,
    (OrderState.UNKNOWN, Did.GO_SILENT): OrderState.UNKNOWN,
    (OrderState.UNKNOWN, Did.ABSENT): OrderState.UNSENT,
    (OrderState.UNKNOWN, Did.RESOLVED): OrderState.CANCELLED,
}

# Final is final. What still arrives is legal (a late fill must be booked) and moves nothing.
_LATE: Final = (
    Did.ACK,
    Did.PART_FILL,
    Did.FULL_FILL,
    Did.CANCEL_REFUSED,
    Did.CANCELLED,
    Did.EXPIRED,
    Did.REFUSED,
    Did.NOT_SENT,
    Did.GO_SILENT,
)

# Legal, and asked for by nobody: what these rows say is dropped before the table is asked. No simulation walks one.
NEVER_ASKED: Final[dict[tuple[OrderState, Did], str]] = {
    **{(state, Did.CANCEL_REFUSED): "the answer to a cancel of what is final is dropped" for state in FINAL},
    **{(state, Did.GO_SILENT): "what is final is in doubt for nobody" for state in FINAL},
    **{
        (
            state,
            Did.NOT_SENT,
        ): "it was shown by the venue, or its one answer has come: nothing says it was not sent"
        for state in (OrderState.FILLED, OrderState.EXPIRED, OrderState.REJECTED)
    },
}

NEXT: Final[dict[tuple[OrderState, Did], OrderState]] = {
    **_OPEN,
    **{(state, did): state for state in FINAL for did in _LATE},
}


def next_state(state: OrderState, did: Did) -> OrderState | None:
    """Where ``did`` leads from ``state``; None where the pair is illegal."""
    return NEXT.get((state, did))


_FINAL: Final = frozenset(FINAL)


def is_final(state: OrderState) -> bool:
    """Whether nothing can move this order any more."""
    return state in _FINAL
