"""The demonstration as a newcomer runs it: what it says at its end, and that nothing in what it wrote can be bent."""

import json
import random
from pathlib import Path

import pytest

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.journal import replay_state
from holdfast.app.summary import prove
from holdfast.core.state import State
from holdfast.guard.lease import read_lease
from holdfast.journal.chain import Chain
from tests.house import data_dir as recorded
from tests.process.conftest import FULL
from tests.process.processes import a_home, run_cli
from tests.process.reading import read_story

pytestmark = pytest.mark.process
FULL_RUNS = 3
QUICK_S = 12


def run_demo(home, *words, timeout_s=240):
    done = run_cli(home, "run", "--json", *words, cwd=home.path, timeout_s=timeout_s)
    assert 0 == done.returncode, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def proves(said, *, orders, fills):
    """What the last line of a run must say."""
    assert [] == said["books_differ"]
    assert said["books_equal"]
    assert said["journal_ok"], said["replay_fault"]
    assert said["state_hash"] == said["replay_hash"] != ""
    assert said["position_ours"] == said["position_venue"]
    assert 0 == said["open_orders"]
    assert {"BTCUSDT", "ETHUSDT"} == {*said["fills_by_instrument"]}
    assert (orders, fills) <= (said["orders"], said["fills"])
    assert said["orders"] >= orders
    assert said["fills"] >= fills
    assert said["cancels"] > 0
    assert said["refusals"] > 0
    position = 0
    held = set()
    for fill in read_story(Path(said["state_dir"]) / "journal").fills.values():
        position += fill.side * fill.qty_lots
        held.add(position)
    assert held - {0}, "a position on the way"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A short run on the generator: (its home, what it said)."""
    with a_home(tmp_path_factory.mktemp("demo")) as home:
        yield home, run_demo(home, "--for", f"{QUICK_S}s", "--seed", "7")


def test_a_short_run_on_the_generator_proves_its_books(ran, figure):
    """One command, no key, no data: and at its end the books equal the venue's, and a replay elsewhere agrees."""
    _, said = ran
    figure(
        json.dumps({name: said[name] for name in ("orders", "fills", "partial_fills", "cancels", "refusals")})
    )
    proves(said, orders=20, fills=5)


@pytest.mark.data
@pytest.mark.skipif(not FULL, reason="three minutes: HOLDFAST_FULL=1 runs it")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("run", range(FULL_RUNS))
def test_a_minute_on_the_recorded_session_proves_its_books(home, figure, data_dir, run):
    said = run_demo(home, "--for", "60s", "--data-dir", str(data_dir))
    names = ("orders", "fills", "partial_fills", "cancels", "refusals", "quotes", "position_venue", "equity")
    figure(json.dumps({name: said[name] for name in names}))
    proves(said, orders=200, fills=50)
    assert said["partial_fills"] > 0


def test_behind_a_long_journal_an_end_leaves_the_replay_to_whoever_asks_for_it(ran):
    """Ctrl-C is not kept waiting for hours: the chain is walked, as at every start, and the books compared."""
    _, said = ran
    state_dir = Path(said["state_dir"])
    proof = prove(
        state=State(),
        state_dir=state_dir,
        journal_dir=state_dir / "journal",
        tag=0,
        truth=None,
        fills=(),
        replayed_max=said["journal_records"],
        frame_count=1,
    )
    assert (True, None, None) == (proof.journal_ok, proof.replay_hash, proof.books_differ)
    assert said["journal_records"] == proof.record_count


def used_bytes(state_dir: Path) -> list[tuple[Path, int, int]]:
    """(file, from, to) of everything that a replay depends on."""
    chain = Chain(str(state_dir / "journal"))
    chain.prove()
    (segment,) = [one for one in (state_dir / "journal").glob("*.seg") if one.name.endswith("000000.seg")]
    market = [(one, 0, one.stat().st_size) for one in sorted((state_dir / "market").glob("*.log"))]
    return [(segment, 0, chain.place.offset), *market]


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def test_one_flipped_byte_anywhere_makes_the_replay_fail(ran, size, figure):
    """What was written down cannot be bent without being seen."""
    home, said = ran
    state_dir = Path(said["state_dir"])
    places = used_bytes(state_dir)
    rng = random.Random(1)
    seen = []
    for number in range(size(2, 40)):
        path, start, end = places[number % len(places)]
        offset = rng.randrange(start, end)
        flip(path, offset)
        try:
            with pytest.raises(HoldfastError) as caught:
                replay_state(state_dir)
        finally:
            flip(path, offset)
        seen.append((path.name, offset, str(caught.value)))
        assert caught.value.exit_code in {Exit.JOURNAL_CORRUPT, Exit.BOOKS_DIFFER}, seen[-1]
    figure(f"{len(seen)} flipped bytes, every one found; for one: {seen[-1]}")
    assert said["replay_hash"] == replay_state(state_dir).state_hash
    flip(places[0][0], places[0][2] // 2)
    try:
        done = run_cli(home, "journal", "replay", "--state-dir", str(state_dir), cwd=home.path)
    finally:
        flip(places[0][0], places[0][2] // 2)
    assert (Exit.JOURNAL_CORRUPT, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr


def test_a_journal_that_is_corrupt_in_the_middle_is_named_and_nothing_starts_on_it(ran):
    """Trading on books that miss a record is worse than not trading."""
    home, said = ran
    state_dir = Path(said["state_dir"])
    config = state_dir.parent / "holdfast.toml"
    (segment, _, end), *_ = used_bytes(state_dir)
    before = segment.read_bytes()
    flip(segment, end // 3)
    damaged = segment.read_bytes()
    try:
        done = run_cli(home, "run", "--config", str(config), "--no-tui", cwd=home.path)
        assert (Exit.JOURNAL_CORRUPT, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
        assert "record " in done.stderr
        assert segment.name in done.stderr
        assert damaged == segment.read_bytes(), "nothing was mended behind our back"
        held = [read_lease(str(path)) for path in home.guard.glob("*.lease")]
        last = max(held, key=lambda one: one.since_wall_ns)
        assert 0 == last.stamp_mono_ns, "a start that came to nothing is no death"
        verify = run_cli(home, "journal", "verify", "--state-dir", str(state_dir), cwd=home.path)
        assert (Exit.JOURNAL_CORRUPT, 1) == (verify.returncode, len(verify.stderr.splitlines()))
    finally:
        segment.write_bytes(before)


__all__ = ["recorded"]
