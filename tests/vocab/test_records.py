"""Records are frozen, tagged apart, and read back as they were written."""

from typing import get_args

import msgspec
import pytest

from holdfast.vocab.effects import Record
from holdfast.vocab.events import CallDone, Event
from holdfast.vocab.facts import Fact
from holdfast.vocab.outcome import Ok, Suppressed, Unknown, Withheld
from holdfast.vocab.reports import Done


def test_every_record_has_a_tag_of_its_own() -> None:
    """One tag for two kinds would make the journal unreadable."""
    tags = [kind.__struct_config__.tag for kind in (*get_args(Event), *get_args(Fact))]
    assert len(tags) == len(set(tags))
    assert None not in tags


@pytest.mark.parametrize(
    "outcome", [Ok(value=Done()), Unknown(why="silence", unlisted=True), Suppressed(by=Withheld.LATCH)]
)
def test_an_outcome_survives_the_journal(outcome: object) -> None:
    event = CallDone(wall_ns=1, mono_ns=2, call_id=3, outcome=outcome)  # type: ignore[arg-type]
    assert event == msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Record)


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Done().detail = "changed"  # type: ignore[misc]
