"""``holdfast simulate``: seeds, one after the other or several at once; what broke first, and what it all came to."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import SimulateOptions
from holdfast.app.parts import build_name
from holdfast.simulate.plan import PlanUnusable, kinds_of
from holdfast.simulate.run import Outcome, run_seed
from holdfast.simulate.shrink import Saved, SavedUnusable, read_saved, shrink, write_saved
from holdfast.simulate.totals import Totals, TotalsUnusable, as_json, read_totals, told, write_totals

SHRUNK_MAX: Final = 3  # failing seeds that are made small; the others are named
WRITE_EVERY_SEEDS: Final = 25


def main(options: SimulateOptions) -> int:
    """Run the seeds; 0 where nothing was broken, else INVARIANT_BROKEN with the first failing seed first."""
    try:
        kinds = kinds_of(options.faults)
    except PlanUnusable as error:
        raise HoldfastError(Exit.USAGE, f"--faults: {error}") from None
    if options.saved:
        return _again(options)
    try:
        totals = _begun(options, kinds)
    except TotalsUnusable as error:
        raise HoldfastError(Exit.USAGE, f"--result: {error}") from None
    signal.signal(signal.SIGTERM, _ended)
    result = Path(options.result) if options.result else None
    shrunk: list[Saved] = []
    seeds = range(totals.next_seed, options.first_seed + options.seeds)
    for outcome in outcomes(seeds, steps=options.steps, kinds=kinds, jobs=options.jobs):
        totals.add(outcome)
        if outcome.rule:
            _say_failure(outcome)
            if len(shrunk) < SHRUNK_MAX and options.shrink:
                shrunk.append(_keep(shrink(outcome, steps=options.steps, kinds=kinds), options))
        if result is not None and totals.seeds % WRITE_EVERY_SEEDS == 0:
            write_totals(totals, result)
    if result is not None:
        write_totals(totals, result)
    if options.json:
        print(json.dumps(as_json(totals)))
    else:
        print("\n".join(told(totals)))
    return Exit.OK if not totals.failed_seeds else Exit.INVARIANT_BROKEN


def outcomes(seeds: range, *, steps: int, kinds: frozenset[str], jobs: int) -> Iterator[Outcome]:
    """The outcome of each seed, in order, from so many processes at once."""
    one = partial(run_seed, steps=steps, kinds=kinds)
    if jobs == 1 or len(seeds) < 2:
        yield from map(one, seeds)
        return
    # spawned, not forked: whoever runs this may have threads
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = iter(seeds)
        # not all at once: what is not asked for yet costs nothing when somebody ends this
        running = [pool.submit(one, seed) for seed in islice(waiting, jobs * 4)]
        try:
            while running:
                yield running.pop(0).result()
                running += [pool.submit(one, seed) for seed in islice(waiting, 1)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _ended(*_: object) -> None:
    """Killed by itself it would leave its processes behind, each at work on a seed that nobody waits for."""
    raise HoldfastError(Exit.FAILED, "ended by a signal; --result goes on from where it was")


def _begun(options: SimulateOptions, kinds: frozenset[str]) -> Totals:
    """Where an earlier run of the same build, seeds, steps and faults had come to; else the beginning."""
    fresh = Totals(
        first_seed=options.first_seed,
        next_seed=options.first_seed,
        steps_each=options.steps,
        faults_chosen=tuple(sorted(kinds)),
        build=options.build or build_name(),
    )
    before = read_totals(Path(options.result)) if options.result else None
    if before is None:
        return fresh
    same = (
        (before.first_seed, before.steps_each, before.faults_chosen, before.build)
        == (fresh.first_seed, fresh.steps_each, fresh.faults_chosen, fresh.build)
    )  # fmt: skip
    return before if same else fresh


def _say_failure(outcome: Outcome) -> None:
    print(
        f"seed {outcome.seed} failed at step {outcome.at_step}: {outcome.rule}\n  {outcome.said[:600]}",
        file=sys.stderr,
        flush=True,
    )


def _keep(saved: Saved, options: SimulateOptions) -> Saved:
    where = ""
    if options.save_dir:
        where = f", kept in {write_saved(saved, Path(options.save_dir))}"
    print(
        f"  shrunk to: holdfast simulate --seeds 1 --first-seed {saved.seed} --steps {saved.steps}"
        f" --faults {','.join(saved.faults) or 'none'}{where}",
        file=sys.stderr,
        flush=True,
    )
    return saved


def _again(options: SimulateOptions) -> int:
    """Run what was kept."""
    failed = 0
    for name in options.saved:
        try:
            saved = read_saved(Path(name))
        except SavedUnusable as error:
            raise HoldfastError(Exit.USAGE, str(error)) from None
        outcome = run_seed(saved.seed, steps=saved.steps, kinds=frozenset(saved.faults))
        if outcome.rule:
            failed += 1
            _say_failure(outcome)
    print(json.dumps({"saved": len(options.saved), "failed": failed}) if options.json else f"{failed} failed")
    return Exit.OK if not failed else Exit.INVARIANT_BROKEN
