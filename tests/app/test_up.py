"""``holdfast up`` with a simulated venue of its own: books of a venue that is gone are put aside, not traded on."""

import pytest

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.init import main as init
from holdfast.app.options import InitOptions, UpOptions
from holdfast.app.up import _start_empty
from holdfast.config.load import load
from tests.house.operating import registered


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(tmp_path / "guard"))
    init(InitOptions(directory=str(tmp_path / "bot")))
    return tmp_path / "bot"


def books(home, name="state"):
    (home / name / "journal").mkdir(parents=True)
    (home / name / "journal" / "000.seg").write_bytes(b"x")


def start(home, **options):
    path = home / "holdfast.toml"
    _start_empty(load(path), UpOptions(config=str(path), **options))


def test_the_books_of_the_last_venue_are_kept_beside(here, capsys):
    books(here)
    start(here)
    aside = [path for path in here.iterdir() if path.name.startswith("state-")]
    assert 1 == len(aside)
    assert b"x" == (aside[0] / "journal" / "000.seg").read_bytes(), "nothing is ever deleted"
    assert not (here / "state").exists()
    assert str(aside[0]) in capsys.readouterr().out, "it is said where they went"


def test_a_first_start_moves_nothing(here, capsys):
    start(here)
    assert "" == capsys.readouterr().out.partition("next:")[2].partition("\n")[2]


def test_the_books_of_a_running_bot_stay_where_they_are(here):
    books(here)
    registered(here / "state", latch=None)
    with pytest.raises(HoldfastError, match="running already") as caught:
        start(here)
    assert Exit.LEASE_HELD is caught.value.exit_code
    assert (here / "state" / "journal").is_dir()


def test_a_venue_that_was_there_before_keeps_its_books(here):
    """Only the venue that up itself starts is known to be empty."""
    books(here)
    path = here / "holdfast.toml"
    path.write_text(path.read_text().replace('start = ["sim", "run", "serve"]', 'start = ["run"]'))
    start(here)
    assert (here / "state" / "journal").is_dir()
