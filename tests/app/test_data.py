"""Nobody takes a generated market for a recorded one."""

import pytest

from holdfast.app.data import data_dir
from holdfast.app.errors import Exit, HoldfastError
from holdfast.sim.sources.demo import SESSION


def a_recording(folder):
    (folder / "binance_ws_raw").mkdir(parents=True)
    for name in SESSION:
        (folder / "binance_ws_raw" / name).write_bytes(b"")
    return folder


def test_a_directory_named_without_a_recording_is_an_error(tmp_path):
    with pytest.raises(HoldfastError, match="no recorded session") as caught:
        data_dir(str(tmp_path))
    assert Exit.USAGE is caught.value.exit_code
    assert a_recording(tmp_path / "there") == data_dir(str(tmp_path / "there"))


def test_a_variable_without_a_recording_is_said_and_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    assert tmp_path == data_dir(None)
    assert "the market is generated" in capsys.readouterr().err


def test_with_nothing_named_a_recording_beside_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert data_dir(None) is None
    a_recording(tmp_path / "shared" / "data")
    assert data_dir(None) is not None
