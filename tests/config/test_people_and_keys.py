"""Operators, tokens and venue keys: what is missing, shared or readable by others is refused."""

import os

import pytest

from holdfast.config.errors import ConfigError
from holdfast.config.load import load, load_text
from holdfast.config.operators import Role, by_login, by_token, load_operators, new_token, token_hash
from holdfast.config.secrets import load_secrets
from tests.house.configs import a_config_file, a_config_text

CANARY = "canary-0123456789abcdef"


def an_operators_file(tmp_path, *people, mode=0o600):
    path = tmp_path / "operators.toml"
    path.write_text("\n".join(people))
    path.chmod(mode)
    return path


def a_person(name="ada", role="risk", token="a-token", extra=""):
    return f'[operator.{name}]\nrole = "{role}"\ntoken_sha256 = "{token_hash(token)}"\n{extra}'


def a_keyed_config(tmp_path, content, mode=0o600):
    a_config_file(tmp_path)
    keys = tmp_path / "keys.toml"
    keys.write_text(content)
    keys.chmod(mode)
    return load(tmp_path / "holdfast.toml")


def test_a_token_names_its_operator_and_no_other_does(tmp_path):
    people = load_operators(
        an_operators_file(tmp_path, a_person(), a_person("bob", "viewer", "b", 'logins = ["bob"]'))
    )
    ada, bob = people
    assert (ada, "ada") == (by_token(people, "a-token"), ada.name)
    assert (bob, Role.VIEWER) == (by_token(people, "b"), bob.role)
    assert None is by_token(people, "A-token")
    assert None is by_token(people, "")
    assert bob == by_login(people, "bob")
    assert None is by_login(people, "root")


def test_a_fresh_token_has_more_than_128_random_bits():
    tokens = {new_token() for _ in range(100)}
    assert 100 == len(tokens)
    assert all(len(token.removeprefix("hf_")) >= 43 for token in tokens)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "missing: expected a table [operator]"),
        ("[operator]\n", "names no operator"),
        (a_person(token="changeme"), "a token that everybody knows"),
        (a_person(token=""), "a token that everybody knows"),
        (a_person(role="god"), "operator.ada.role: expected one of viewer, operator, risk"),
        (a_person(extra="token = 'x'"), "operator.ada.token: unknown key"),
        (a_person(extra="name = 'x'"), "operator.ada.name"),
        ("[operator.ada]\nrole = 'risk'\n", "operator.ada.token_sha256: missing"),
        ("[operator.ada]\nrole = 'risk'\ntoken_sha256 = 'abc'\n", "expected the 64 hexadecimal digits"),
        (a_person() + a_person("bob"), "operator.bob.token_sha256: the same token as ada"),
        (
            a_person(extra="logins=['x']\n") + a_person("bob", token="b", extra="logins=['x']"),
            "belongs to operator.ada already",
        ),
        ("[operators.ada]\n", "unknown key; did you mean operator?"),
    ],
)
def test_an_operators_file_with_a_hole_in_it_is_refused(tmp_path, content, expected):
    with pytest.raises(ConfigError) as caught:
        load_operators(an_operators_file(tmp_path, content))
    assert any(expected in line for line in caught.value.problems), caught.value.problems


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_operators_file_that_others_may_write_is_refused(tmp_path, mode):
    """Who may write it may make themselves risk officer."""
    with pytest.raises(ConfigError, match="not writable by others"):
        load_operators(an_operators_file(tmp_path, a_person(), mode=mode))


def test_keys_are_read_from_their_own_file_and_never_shown(tmp_path):
    secrets = load_secrets(a_keyed_config(tmp_path, f'api_key = "k-canary"\nsecret = "{CANARY}"\n'))
    assert CANARY == secrets.secret
    assert (CANARY,) == tuple(value for value in secrets.values() if value == CANARY)
    assert CANARY not in f"{secrets!r} {secrets}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_file_that_others_may_read_is_refused(tmp_path, mode):
    with pytest.raises(ConfigError, match="expected 0600"):
        load_secrets(a_keyed_config(tmp_path, f'api_key = "k"\nsecret = "{CANARY}"\n', mode=mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_somebody_else_is_refused(tmp_path):
    config = a_keyed_config(tmp_path, f'api_key = "k"\nsecret = "{CANARY}"\n')
    os.chown(tmp_path / "keys.toml", 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        load_secrets(config)


@pytest.mark.parametrize(
    "content",
    [
        f'api_key = "{CANARY}"\n',
        f'api_key = "{CANARY}"\nsecret = 5\n',
        f'api_key = "k"\nsecret = "{CANARY}"\n{CANARY.replace("-", "_")} = 1\n',
        f'api_key = "k"\nsecret = {CANARY}\n',
        f'api_key = "k"\nsecret = ["{CANARY}"]\n',
        f'api_key = ""\nsecret = "{CANARY}"\n',
        f"{CANARY}\n",
        "",
    ],
)
def test_a_broken_key_file_is_refused_without_repeating_what_is_in_it(tmp_path, content):
    with pytest.raises(ConfigError) as caught:
        load_secrets(a_keyed_config(tmp_path, content))
    said = str(caught.value)
    assert "keys.toml" in said
    assert CANARY not in said
    assert CANARY.replace("-", "_") not in said


def test_keys_may_come_from_two_named_variables():
    text = a_config_text(('key_file = "keys.toml"', 'key_env = "A_KEY"\nsecret_env = "A_SECRET"'))
    config = load_text(text, where="bot.toml")
    assert CANARY == load_secrets(config, environment={"A_KEY": "k", "A_SECRET": CANARY}).secret
    with pytest.raises(ConfigError, match="environment variable A_SECRET is not set"):
        load_secrets(config, environment={"A_KEY": "k"})
