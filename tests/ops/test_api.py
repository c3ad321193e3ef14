"""The control API over real HTTP: who may do what, from where, and that a halt gets through whatever else is wrong."""

import contextlib
import http.client
import json
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from holdfast.config.operators import Operator, Role, new_token, token_hash
from holdfast.ops.api import make_app
from holdfast.ops.api_guard import FAILURES_MAX, ROWS_BY_PATH
from holdfast.ops.commands import TABLE, Kind
from holdfast.ops.target import Target
from holdfast.runtime.wire import Answer
from tests.house.operating import a_latch, an_answering_bot

TOKENS = {role: new_token() for role in Role}
SECOND = new_token()
PEOPLE = (
    *(Operator(name=role.value, role=role, token_sha256=token_hash(token)) for role, token in TOKENS.items()),
    Operator(name="second", role=Role.RISK, token_sha256=token_hash(SECOND)),
)
PATHS = {row.name: path for path, row in ROWS_BY_PATH.items()}
ARGS: dict[str, dict[str, Any]] = {
    "resume": {"hold": 7},
    "resolve": {"order": 7},
    "quarantine release": {"trade": "t1"},
    "bust": {"trade": "BTCUSDT/17"},
    "adopt": {"instrument": "BTCUSDT"},
    "ban": {"what": "instrument", "name": "BTCUSDT"},
    "unban": {"what": "instrument", "name": "BTCUSDT"},
    "limits set": {"limit": "account.leverage_max", "value": "1.2x"},
    "break-glass": {"limit": "account.leverage_max", "value": "1.4x", "for": "5min", "review": "ada, Monday"},
    "break-glass end": {"glass": 3},
}


class Api:
    """A running control API, its bot, its latch, and a client that can send anything."""

    def __init__(self, port, bot, latch):
        self.port, self.bot, self.latch = port, bot, latch
        self.audited = []
        self.now_s = 1_000.0

    def call(self, method, path, *, token=TOKENS[Role.RISK], body=None, headers=None, drop=()):
        sent = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {token}"}
        if isinstance(body, dict):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        if method == "POST":
            sent |= {
                "X-Holdfast-Command": uuid.uuid4().hex,
                "X-Holdfast-Issued": str(time.time_ns() // 1_000_000),
            }
        sent.update(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if name not in drop:
                connection.putheader(name, value)
        data = body if isinstance(body, bytes) else (body or "").encode()
        if data or method == "POST":
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        reply = connection.getresponse()
        said = reply.read()
        connection.close()
        return Reply(reply.status, {key.lower(): value for key, value in reply.getheaders()}, said)

    def give(self, name, *, token=TOKENS[Role.RISK], **more):
        args = {} if name in {"reconcile", "sync"} else {"reason": "because"}
        args.update(ARGS.get(name, {}))
        return self.call("POST", PATHS[name], token=token, body=args, **more)


class Reply:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw

    @property
    def json(self):
        return json.loads(self.raw)


@contextlib.contextmanager
def serving(tmp_path: Path, *, with_bot: bool = True, with_latch: bool = True):
    guard = tmp_path / "guard"
    guard.mkdir(mode=0o700)
    latch = a_latch(guard) if with_latch else None
    state_dir = tmp_path / "state"
    target = Target(
        account="demo",
        venue="binanceusdm",
        account_uid="1000001",
        socket_path=state_dir / "control.sock",
        state_dir=state_dir,
        config_path="",
        operators_file=tmp_path / "operators.toml",
        entry=None,
    )
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        bot = stack.enter_context(an_answering_bot(state_dir)) if with_bot else None
        api = Api(port, bot, latch)
        app = make_app(
            target=lambda: target,
            people=PEOPLE,
            hosts=frozenset({f"127.0.0.1:{port}"}),
            tls=False,
            audit=lambda what, **facts: api.audited.append((what, facts)),
            clock_s=lambda: api.now_s,
        )
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        try:
            yield api
        finally:
            server.should_exit = True
            thread.join(5)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    path = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOLDFAST_GUARD_DIR", str(path / "guard"))
        with serving(path) as api:
            yield api


@pytest.fixture
def api(running, monkeypatch):
    """One server for all; each test finds it quiet, clear of the latch, and long after the last wrong token."""
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(Path(running.latch.path).parent))
    assert running.latch.clear(running.latch.observe())
    running.now_s += 10_000
    running.audited.clear()
    running.bot.told.clear()
    running.bot.answers.clear()
    return running


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_the_table_says_and_nothing_else(api, row, role):
    """Exhaustive on purpose: one hole is enough."""
    api.bot.views |= {
        "info": {},
        "positions": {},
        "fills": {},
        "exposure": {},
        "limits": {},
        "break-glass list": {},
        "strategies": {},
        "quarantine list": {},
    }
    if row.kind is Kind.VIEW:
        reply = api.call("GET", PATHS[row.name], token=TOKENS[role])
    else:
        reply = api.give(row.name, token=TOKENS[role])
    permitted = role.covers(Role(row.role))
    assert (200 if permitted else 403) == reply.status, reply.raw
    if row.kind is not Kind.VIEW:
        assert permitted == bool(api.bot.told)
        assert all(role.value == act.by for act in api.bot.told)
    if not permitted:
        assert not api.latch.tripped()
        assert "denied" == api.audited[-1][0]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer changeme",
        "Basic YTpi",
        f"Bearer {'x' * 5000}",
        "TOKEN",
    ],
)
def test_nothing_is_answered_without_a_token(api, row, authorization):
    method = "GET" if row.kind is Kind.VIEW else "POST"
    headers, drop = (
        ({}, ("Authorization",)) if authorization is None else ({"Authorization": authorization}, ())
    )
    reply = api.call(
        method, PATHS[row.name], headers=headers, drop=drop, body={} if method == "POST" else None
    )
    assert 401 == reply.status
    assert "Bearer" == reply.headers["www-authenticate"]
    assert [] == api.bot.told
    assert not api.latch.tripped()


def test_a_hash_of_a_token_is_not_a_token(api):
    """Who reads the operators file must not be able to act."""
    assert 401 == api.call("GET", "/v1/status", token=token_hash(TOKENS[Role.RISK])).status


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nonsense", "/openapi.json", "/docs", "/v1/status/"])
def test_not_even_a_missing_page_is_told_to_strangers(api, path):
    assert 401 == api.call("GET", path, drop=("Authorization",)).status


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil:{port}"]
)
def test_a_foreign_host_is_not_served(api, host):
    """A name that resolves to this machine must not let a page reach us (DNS rebinding)."""
    assert 421 == api.give("halt", headers={"Host": host.format(port=api.port)}).status
    assert not api.latch.tripped()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("name", ["status", "halt", "resume"])
def test_a_page_of_another_origin_can_do_nothing(api, name, headers):
    reply = (
        api.call("GET", "/v1/status", headers=headers)
        if name == "status"
        else api.give(name, headers=headers)
    )
    assert 403 == reply.status
    assert [] == api.bot.told
    assert not api.latch.tripped()


def test_our_own_origin_may(api):
    headers = {"Origin": f"http://127.0.0.1:{api.port}", "Sec-Fetch-Site": "same-origin"}
    assert 200 == api.give("resume", headers=headers).status


@pytest.mark.parametrize("row", [row for row in TABLE if row.kind is not Kind.VIEW], ids=lambda row: row.name)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_a_post_changes_anything(api, row, method):
    """A link, an image or a prefetch is a GET."""
    assert 405 == api.call(method, PATHS[row.name] + "?reason=x").status
    assert [] == api.bot.told
    assert not api.latch.tripped()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_view_is_only_looked_at(api, method):
    assert 405 == api.call(method, "/v1/status", body={}).status


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_loosens_comes_as_json_only(api, kind):
    reply = api.call(
        "POST",
        "/v1/resume",
        body=json.dumps({"hold": 7, "reason": "x"}).encode().decode(),
        headers={"Content-Type": kind},
    )
    assert 415 == reply.status
    assert [] == api.bot.told


def test_what_loosens_needs_our_own_header(api):
    assert 403 == api.give("resume", drop=("X-Holdfast-Command",)).status
    assert [] == api.bot.told


def test_a_command_played_again_or_late_is_refused_and_noted(api):
    same = {"X-Holdfast-Command": "c" * 32}
    late = {"X-Holdfast-Issued": str(time.time_ns() // 1_000_000 - 31_000)}
    early = {"X-Holdfast-Issued": str(time.time_ns() // 1_000_000 + 60_000)}
    assert 200 == api.give("resume", headers=same).status
    assert 409 == api.give("resume", headers=same).status
    assert 409 == api.give("resume", headers=late).status
    assert 409 == api.give("resume", headers=early).status
    assert 409 == api.give("resume", headers={"X-Holdfast-Issued": "yesterday"}).status
    assert 409 == api.give("resume", headers={"X-Holdfast-Command": "x"}).status
    assert 1 == len(api.bot.told)
    assert 5 == [what for what, _ in api.audited].count("command replayed or late")


def test_a_halt_is_taken_as_json_form_query_or_nothing_at_all(api):
    """At three in the morning any of them must do."""
    bare = ("X-Holdfast-Command", "X-Holdfast-Issued", "Content-Type")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for sent in (
        {"path": "/v1/halt", "body": {"reason": "json"}},
        {"path": "/v1/halt", "body": "reason=form", "headers": form},
        {"path": "/v1/halt?reason=query"},
        {"path": "/v1/halt"},
    ):
        api.latch.clear(api.latch.observe())
        path = sent.pop("path")
        reply = api.call("POST", path, drop=bare if "body" not in sent else bare[:2], **sent)
        assert 200 == reply.status, reply.raw
        assert api.latch.tripped()
    assert ["json", "form", "query", "no reason given"] == [act.reason for act in api.bot.told]


def test_a_halt_says_who_and_why_beside_the_latch(api):
    api.call("POST", "/v1/halt?reason=looks%20odd", token=TOKENS[Role.OPERATOR])
    note = api.latch.note(api.latch.observe())
    assert ("operator", "looks odd") == (note.by, note.reason)


def test_a_halt_twice_is_a_halt(api):
    assert [200, 200] == [api.give("halt").status for _ in range(2)]
    assert api.latch.tripped()


def test_a_scoped_halt_leaves_the_latch_alone(api):
    """The latch knows no scope: one strategy's halt must not stop the others."""
    assert 200 == api.call("POST", "/v1/halt", body={"strategy": "quoter"}).status
    assert not api.latch.tripped()
    assert "quoter" == api.bot.told[0].strategy


def test_a_halt_works_with_the_bot_dead(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(tmp_path / "guard"))
    with serving(tmp_path, with_bot=False) as api:
        assert 200 == api.give("halt").status
        assert api.latch.tripped()
        reply = api.give("kill")
        assert 503 == reply.status
        assert "latch tripped" in reply.json["text"]
        assert 503 == api.give("resume").status
        assert 503 == api.call("GET", "/v1/status").status


def test_a_halt_that_could_not_be_stored_is_not_called_a_halt(tmp_path, monkeypatch):
    """Success reported on failure is how Knight lost the next half hour."""
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(tmp_path / "guard"))
    with serving(tmp_path, with_bot=False, with_latch=False) as api:
        reply = api.give("halt")
        assert 500 == reply.status
        assert not reply.json["ok"]


def test_wrong_tokens_lock_a_peer_out_but_not_its_halt(api):
    """Guessing ends, and yet nobody can keep an operator from stopping by guessing on their behalf."""
    for _ in range(FAILURES_MAX):
        assert 401 == api.call("GET", "/v1/status", token="wrong").status
    assert 429 == api.call("GET", "/v1/status").status
    assert 429 == api.give("resume").status
    assert 401 == api.call("POST", "/v1/halt", token="wrong").status
    assert 200 == api.give("halt").status
    api.now_s += 61
    assert 200 == api.call("GET", "/v1/status").status


def test_too_many_requests_are_refused_but_never_a_halt(api):
    codes = [api.call("GET", "/v1/ping").status for _ in range(60)]
    assert {200, 429} == set(codes)
    assert 200 == api.give("halt").status
    api.now_s += 5
    assert 200 == api.call("GET", "/v1/ping").status


def test_leaving_killed_takes_a_second_person_who_is_one(api):
    two = {"X-Holdfast-Second": f"Bearer {SECOND}"}
    assert 200 == api.give("recover", headers=two).status
    assert ("risk", "second") == (api.bot.told[0].by, api.bot.told[0].second_by)
    for second in (TOKENS[Role.RISK], TOKENS[Role.OPERATOR], "wrong", ""):
        assert 403 == api.give("recover", headers={"X-Holdfast-Second": f"Bearer {second}"}).status
    assert 403 == api.give("resume", headers=two).status
    assert 200 == api.give("recover").status  # alone: the core starts the cooling delay
    assert "" == api.bot.told[1].second_by


def test_what_the_bot_refuses_is_told_as_refused(api):
    api.bot.answers["resume"] = Answer(ok=False, text="still 11 % down")
    reply = api.give("resume")
    assert (409, "still 11 % down") == (reply.status, reply.json["text"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/resume", {"reason": "x"}, 400),
        ("/v1/resume", {"hold": "7; DROP", "reason": "x"}, 400),
        ("/v1/resume", {"hold": 7, "reason": "x", "bypass": True}, 400),
        ("/v1/resume?hold=7", {"reason": "x"}, 400),
        ("/v1/resume", {"hold": 7.5, "reason": "x"}, 400),
        ("/v1/resume", {"hold": 7, "reason": "x" * 70_000}, 413),
        ("/v1/halt?reason=a", {"reason": "b"}, 400),
        ("/v1/ban", {"what": "everything", "name": "x"}, 400),
        ("/v1/nonsense", {}, 404),
    ],
)
def test_arguments_that_make_no_sense_are_refused(api, path, body, status):
    assert status == api.call("POST", path, body=body).status
    assert [] == api.bot.told


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"null", b"[" * 10_000, b'{"hold": 7, "reason": "\xff"}', b"\x00", b""]
)
def test_a_body_that_is_no_json_object_is_refused(api, body):
    assert (
        400 == api.call("POST", "/v1/resume", body=body, headers={"Content-Type": "application/json"}).status
    )
    assert [] == api.bot.told


@pytest.mark.parametrize(
    "path", ["/v1/status?x=1", "/v1/why?qty=nan", "/v1/orders?limit=-1", "/v1/orders?limit=1&limit=2"]
)
def test_a_view_with_odd_arguments_is_refused(api, path):
    assert 400 == api.call("GET", path).status


@pytest.mark.parametrize(
    "call", [("GET", "/v1/status"), ("GET", "/v1/nonsense"), ("POST", "/v1/halt"), ("PUT", "/")]
)
def test_every_answer_carries_the_security_headers(api, call):
    headers = api.call(*call).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "nosniff" == headers["x-content-type-options"]
    assert "no-store" == headers["cache-control"]
    assert "access-control-allow-origin" not in headers


def test_a_header_that_must_be_single_may_not_come_twice(api):
    """Two readers could each believe another one."""
    with socket.create_connection(("127.0.0.1", api.port)) as peer:
        request = f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
        request += f"Authorization: Bearer {TOKENS[Role.RISK]}\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n"
        peer.sendall(request.encode())
        assert b"400" in peer.recv(65536).split(b"\r\n")[0]


def test_no_token_is_written_into_the_audit(api):
    api.call("GET", "/v1/status", token="hf_wrong-token-canary-0123456789")
    api.give("halt")
    written = repr(api.audited)
    assert "token refused" in written
    assert "canary" not in written
    assert all(token not in written for token in TOKENS.values())


def test_the_description_names_every_command_with_its_token(api):
    described = api.call("GET", "/openapi.json").json
    for path, row in ROWS_BY_PATH.items():
        operation = described["paths"][path]["get" if row.kind is Kind.VIEW else "post"]
        assert [{"bearer": []}] == operation["security"]
        assert row.role == operation["x-role"]
    assert "http" == described["components"]["securitySchemes"]["bearer"]["type"]


def test_a_halt_gets_through_a_flood(api):
    """Whoever hammers the status page, by accident or not, must not keep anyone from stopping."""
    stop = threading.Event()

    def hammer():
        while not stop.is_set():
            with contextlib.suppress(OSError):
                api.call("GET", "/v1/status")

    hammers = [threading.Thread(target=hammer, daemon=True) for _ in range(12)]
    for thread in hammers:
        thread.start()
    try:
        took = []
        for _ in range(5):
            started = time.monotonic()
            assert 200 == api.give("halt").status
            took.append(time.monotonic() - started)
    finally:
        stop.set()
        for thread in hammers:
            thread.join(5)
    assert max(took) < 1.0, took
