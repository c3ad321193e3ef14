"""A first configuration: good as written, explained, and never over an existing one."""

import re
import stat
from pathlib import Path

import pytest

from holdfast.app.init import config_text, write_operators
from holdfast.config.load import load
from holdfast.config.operators import Role, by_token, load_operators
from holdfast.config.resolve import resolve
from holdfast.config.secrets import load_secrets
from holdfast.strategy.load import load_strategy
from tests.house.configs import SPECS
from tests.house.operating import holdfast

pytestmark = pytest.mark.process
FILES = [
    "holdfast.toml",
    "caps.toml",
    "reference.toml",
    "strategy.py",
    "keys.toml",
    ".gitignore",
    "operators.toml",
    "operator.token",
]
SEEDS = {
    "leverage_max": "1.5x",
    "orders_per_s_kill": "100",
    "drawdown_warning": "5%",
    "drawdown_release": "3%",
    "drawdown_breaker": "10%",
    "breaker_cooldown": "15min",
    "collar": "5%",
    "spread_max": "1%",
    "quote_age_max": "1s",
    "feed_dead": "5s",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(where, what was said)."""
    path = tmp_path_factory.mktemp("init")
    return path / "bot", holdfast("init", "bot", "--operator", "ada", cwd=path, guard_dir=path / "guard")


def test_everything_is_written_and_good(made):
    path, said = made
    assert 0 == said.code, said
    assert set(FILES) == {one.name for one in path.iterdir()}
    config = load(path / "holdfast.toml")
    settings = resolve(config, SPECS)
    assert settings.arm_auto
    assert "sim-key" == load_secrets(config).api_key


def test_the_token_is_shown_once_and_kept_for_its_owner(made):
    path, said = made
    token = (path / "operator.token").read_text().strip()
    assert 1 == said.out.count(token)
    person = by_token(load_operators(path / "operators.toml"), token)
    assert person is not None
    assert ("ada", Role.RISK) == (person.name, person.role)
    assert token not in (path / "operators.toml").read_text()
    for name in ("operator.token", "keys.toml", "operators.toml"):
        assert 0o600 == stat.S_IMODE((path / name).stat().st_mode)


def test_secrets_and_state_are_kept_out_of_git(made):
    assert {"*keys.toml", "*.token", "webhook.toml", "state/"} <= set(
        (made[0] / ".gitignore").read_text().split()
    )


@pytest.mark.parametrize("key", SEEDS)
def test_the_numbers_that_were_learnt_the_hard_way_are_there(key):
    found = re.search(rf'(?m)^{key} = "?([^"\s]+)"?\s+# (.+)$', config_text())
    assert found is not None
    assert SEEDS[key] == found[1]


def test_every_limit_and_timing_says_where_it_comes_from():
    """A number without its reason is changed without one."""
    text = config_text()
    limits = text.partition("[limits.account]")[2].partition("[limits.instrument.ETHUSDT]")[0]
    timings = text.partition("[timings]\n")[2].partition("\n# ---")[0]
    for line in (limits + timings).splitlines():
        if re.match(r"[a-z_]+ = ", line):
            assert re.search(r"#.*(\[[PARVH]\]|above)", line), line


def test_the_strategy_loads_as_a_strategy(made):
    assert load_strategy(f"{made[0] / 'strategy.py'}:TwoSided", {})


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path, name):
    """A second init must not cost a key, a token or a changed limit."""
    (tmp_path / name).write_text("mine")
    said = holdfast("init", cwd=tmp_path, guard_dir=tmp_path / "guard")
    assert 2 == said.code
    assert f"exists already: {name}; nothing was written" in said.err
    assert "mine" == (tmp_path / name).read_text()
    assert [name] == [one.name for one in tmp_path.iterdir() if one.is_file()]


def test_json_names_the_files_and_not_the_token(tmp_path):
    said = holdfast("init", "--json", cwd=tmp_path, guard_dir=tmp_path / "guard")
    assert set(FILES) == set(said.json["files"])
    assert (tmp_path / "operator.token").read_text().strip() not in said.out


@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 65])
def test_a_name_that_is_none_is_refused_before_anything_is_written(tmp_path, name):
    said = holdfast("init", "new", "--operator", name, cwd=tmp_path, guard_dir=tmp_path / "guard")
    assert (2, 1) == (said.code, len(said.error_lines))
    assert not (tmp_path / "new").exists()


def test_config_check_reads_what_init_wrote(made):
    said = holdfast("config", "check", "--json", cwd=made[0], guard_dir=made[0] / "guard")
    assert 0 == said.code, said
    assert 64 == len(said.json["config_hash"])
    assert {"ada": "risk"} == said.json["operators"]


def test_config_check_says_every_problem_in_a_line_of_its_own(tmp_path):
    (tmp_path / "holdfast.toml").write_text(config_text().replace('"5%"', "5").replace("leverage = 2", ""))
    said = holdfast("config", "check", cwd=tmp_path, guard_dir=tmp_path / "guard")
    assert 2 == said.code
    assert len(said.error_lines) > 3
    assert all(line.startswith("holdfast: holdfast.toml") for line in said.error_lines)


def test_doctor_finds_nothing_bad_in_what_init_wrote(made, tmp_path):
    said = holdfast("doctor", "--json", cwd=made[0], guard_dir=tmp_path / "guard")
    verdicts = {finding["what"]: finding["verdict"] for finding in said.json["findings"]}
    assert 0 == said.code, said
    assert "BAD" not in verdicts.values()
    assert {"python", "disk", "configuration", "secrets", "operators", "latch"} <= set(verdicts)


def test_doctor_names_what_is_bad(made, tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes((made[0] / name).read_bytes())
    Path(tmp_path / "keys.toml").chmod(0o644)
    Path(tmp_path / "strategy.py").unlink()
    said = holdfast("doctor", cwd=tmp_path, guard_dir=tmp_path / "guard")
    assert 3 == said.code
    assert re.search(r"BAD +secrets .*expected 0600", said.out)
    assert re.search(r"BAD +strategy two_sided .*no such file", said.out)


def test_a_second_token_never_replaces_the_first(tmp_path):
    """Two starts at once: the look before and the write are two moments."""
    first = write_operators(tmp_path, name="ada")
    with pytest.raises(FileExistsError):
        write_operators(tmp_path, name="eve")
    assert first == (tmp_path / "operator.token").read_text().strip()
