"""Logs: structured, one line each, bounded, without secrets, and never a reason to stop trading."""

import io
import json
import logging
import stat

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime import telemetry
from holdfast.runtime.redact import GONE, Redactor, printable
from holdfast.runtime.telemetry import setup_log

CANARY = "Zk9canaryQ7w2canaryE4r"
SHAPES = [
    "GET /fapi/v1/order?symbol=BTCUSDT&timestamp=1&signature=SECRET",
    '{"apiKey": "SECRET", "symbol": "X"}',
    "X-MBX-APIKEY: SECRET",
    "Authorization: Bearer SECRETSECRET",
    "bearer SECRETSECRET",
    "wss://stream/ws?listenKey=SECRET",
    "postgres://bot:SECRET@host/db",
    "api_secret='SECRET'",
    "password: SECRET",
    "hf_" + "SECRET" * 8,
    "key vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "-----BEGIN RSA PRIVATE KEY-----\nSECRET\n-----END RSA PRIVATE KEY-----",
]


@pytest.fixture
def log(tmp_path):
    """(logger, the JSON lines so far, the terminal's text so far)."""
    terminal = io.StringIO()
    path = tmp_path / "run.jsonl"
    logger = setup_log(
        process="run", account="demo", path=path, secrets=[CANARY], terminal=terminal, level="debug"
    )
    yield logger, lambda: [json.loads(line) for line in path.read_text().splitlines()], terminal.getvalue
    structlog.reset_defaults()


def test_a_line_is_json_with_time_level_process_and_account(log, tmp_path):
    logger, lines, terminal = log
    logger.info("order sent", order_id=7, instrument="BTCUSDT")
    (line,) = lines()
    assert ("order sent", "info", "run", "demo", 7) == tuple(
        line[key] for key in ("event", "level", "process", "account", "order_id")
    )
    assert line["timestamp"].endswith("Z")
    assert terminal().endswith("order sent order_id=7 instrument=BTCUSDT\n")
    assert 0o600 == stat.S_IMODE((tmp_path / "run.jsonl").stat().st_mode)


def test_a_known_secret_is_in_no_sink(log, tmp_path):
    """By value: wherever it stands, in whatever it is packed."""
    logger, _, terminal = log
    said = f"failed {CANARY}"
    logger.warning(said, url=f"x{CANARY}y", deep={"a": [{"b": (CANARY,)}]}, raw=CANARY.encode())
    logger.error("odd", **{CANARY: 1})
    try:
        raise ValueError(CANARY)
    except ValueError:
        logger.exception("raised")
    logging.getLogger("aiohttp").error("said %s", CANARY)
    structlog.get_logger().info(CANARY)
    assert CANARY not in (tmp_path / "run.jsonl").read_text() + terminal()


@pytest.mark.parametrize("text", SHAPES)
def test_an_unknown_secret_is_known_by_its_shape(text):
    shown = Redactor().text(text)
    assert GONE in shown
    assert "SECRET" not in shown.replace(GONE, "")
    assert "vmPUZE6mv9" not in shown


@pytest.mark.parametrize(
    "name", ["secret", "api_key", "apiKey", "password", "X-MBX-APIKEY", "bot_token", "signature"]
)
def test_a_field_whose_name_says_secret_is_emptied(name):
    assert {name: GONE} == Redactor().value({name: "k"})


@pytest.mark.parametrize(
    "text",
    [
        "order hf0123456789abcdefghijkl sent",
        "books_hash 013cd3348e969a39eacf182fa7b0fbf87132a29d3cef565c5510895fd29e8c11",
        "tokens left: many",
        "signed off by ada",
        "instrument BTCUSDT at 60000.1",
    ],
)
def test_ordinary_words_stay(text):
    """A log that hides everything is no log."""
    if "tokens left" in text:
        assert "tokens left: many" == Redactor().text(text)
    assert text == Redactor().text(text)


@given(st.text())
def test_whatever_is_quoted_a_line_stays_a_line(text):
    assert printable(text).isprintable()


def test_no_text_can_forge_a_line_or_draw(log, tmp_path):
    logger, lines, terminal = log
    logger.info('a\n{"event":"forged"}', reason="\x1b[2J\u202e\r\n2026 forged")
    assert 1 == len(lines())
    assert 1 == len(terminal().splitlines())
    assert "\x1b" not in terminal() + (tmp_path / "run.jsonl").read_text()
    assert "\u202e" not in terminal() + (tmp_path / "run.jsonl").read_text()


def test_levels_below_the_chosen_one_cost_nothing(tmp_path):
    terminal = io.StringIO()
    setup_log(process="run", level="warning", terminal=terminal).info("quiet")
    assert "" == terminal.getvalue()


def test_a_log_that_cannot_be_written_is_counted_and_stops_nobody(tmp_path, monkeypatch):
    """The disk is full exactly when everything else goes wrong too."""
    file = telemetry.LogFile(tmp_path / "run.jsonl")

    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    file.setStream(Full())  # type: ignore[arg-type]
    file.line("lost")
    assert 1 == file.lost_count
    sink = telemetry._Sink(None, Full())
    sink.write({"event": "x"})
    assert 1 == sink.terminal_lost_count


def test_the_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(telemetry, "FILE_BYTES_MAX", 1_000)
    file = telemetry.LogFile(tmp_path / "run.jsonl")
    for _ in range(400):
        file.line("x" * 99)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert telemetry.FILES_MAX + 1 == len(sizes)
    assert max(sizes.values()) <= 1_000
