"""``holdfast backtest``: the same core, strategies and journal in virtual time, against the venue in process."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.app.data import data_dir
from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import BacktestOptions
from holdfast.app.parts import (
    EVENTS_CODEC,
    account_tag,
    build_name,
    host_maker,
    open_state,
)
from holdfast.app.reference import BACKTEST_DAYS
from holdfast.app.summary import TrueFill, Truth, count, prove, summary
from holdfast.config.load import beside, load
from holdfast.config.reference import as_event, read_reference
from holdfast.config.resolve import resolve
from holdfast.config.schema import Config, EquitiesSection
from holdfast.core.state import State
from holdfast.journal.files import UNSYNCED_FILES
from holdfast.journal.market_log import open_market_log
from holdfast.runtime.clock import ToldClock
from holdfast.runtime.garbage import rare_rounds
from holdfast.runtime.live import Identity
from holdfast.runtime.paced import NEVER, Paced, Schedule
from holdfast.sim.exchange import Exchange
from holdfast.sim.model import GroundTruth
from holdfast.sim.port import Latency, SimVenuePort
from holdfast.sim.sources import demo_source, quotes_only, stamped
from holdfast.sim.sources.session import AtEnd
from holdfast.vocab.corporate import SplitDue
from holdfast.vocab.effects import Alert
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.market import Depth, Malformed, MarketEvent
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S

DEMO_CONFIG: Final = Path(__file__).with_name("demo.toml")
LATENCY: Final = Latency(request_ns=2 * NS_PER_MS, reply_ns=2 * NS_PER_MS, event_ns=2 * NS_PER_MS)
MONO_START_NS: Final = NS_PER_S
OPENING_USDT_E8: Final = 100_000 * E8  # or of what else the account settles in
HOLDS_TOLD_MAX: Final = 5
GENERATED_S: Final = 600  # how much of the generator's endless market a backtest without --quotes takes


def main(options: BacktestOptions) -> int:
    """Run once; print the summary. The state directory is temporary unless one is named."""
    config = load(Path(options.config) if options.config else DEMO_CONFIG)
    temporary = None if options.state_dir else tempfile.mkdtemp(prefix="holdfast-backtest-")
    state_dir = Path(options.state_dir or temporary or "")
    try:
        result = backtest(config, options, state_dir)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    if options.json:
        print(json.dumps(result))
    else:
        print("\n".join(told(result)))
        if options.state_dir:
            print(f"kept: holdfast journal verify --state-dir {options.state_dir} (or replay)")
    if not (result["books_equal"] and result["journal_ok"]):
        return Exit.BOOKS_DIFFER
    if result["strategies_failed"]:
        raise HoldfastError(
            Exit.REFUSED, "; ".join(result["strategies_failed"]), "the result is not of a whole run"
        )
    return Exit.OK


def told(result: dict[str, Any]) -> list[str]:
    """A result in lines for a person: what was traded, what it came to, and whether it adds up."""
    refused = ", ".join(f"{name} {count}" for name, count in result["refusals_by_reason"].items()) or "none"
    positions = (
        ", ".join(f"{name} {lots}" for name, lots in result["position_ours"].items() if lots) or "flat"
    )
    alerts = Counter(alert.partition(":")[0] for alert in result["alerts"])
    equal = "equal the venue's" if result["books_equal"] else "DIFFER from the venue's"
    same = "the same state" if result["journal_ok"] else "NOT the same state"
    return [
        f"market     {result['events']:,} events, {result['quotes']:,} of them quotes",
        f"orders     {result['orders']:,}, cancels {result['cancels']:,}",
        f"fills      {result['fills']:,}, {result['partial_fills']:,} of them partial",
        f"refused    {refused}",
        f"position   {positions}{' (in lots)' if positions != 'flat' else ''}",
        f"equity     {result['equity'] or 'not known'}, from {OPENING_USDT_E8 // E8}",
        f"books      {equal}",
        *[f"           {text}" for text in result["books_differ"]],
        f"replay     of {result['journal_records']:,} records in another process: {same} {result['state_hash']}",
        *([f"           {result['replay_fault']}"] if result["replay_fault"] else []),
        f"alerts     {', '.join(f'{kind} {count}' for kind, count in alerts.items()) or 'none'}",
        *[f"           {text}" for text in result["alerts"] if text.startswith("hold.")][:HOLDS_TOLD_MAX],
        f"speed      {result['events_per_s']:,} events a second",
    ]


def market(options: BacktestOptions) -> tuple[Iterator[MarketEvent], tuple[Any, ...], int]:
    """The events to trade on, the instruments, and the first event's wall time.

    With ``--quotes`` a walk of quotes alone, made on the fly; otherwise the recorded session where there is
    one, else, or with a seed, ten minutes of the generator.
    """
    seed = 1 if options.seed is None else options.seed
    if options.quotes is not None:
        from holdfast.sim.sources.generated import DEFAULT_INSTRUMENTS, START_NS

        specs = tuple(one.spec for one in DEFAULT_INSTRUMENTS)
        return iter(quotes_only(options.quotes, seed=seed)), specs, START_NS
    recorded = data_dir(options.data_dir) if options.seed is None else None
    source = demo_source(recorded, seed, at_end=AtEnd.STOP)
    start = source.start_ns
    return _received(source.frames(), start), source.specs, start


def equities(
    config: Config, section: EquitiesSection
) -> tuple[Iterator[MarketEvent], tuple[Any, ...], int, tuple[SplitDue, ...]]:
    """The same of the configuration's equities, and the splits that are to come. Errors: HoldfastError."""
    from holdfast.app.equities import equities_of

    source, splits = equities_of(config, section)
    start = source.start_ns
    return _received(source.frames(), start, seconds=None), source.specs, start, splits


def _until_splits(
    take: Callable[[MarketEvent, int], None], splits: Sequence[SplitDue]
) -> Callable[[MarketEvent, int], None]:
    """The venue trades an instrument up to its split: it has nobody who would apply that to positions and orders."""
    if not splits:
        return take
    ends = {split.instrument: split.from_venue_ns for split in reversed(splits)}

    def venue_takes(event: MarketEvent, wall_ns: int) -> None:
        if isinstance(event, Malformed) or event.venue_ns < ends.get(event.instrument, NEVER):
            take(event, wall_ns)

    return venue_takes


def _received(
    frames: Iterator[Any], start_ns: int, *, seconds: int | None = GENERATED_S
) -> Iterator[MarketEvent]:
    """Frames as a receiver without delay has them: its clock is the recorder's, corrected to the venue's."""
    offset: int | None = None
    for frame in frames:
        if seconds is not None and frame.recv_ns - start_ns > seconds * NS_PER_S:
            return
        if offset is None:
            # the recorder's clock may run ahead or behind; one constant makes frames arrive just after their stamp
            offset = frame.venue_ns - frame.recv_ns + NS_PER_MS * 20
        wall = frame.recv_ns + offset
        yield stamped(
            frame.event, offset_ns=0, wall_ns=wall, mono_ns=wall - start_ns - offset + MONO_START_NS
        )


def backtest(config: Config, options: BacktestOptions, state_dir: Path) -> dict[str, Any]:
    """One backtest in a fresh state directory. The result is the same for the same inputs, hash for hash."""
    splits: tuple[SplitDue, ...] = ()
    if config.equities is not None and options.quotes is None and options.seed is None:
        events, specs, start_ns, splits = equities(config, config.equities)
        scaled = tuple(spec.instrument for spec in specs)
        settings = msgspec.structs.replace(resolve(config, specs), splits=splits, scaled=scaled)
    else:
        events, specs, start_ns = market(options)
        settings = resolve(config, specs)
    settings_account = settings.account
    tag = account_tag(venue=config.account.venue, account=settings_account)
    # a backtest that a power loss cut short is run again: nobody waits for its disk
    disk = open_state(state_dir, account=settings_account, files=UNSYNCED_FILES)
    if disk.opened.journal.record_count:
        disk.opened.journal.close()
        raise HoldfastError(
            Exit.USAGE, f"{state_dir}: has a journal already; a backtest begins in an empty folder"
        )
    state = State(disk.kept.books)
    told = as_event(
        read_reference(beside(config, config.reference.file)),
        settings.instruments,
        wall_ns=start_ns,
        mono_ns=MONO_START_NS,
        horizon_days=BACKTEST_DAYS,
        always_fresh=True,
    )
    clock = ToldClock(wall_ns=start_ns, mono_ns=MONO_START_NS)
    schedule = Schedule(clock)
    exchange = Exchange(specs)
    account = exchange.open_account(
        settings_account,
        api_key="backtest",
        secret="",
        uid=config.account.uid or "1",  # the number that the configuration pins: here it is ours to give
        balances={settings.settle_asset: OPENING_USDT_E8},
    )
    venue = SimVenuePort(exchange, account, account_tag=tag, clock=clock, schedule=schedule, latency=LATENCY)
    log = open_market_log(
        str(disk.market_dir),
        codecs=(EVENTS_CODEC,),
        next_pos_min=disk.opened.market_pos,
        block_ns=NEVER,  # full blocks only: nobody waits for the last second of a virtual one
    )
    alerts: list[Alert] = []
    bot = Paced(
        settings=settings,
        state=state,
        journal=disk.opened.journal,
        market_log=log,
        make_host=host_maker(config, settings, state, clock_ns=clock.mono_ns),
        saved=disk.kept.saved,
        venue=venue,
        clock=clock,
        schedule=schedule,
        identity=Identity(build=build_name(), boot_id="backtest", epoch_floor=1),
        on_alert=alerts.append,
        reference=told,
    )
    with rare_rounds():
        began = time.perf_counter()
        bot.start()
        taken = bot.run(_bounded(events, options.quotes), _until_splits(exchange.on_market, splits))
        took_s = time.perf_counter() - began
    bot.stop(by="backtest", reason="the data ended")
    state_hash = state.state_hash()
    disk.opened.journal.close()
    log.close()
    truth = truth_of(exchange.ground_truth(account, exchange.now_ns))
    counted = count(disk.journal_dir, tag=tag)
    proof = prove(
        state=state,
        state_dir=state_dir,
        journal_dir=disk.journal_dir,
        tag=tag,
        truth=truth,
        fills=counted.all_fills.values(),
    )
    result = summary(
        state=state, engine=bot.engine, counted=counted, proof=proof, truth=truth, state_hash=state_hash
    )
    result["events"] = taken
    result["events_per_s"] = round(taken / took_s)
    result["strategies_failed"] = [
        f"strategy {hold.scope.strategy} failed: {hold.reason}"
        for hold in state.books.holds.holds.values()
        if hold.cause is HoldCause.STRATEGY_FAILED
    ]
    result["alerts"] = [f"{alert.kind}: {alert.text}" for alert in alerts]
    return result


def _bounded(events: Iterator[MarketEvent], quotes: int | None) -> Iterator[MarketEvent]:
    if quotes is not None:
        return islice(events, quotes)
    return (
        event for event in events if type(event) is not Depth or event.snapshot or event.bids or event.asks
    )


def truth_of(ground: GroundTruth) -> Truth:
    """The engine's ground truth in the words of the comparison."""
    return Truth(
        fills=tuple(
            TrueFill(
                instrument=fill.symbol,
                trade_id=str(fill.trade_id),
                client_id=fill.client_id,
                side=int(fill.side),
                qty_lots=fill.qty_lots,
                price_ticks=fill.price_ticks,
                fee_e8=fill.fee_e8,
                fee_asset=fill.fee_asset,
            )
            for fill in ground.fills
        ),
        executed_ns={(fill.symbol, str(fill.trade_id)): fill.venue_ns for fill in ground.fills},
        open_client_ids=tuple(order.client_id for order in ground.open_orders)
        + tuple(algo.client_algo_id for algo in ground.open_algo_orders),
        position_lots=dict(ground.positions),
        wallet_e8=dict(ground.balances),
    )
