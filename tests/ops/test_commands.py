"""The table of commands is complete, consistent, and read the same from words and from mappings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.operators import Role
from holdfast.ops.acts import act_of
from holdfast.ops.commands import ROWS, TABLE, Arg, ArgKind, Friction, Kind, find
from holdfast.ops.errors import UsageError
from holdfast.ops.words import TEXT_MAX, clean, read_mapping, read_words, usage
from holdfast.runtime.socket import HALTING
from holdfast.runtime.views import FLATTEN_PLAN, VIEW_TYPES
from holdfast.vocab.events import Verb

DESIGNED = {
    *(
        "arm",
        "halt",
        "resume",
        "pause",
        "unpause",
        "stop",
        "kill",
        "recover",
        "hardstop",
        "ban",
        "unban",
        "cancel",
    ),
    *("limits", "limits set", "break-glass", "break-glass list", "break-glass end"),
    *("flatten", "abort", "resolve", "quarantine list", "quarantine release", "bust", "adopt"),
    *(
        "status",
        "info",
        "ping",
        "holds",
        "why",
        "positions",
        "orders",
        "fills",
        "exposure",
        "reconcile",
        "sync",
    ),
}
ACTS = [row for row in TABLE if row.kind is not Kind.VIEW]
SAMPLE = {
    ArgKind.TEXT: "because",
    ArgKind.INSTRUMENT: "BTCUSDT",
    ArgKind.STRATEGY: "quoter",
    ArgKind.NAME: "BTCUSDT",
    ArgKind.LIMIT: "account.leverage_max",
    ArgKind.NUMBER: "5min",
    ArgKind.WHOLE: 7,
    ArgKind.DECIMAL: "0.5",
    ArgKind.FLAG: True,
}


def a_value(arg: Arg):
    return arg.choices[0] if arg.choices else SAMPLE[arg.kind]


def as_words(row, given):
    """The words that a person would type for these arguments."""
    words = []
    for arg in row.args:
        if arg.name not in given:
            continue
        if arg.positional:
            words.append(str(given[arg.name]))
        elif arg.kind is ArgKind.FLAG:
            words.append(f"--{arg.name}")
        else:
            words += [f"--{arg.name}", str(given[arg.name])]
    return words


def test_every_designed_command_is_in_the_table_once():
    assert DESIGNED <= set(ROWS)
    assert len(TABLE) == len(ROWS)


def test_every_verb_of_the_core_can_be_given_and_no_other():
    assert {verb.value for verb in Verb} == {row.verb for row in TABLE if row.verb}
    assert {"abort"} == {row.name for row in ACTS if not row.verb}


def test_every_view_can_be_looked_at():
    looks = {row.name for row in TABLE if row.kind is Kind.VIEW}
    assert {FLATTEN_PLAN} == set(VIEW_TYPES) - looks
    assert set() == looks - set(VIEW_TYPES)


def test_the_socket_knows_the_same_halting_verbs_as_the_table():
    """One list would let an old halt be refused for its age, or an old resume pass."""
    assert {row.verb or row.name for row in TABLE if row.halting} == HALTING


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_stopping_is_cheap_and_loosening_is_dear(row):
    assert row.role in {role.value for role in Role}
    assert not (row.halting and row.loosens)
    required = {arg.name for arg in row.args if arg.required}
    if row.halting:
        assert row.friction in {Friction.NONE, Friction.CONFIRM}
        assert "reason" not in required
        assert row.role == "operator"
    if row.loosens and row.name != "arm":
        assert row.friction in {Friction.REASON, Friction.TWO_PERSONS}
        assert "reason" in required
    if row.kind is Kind.VIEW:
        assert row.role == "viewer"
        assert not row.verb


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_words_and_mappings_are_read_alike(row):
    """The command line and the HTTP face are two ways to say one thing."""
    given = {arg.name: a_value(arg) for arg in row.args}
    assert given == read_words(row, as_words(row, given))
    assert given == read_mapping(row, {name: str(value) for name, value in given.items()})
    assert (row, len(row.name.split())) == find([*row.name.split(), *as_words(row, given)])
    assert usage(row).startswith(row.name)


@pytest.mark.parametrize("row", ACTS, ids=lambda row: row.name)
def test_every_act_carries_its_scope_and_its_reason(row):
    given = {arg.name: a_value(arg) for arg in row.args}
    act = act_of(row, given, by="ada")
    assert "ada" == act.by
    assert (row.verb or row.name) == act.verb
    if "reason" in given:
        assert "because" == act.reason
    if row.name in {"ban", "unban"}:
        assert ("BTCUSDT", "") == (act.instrument, act.strategy)
    elif "strategy" in given:
        assert ("BTCUSDT", "quoter") == (act.instrument, act.strategy)
    assert 7 == max(act.hold_id, act.order_id) or row.name not in {"resume", "resolve"}


def test_a_ban_of_a_strategy_is_not_one_of_an_instrument():
    act = act_of(ROWS["ban"], {"what": "strategy", "name": "quoter"}, by="ada")
    assert ("quoter", "") == (act.strategy, act.instrument)


BAD_WORDS = [
    ("halt", ["--reasn", "x"], "unknown option '--reasn'; known: --reason"),
    ("halt", ["--reason"], "--reason needs a value"),
    ("halt", ["--reason", "a", "--reason", "b"], "reason is given twice"),
    ("halt", ["BTCUSDT"], "unexpected word 'BTCUSDT'"),
    ("halt", ["--instrument", "BTC USDT"], "--instrument: expected an instrument"),
    ("halt", ["--instrument", "../../etc"], None),
    ("resume", ["--reason", "x"], "HOLD is missing"),
    ("resume", ["7"], "--reason is missing"),
    ("resume", ["7", "--reason", "  "], "--reason is missing"),
    ("resume", ["-7", "--reason", "x"], "expected a whole number above zero, got '-7'"),
    ("resume", ["0", "--reason", "x"], "expected a whole number above zero"),
    ("resume", ["nan", "--reason", "x"], "expected a whole number above zero"),
    ("resume", ["9" * 30, "--reason", "x"], "expected a whole number above zero"),
    ("resume", ["7", "8", "--reason", "x"], "unexpected word '8'"),
    ("ban", ["everything", "x"], "expected one of instrument, strategy"),
    ("ban", ["instrument"], "NAME is missing"),
    ("why", ["--qty", "-1"], "--qty: expected a number above zero"),
    ("why", ["--qty", "nan"], "--qty: expected a number above zero"),
    ("why", ["--qty", "1e9"], "--qty: expected a number above zero"),
    ("why", ["--side", "up"], "--side: expected one of buy, sell"),
    ("cancel", ["--protective=maybe"], "--protective: expected true or false"),
    ("status", ["--"], "unexpected word '--'"),
]


@pytest.mark.parametrize(("name", "words", "expected"), BAD_WORDS)
def test_words_that_make_no_sense_are_one_line(name, words, expected):
    row = ROWS[name]
    if expected is None:
        assert {"instrument": "../../etc"} == read_words(row, words)  # a name: never used as a path
        return
    with pytest.raises(UsageError) as caught:
        read_words(row, words)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(name)
    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.parametrize("raw", [1.5, None, [], {}, float("nan"), b"x"])
def test_a_mapping_takes_texts_whole_numbers_and_booleans_only(raw):
    with pytest.raises(UsageError):
        read_mapping(ROWS["resume"], {"hold": raw, "reason": "x"})


@given(st.text())
def test_free_words_become_one_harmless_line(text):
    """A reason ends up in a terminal, a log and a chat: it must not be able to draw there."""
    shown = clean(text)
    assert shown.isprintable()
    assert len(shown) <= TEXT_MAX * 6


@given(st.text(min_size=1))
def test_no_reason_keeps_a_halt_from_being_read(text):
    assert set(read_words(ROWS["halt"], ["--reason", text])) <= {"reason"}
