"""The journal as JSON lines: readable names, exact numbers, nothing lost."""

import json

from holdfast.journal.export import export_lines, plain
from holdfast.vocab.events import CallDone, StrategySaved
from holdfast.vocab.outcome import Ok, Transient
from holdfast.vocab.reports import Positions
from tests.journal.records import a_command, a_refusal, an_approval, records


def test_names_are_readable_and_enums_are_words():
    """An operator reads it with jq, not with our source code."""
    (line,) = export_lines([(7, 42, an_approval(3))])
    said = json.loads(line)

    assert (7, 42, "order_approved", "risk") == (
        said["index"],
        said["market_pos"],
        said["type"],
        said["lane"],
    )
    assert {"instrument": "BTCUSDT", "side": 1, "qty_lots": 3} == {
        name: said["terms"][name] for name in ("instrument", "side", "qty_lots")
    }
    assert said["order_id"] == (1 << 40) + 3


def test_what_is_nested_keeps_its_kind():
    """The outcome of a call and the report inside it are told apart by their tags."""
    done = CallDone(
        wall_ns=1, mono_ns=2, call_id=3, outcome=Ok(value=Positions(positions=(), unlisted=("X",)))
    )
    assert {
        "type": "ok",
        "value": {"type": "positions", "positions": [], "unlisted": ["X"], "source": 0},
    } == plain(done.outcome)
    assert "transient" == plain(Transient(why="x"))["type"]
    assert {"type": "over_position", "of": "strategy", "would_be_lots": 12, "limit_lots": 10} == plain(
        a_refusal().refusal
    )


def test_bytes_are_base64_and_odd_text_stays_one_line():
    """One record, one line, whatever a strategy saved or a person typed."""
    saved = StrategySaved(wall_ns=1, mono_ns=2, strategy="s", state=b"\x00\xff\n")
    lines = list(export_lines([(0, 0, saved), (1, 0, a_command(reason='a\nb "c" \u2028 ü'))]))

    assert "AP8K" == json.loads(lines[0])["state"]
    assert 2 == len("\n".join(lines).split("\n"))
    assert 'a\nb "c" \u2028 ü' == json.loads(lines[1])["reason"]


def test_every_record_has_a_line():
    """Export is complete or it is not evidence."""
    made = list(export_lines((index, 0, record) for index, record in enumerate(records(40))))

    assert list(range(40)) == [json.loads(line)["index"] for line in made]
