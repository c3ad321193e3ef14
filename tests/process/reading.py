"""What a run left behind, put side by side: the journal, our write stamps, and the venue's ground truth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.app.summary import _true_fill, differences
from holdfast.app.truth import read_truth
from holdfast.core.replay import fold
from holdfast.core.state import State
from holdfast.journal.chain import iterate
from holdfast.vocab.effects import Record
from holdfast.vocab.facts import FillBooked, HoldPlaced, OrderApproved, OrderMoved
from holdfast.vocab.ids import client_id_text, order_id_from_text
from holdfast.vocab.orders import Did, Lane, OrderState

FINAL = (
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.EXPIRED,
    OrderState.REJECTED,
    OrderState.UNSENT,
)


@dataclass
class OrderStory:
    """One approved order, from the gate to its end."""

    approved: OrderApproved
    moves: list[OrderMoved] = field(default_factory=list)
    filled_lots: int = 0

    @property
    def state(self) -> OrderState:
        return self.moves[-1].state if self.moves else OrderState.SENT

    @property
    def withheld(self) -> bool:
        """Never written: the last hop said no."""
        return any(move.did is Did.NOT_SENT and "withheld" in move.why for move in self.moves)


@dataclass
class Story:
    """A journal, read once."""

    records: list[Record]
    orders: dict[int, OrderStory]
    fills: dict[tuple[str, str], FillBooked]
    holds: list[HoldPlaced]

    def of(self, *kinds: type) -> list[Any]:
        """Records of these kinds, in order."""
        return [record for record in self.records if isinstance(record, kinds)]


def read_story(journal_dir: Path) -> Story:
    """Read a journal from its first record; a bot may still be writing it."""
    story = Story([], {}, {}, [])
    for _, _, record in iterate(str(journal_dir)):
        story.records.append(record)
        if isinstance(record, OrderApproved):
            assert record.order_id not in story.orders, "an id is minted once"
            story.orders[record.order_id] = OrderStory(record)
        elif isinstance(record, OrderMoved):
            story.orders[record.order_id].moves.append(record)
        elif isinstance(record, FillBooked):
            key = (record.instrument, record.trade_id)
            assert key not in story.fills, "a fill is booked once"
            story.fills[key] = record
            if record.order_id is not None:
                story.orders[record.order_id].filled_lots += record.qty_lots
        elif isinstance(record, HoldPlaced):
            story.holds.append(record)
    return story


@dataclass(frozen=True)
class Write:
    """One order at the socket: its lane, when the last hop was asked, and when the write returned."""

    order_id: int
    lane: Lane
    asked_ns: int
    written_ns: int


def read_writes(stamps: Path) -> list[Write]:
    """The write stamps that ``bot_main`` kept, whole lines only."""
    if not stamps.exists():
        return []
    lines = [line for line in stamps.read_text().splitlines() if line.endswith("]")]
    return [
        Write(order_id, Lane(lane), asked, written)
        for order_id, lane, asked, written in (json.loads(line) for line in lines)
    ]


@dataclass(frozen=True)
class Halt:
    """A store into the latch, and when trading was permitted again (0: never). CLOCK_BOOTTIME."""

    before_ns: int
    after_ns: int
    written: int  # orders of the burst that were written by then
    resumed_ns: int = 0


@dataclass(frozen=True)
class Judged:
    """What a halt found on the way. ``behind``: risk orders whose last hop was asked after the store: must be none.

    ``passing``: written after the store although asked before it: at most one can be. ``waiting``: approved before
    the store and not yet at the socket then. ``rate``: orders written in the second before it.
    """

    waiting: int
    passing: int
    behind: int
    rate: int


def judge(halt: Halt, story: Story, writes: dict[int, Write]) -> Judged:
    """Put one halt beside the journal and the write stamps."""
    until_ns = halt.resumed_ns or 1 << 62
    risk = [one for one in writes.values() if one.lane is Lane.RISK]
    behind = [one for one in risk if halt.after_ns < one.asked_ns < until_ns]
    passing = [one for one in risk if one.asked_ns <= halt.after_ns < one.written_ns]
    waiting = 0
    for order_id, order in story.orders.items():
        approved_ns = order.approved.approved_mono_ns
        if (
            order.approved.lane is not Lane.RISK
            or not halt.before_ns - 2_000_000_000 < approved_ns < halt.before_ns
        ):
            continue
        write = writes.get(order_id)
        waiting += write.asked_ns > halt.before_ns if write is not None else order.withheld
    return Judged(waiting, len(passing), len(behind), rate_before(halt, risk))


def rate_before(halt: Halt, writes: Iterable[Write]) -> int:
    """Orders written in the second before a halt."""
    return sum(halt.before_ns - 1_000_000_000 < one.written_ns <= halt.before_ns for one in writes)


def faults_of(story: Story, truth: dict[str, Any], *, tag: int, control_url: str) -> list[str]:
    """Every way in which a journal and the venue's ground truth tell another story of our orders.

    None is lost and none doubled: whatever was approved has a fate, whatever the venue took is in the journal, and
    the fates are the venue's.
    """
    found = differences(
        State(fold(story.records).books),
        [_true_fill(fill, tag) for fill in story.fills.values()],
        read_truth(control_url),
        tag=tag,
    )
    asked = [one["client_id"] for one in truth["requests"] if one["kind"] == "place"]
    found += [f"{one} reached the venue twice" for one in {*asked} if asked.count(one) > 1]
    taken = {one["client_id"] for one in truth["requests"] if one["kind"] == "place" and one["accepted"]}
    ours = {client_id(tag, number): order for number, order in story.orders.items()}
    found += [f"{one} is the venue's and not in the journal" for one in taken - {*ours}]
    for name, order in ours.items():
        if order.state in (OrderState.SENT, OrderState.UNKNOWN):
            found.append(f"{name} is still {order.state.value}")
        elif order.state in (OrderState.UNSENT, OrderState.REJECTED) and name in taken:
            found.append(f"{name} is {order.state.value}, and the venue took it")
        elif order.state in (OrderState.LIVE, OrderState.FILLED) and name not in taken:
            found.append(f"{name} is {order.state.value}, and the venue never took it")
    return found


def client_id(tag: int, order_id: int) -> str:
    """As the venue knows an order."""
    return client_id_text(account_tag=tag, order_id=order_id)


def order_id(tag: int, client: str) -> int | None:
    """The order behind a client id; None for one that is not ours."""
    return order_id_from_text(client, account_tag=tag)
