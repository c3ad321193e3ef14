"""``holdfast serve`` as the process it is: from the files that init wrote, over its real port."""

import contextlib
import http.client
import re
import subprocess
import sys

import pytest

from holdfast.app.errors import HoldfastError
from holdfast.app.options import ServeOptions
from holdfast.app.serve import hosts_of, main
from holdfast.config.schema import ServeSection
from tests.house.operating import SOURCE, a_latch, an_answering_bot, holdfast, registered

pytestmark = pytest.mark.process


@pytest.fixture
def home(tmp_path, monkeypatch):
    guard = tmp_path / "guard"
    guard.mkdir(mode=0o700)
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(guard))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    assert 0 == holdfast("init", "bot", cwd=tmp_path, guard_dir=guard).code
    return tmp_path / "bot"


@contextlib.contextmanager
def served(home):
    words = [sys.executable, "-m", "holdfast", "serve", "--port", "0"]
    with subprocess.Popen(words, cwd=home, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield int(process.stderr.readline().rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(10)


def call(port, method, path, token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_what_init_wrote_can_be_served_and_halted_through(home):
    latch = a_latch(home.parent / "guard")
    token = (home / "operator.token").read_text().strip()
    registered(home / "state", latch=latch, config_path=str(home / "holdfast.toml"))
    with an_answering_bot(home / "state") as bot, served(home) as port:
        assert 200 == call(port, "GET", "/v1/status", token)[0]
        assert 401 == call(port, "GET", "/v1/status", "wrong")[0]
        assert 200 == call(port, "POST", "/v1/halt?reason=odd", token)[0]
        assert latch.tripped()
        assert ["halt"] == [act.verb for act in bot.told]
    log = (home / "state" / "serve.jsonl").read_text()
    assert '"command":"halt"' in log
    assert "token refused" in log
    assert token not in log


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda home: (home / "operators.toml").unlink(), "operators.toml: cannot read it"),
        (lambda home: (home / "operators.toml").chmod(0o666), "not writable by others"),
        (
            lambda home: (home / "operators.toml").write_text(
                re.sub(r'"[0-9a-f]{64}"', f'"{"0" * 63}"', (home / "operators.toml").read_text())
            ),
            "expected the 64 hexadecimal digits",
        ),
    ],
)
def test_without_sound_operators_there_is_no_api(home, spoil, expected):
    spoil(home)
    said = holdfast("serve", "--port", "0", cwd=home, guard_dir=home.parent / "guard")
    assert 2 == said.code
    assert expected in said.err
    assert 1 == len(said.error_lines)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_beyond_this_machine_takes_tls_and_the_word(home, host):
    with pytest.raises(HoldfastError, match="is not this machine"):
        main(ServeOptions(config=str(home / "holdfast.toml"), host=host, port=0))


def test_a_taken_port_is_one_line(home):
    with served(home) as port:
        said = holdfast("serve", "--port", str(port), cwd=home, guard_dir=home.parent / "guard")
        assert 2 == said.code
        assert [f"holdfast: cannot listen: address already in use (127.0.0.1:{port})"] == said.error_lines


def test_a_wildcard_is_no_name_to_be_called_by():
    hosts = hosts_of(ServeSection(host="0.0.0.0", hosts=["bot.example"], public=True), 443)
    assert not any("0.0.0.0" in host for host in hosts)
    assert "bot.example:443" in hosts
    assert "[::1]:443" in hosts
