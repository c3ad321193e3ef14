"""A guard directory of the test's own, on tmpfs where there is one."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def guard():
    """Path of an empty guard directory."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    directory = tempfile.mkdtemp(prefix="holdfast-test-", dir=base)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def said_by(process):
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
