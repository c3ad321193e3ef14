"""The same events give the same facts, effects and hashes: in this process, in another, with any hash seed."""

import os
import subprocess
import sys
from pathlib import Path

from holdfast.core.state import State, decode_books, encode_books
from holdfast.core.step import step
from tests.house.room import Room, folded, replayed
from tests.house.setup import BTC, ETH
from tests.properties.walk import Walk

ROOT = Path(__file__).parents[2]
SCRIPT = """
from tests.properties.walk import Walk
import hashlib
walk = Walk(7).go(120)
digest = hashlib.sha256()
for effect in walk.room.effects:
    digest.update(repr(effect).encode())
print(walk.room.state.books_hash(), walk.room.state.state_hash(), digest.hexdigest())
"""


def run_with(hash_seed):
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_no_hash_seed_changes_anything():
    """Iteration over something unordered would show here: in facts, in effects, in their order."""
    first, second = run_with(1), run_with(2)
    assert first == second
    assert 3 == len(first)


def test_two_walks_of_one_seed_are_one_walk():
    first, second = Walk(3).go(120), Walk(3).go(120)
    assert first.room.effects == second.room.effects
    assert first.room.state.state_hash() == second.room.state.state_hash()


def test_the_fold_equals_the_books_after_every_single_event():
    """At any point a crash may come, and the facts are all there is."""
    walk = Walk(11).go(40)
    state = State()
    kept = []
    for event, facts in walk.room.records:
        kept.append((event, facts))
        step(state, event)
        if facts:
            assert state.books_hash() == State(folded(kept)).books_hash()


def test_a_replay_into_a_new_state_gives_the_same_facts_and_the_same_state():
    walk = Walk(12).go(150)
    state, again = replayed(walk.room.records)
    assert walk.room.records == again
    assert walk.room.state.state_hash() == state.state_hash()


def test_the_state_hash_sees_what_the_books_hash_does_not():
    walk = Walk(13).go(30)
    room = walk.room
    books, whole = room.state.books_hash(), room.state.state_hash()
    room.quotes(BTC)
    assert books == room.state.books_hash()
    assert whole != room.state.state_hash()


def test_books_from_a_snapshot_behave_like_the_books_they_were():
    """Same hash is not enough: order of orders, of fills and of holds decides what happens next."""
    walk = Walk(14).go(150)
    room = walk.room
    snapshot = encode_books(room.books)
    rooms = []
    for books in (decode_books(snapshot), folded(room.records)):
        twin = Room(config=room.config, venue=_a_copy_of(room), state=State(books))
        twin.mono_ns, twin.wall_ns, twin.mids = room.mono_ns + 10**9, room.wall_ns + 10**9, dict(room.mids)
        twin.trip_nonce = room.trip_nonce
        twin.starts()
        for instrument in (BTC, ETH):
            twin.quotes(instrument)
        twin.says("recover", second_by="bob")
        twin.run(s=5)
        twin.says("arm")
        twin.says("cancel")
        twin.says("flatten")
        twin.run(s=8)
        rooms.append(twin)
    assert rooms[0].effects == rooms[1].effects
    assert rooms[0].state.state_hash() == rooms[1].state.state_hash()


def _a_copy_of(room):
    venue = type(room.venue)(room.config.instruments)
    venue.trades = list(room.venue.trades)
    venue.wallet_e8 = room.venue.wallet_e8
    for name, position in room.venue.positions.items():
        copy = venue.positions[name]
        copy.lots, copy.average = position.lots, position.average
    return venue
