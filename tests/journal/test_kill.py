"""Real processes, killed at random moments: the journal goes on each time with everything that was acknowledged."""

import random
import subprocess
import sys

import pytest

from holdfast.journal import iterate, open_for_append, verify
from tests.journal.records import SMALL, records

WRITER = """
import sys
from holdfast.journal import open_for_append, save_snapshot
from tests.journal.records import SMALL, records
journal = open_for_append(sys.argv[1], account="uid-1", **SMALL).journal
print(journal.record_count, flush=True)
while True:
    for record in records(3, journal.record_count):
        journal.append(record, 0)
    if journal.record_count % 2:
        journal.sync()
    else:
        journal.write()
    sys.stdout.write(f"{journal.record_count}\\n")
    sys.stdout.flush()
    if journal.record_count % 60 < 3:
        save_snapshot(sys.argv[1], journal.head(), b"state")
"""


@pytest.mark.process
def test_twenty_kills_lose_nothing_that_was_written(tmp_path):
    """G8: what was handed to the operating system before kill -9 is there afterwards, in order, once."""
    rng = random.Random(11)
    count = 0
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = rng.randrange(2, 120)
        said = [int(process.stdout.readline()) for _ in range(lines)]
        process.kill()
        said += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        process.wait()
        assert count <= said[0]
        report = verify(str(tmp_path))
        assert report.ok, report
        assert said[-1] <= report.record_count <= said[-1] + 3
        count = report.record_count

    assert records(count) == [record for _, _, record in iterate(str(tmp_path))]
    assert count > 200
    opened = open_for_append(str(tmp_path), account="uid-1", **SMALL)
    assert count == opened.journal.record_count
    opened.journal.close()
