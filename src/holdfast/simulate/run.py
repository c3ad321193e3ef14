"""One seed: a storm of so many steps, then calm, and the verdict."""

from __future__ import annotations

import gc
import hashlib
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from holdfast.core.replay import ReplayDiffers
from holdfast.core.state import State
from holdfast.journal.chain import verify
from holdfast.journal.codec import CorruptJournal
from holdfast.runtime.recover import recover
from holdfast.simulate.auditor import Violation
from holdfast.simulate.moves import Moves
from holdfast.simulate.walked import counting
from holdfast.simulate.world import JOURNAL, World
from holdfast.vocab.holds import HoldCause, HoldLevel, Release
from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.units import NS_PER_MS

CALM_S: Final = 15  # L1: positions equal the venue's within
SETTLE_S: Final = 45  # everything else within
REPLAY_EVERY: Final = 4  # every so manieth seed is replayed from its journal and market log as well
_CALLS_LEFT_MAX: Final = 20
_HANDLES_MAX: Final = 8
_KEPT_MAX: Final = 50
_AUTOMATIC_YET: Final = frozenset({HoldCause.DRAWDOWN_WARNING})  # goes when the drawdown does


class Outcome(Struct, frozen=True, kw_only=True):
    """What one seed came to. ``rule`` empty: nothing was broken."""

    seed: int
    steps: int  # taken, the calm included
    rule: str = ""
    said: str = ""
    at_step: int = 0
    faults: dict[str, int] = {}
    manners: dict[str, int] = {}
    checks: dict[str, int] = {}
    counts: dict[str, int] = {}
    walked: dict[str, int] = {}
    crashes: int = 0
    recovery_ms_max: int = 0
    doubtful_fills: int = 0
    journal_hash: str = ""
    cpu_s: float = 0.0  # processor time that it took


def run_seed(seed: int, *, steps: int, kinds: frozenset[str]) -> Outcome:
    """Run it. Whatever breaks is in the outcome: a rule of the auditor's, or an invariant or error of the product's."""
    began = time.process_time()
    with counting() as walked, _uncollected():
        world = World(seed, kinds)
        rule = said = ""
        try:
            _storm_and_calm(world, steps)
        except Violation as broken:
            rule, said = broken.rule, str(broken)
        except (InvariantBroken, ReplayDiffers, CorruptJournal) as broken:
            rule, said = f"the product: {type(broken).__name__}", str(broken)
        except Exception as error:  # noqa: BLE001 - a fault of ours, found: told like every other
            rule, said = f"the product: {type(error).__name__}", _where(error)
    auditor = world.auditor
    return Outcome(
        seed=seed,
        steps=world.steps,
        rule=rule,
        said=said[:2_000],
        at_step=world.steps if rule else 0,
        faults=dict(world.weather.seen),
        manners=dict(world.weather.manners),
        checks=dict(auditor.checks),
        counts=dict(auditor.counts),
        walked=walked.counted(),
        crashes=world.crashes,
        recovery_ms_max=world.recovery_ns_max // NS_PER_MS,
        doubtful_fills=auditor.doubtful_fills,
        journal_hash=journal_hash(world),
        cpu_s=time.process_time() - began,
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector: a seed is short, and what it leaves behind is collected after it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    return f"{error}{place}"


def journal_hash(world: World) -> str:
    """Hash of every byte of the journal's segments."""
    digest = hashlib.blake2b(digest_size=16)
    for name, data in world.journal_bytes():
        digest.update(name.encode() + data)
    return digest.hexdigest()


def _storm_and_calm(world: World, steps: int) -> None:
    moves = Moves(world)
    world.run(steps=steps)
    moves.goes_on = False
    world.calms_down()
    world.look()
    _liveness(world, moves)
    world.look()
    _end(world)


def _liveness(world: World, moves: Moves) -> None:
    """Phase two: nothing goes wrong any more, and so everything must become well."""
    must = world.auditor.must
    world.run(seconds=2)
    for _ in range((CALM_S - 2) // 2):
        if not _positions_differ(world):
            break
        moves.signs_for_what_differs()
        world.run(seconds=2)
    differ = _positions_differ(world)
    must(f"L1 positions equal the venue's within {CALM_S} s", not differ, differ)
    moves.loosens()
    world.run(seconds=4)
    moves.loosens()
    world.run(seconds=4)
    moves.loosens()
    world.muted = True
    found: list[str] = []
    for _ in range(SETTLE_S // 3):
        world.run(seconds=3)
        found = complaints(world)
        if not found:
            break
        moves.loosens()
    must(f"L2 all is well within {SETTLE_S} s of calm", not found, "; ".join(found[:6]))
    untold = world.auditor.untold()
    must("L4 people were told of each hold that needs them", not untold, untold)


def _positions_differ(world: World) -> list[str]:
    found = world.auditor.agrees(world.claims(), world.truth())
    return [one for one in found if one.startswith("L1 positions")]


def complaints(world: World) -> list[str]:
    """What is not as it should be in the calm; empty when all is well."""
    claims = world.claims()
    found = world.auditor.agrees(claims, world.truth())
    found += [f"L1 break {name}" for name in claims.breaks]
    found += [
        f"L2 unknown order {order_id}"
        for order_id, state in claims.order_states.items()
        if state.value == "unknown"
    ]
    if claims.chased_count:
        found.append(f"L2 {claims.chased_count} orders are asked after for ever")
    if claims.exits_count:
        found.append(f"L3 {claims.exits_count} exits without end")
    if not claims.ready:
        found.append(f"L3 still waits for {sorted(world.state.live.start_steps)}")
    if claims.calls_count > _CALLS_LEFT_MAX:
        found.append(f"L5 {claims.calls_count} calls without an answer")
    if world.files.handles_count > _HANDLES_MAX:
        found.append(f"L5 {world.files.handles_count} handles are open")
    session = world.state.live
    for name, kept in (("suspects", session.suspects), ("waiting executions", session.words.trades_waiting)):
        if len(kept) > _KEPT_MAX:
            found.append(f"L5 {len(kept)} {name} are kept")
    for hold in world.state.books.holds.holds.values():
        if hold.release is Release.AUTOMATIC and hold.cause not in _AUTOMATIC_YET:
            found.append(f"L3 hold {hold.cause.value} stays: {hold.reason}")
        elif hold.level >= HoldLevel.HALTED and not hold.reason:
            found.append(f"L3 hold {hold.cause.value} says no reason")
    return found


def _end(world: World) -> None:
    """What only a whole run can show: the books are the fold of the facts, the chain is whole, a replay agrees."""
    must = world.auditor.must
    bot = world.bot
    if bot is None:
        raise RuntimeError("nobody lives at the end")
    world.closes_journal()
    records = world.records()
    own = bot.state.books_hash()
    folded = State(recover(record for _, _, record in records).books).books_hash()
    must("I23 the books are the fold of the facts", own == folded)
    for _ in range(
        2
    ):  # by the newest snapshot, as a start does; what the first one mends the second one finds mended
        must("I24 recovery is idempotent", own == world.recovers())
    if world.seed % REPLAY_EVERY == 0:
        replayed = world.replayed(records)
        must("I23 a replay comes to the same state", replayed.state_hash == bot.state.state_hash())
    must("I21 the chain is whole", verify(JOURNAL, files=world.files).ok)
    _flip(world)


def _flip(world: World) -> None:
    """Rot: one bit of what was written is another. An outside reader must see it."""
    rng = random.Random(f"flip {world.seed}")
    begun = [(name, len(data.rstrip(b"\0"))) for name, data in world.journal_bytes()]
    name, used = rng.choice([(name, used) for name, used in begun if used])
    offset, bit = rng.randrange(used), rng.randrange(8)
    world.files.flip_bit(f"{JOURNAL}/{name}", offset, bit)
    report = verify(JOURNAL, files=world.files)
    world.auditor.must("I26 a flipped bit is found", not report.ok, name, offset, bit)
    world.files.flip_bit(f"{JOURNAL}/{name}", offset, bit)
