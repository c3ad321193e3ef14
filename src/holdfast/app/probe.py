"""The look at a venue's contract: by ``holdfast doctor --venue``, and by every run at its start and daily."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import to_builtins

from holdfast.app.errors import Exit
from holdfast.app.feed_probe import look_at_feeds
from holdfast.app.options import DoctorOptions
from holdfast.app.renewing import account_number, renewing
from holdfast.app.venues import account_identity, make_feeds, make_venue, venue_identity
from holdfast.config.load import CONFIG_NAME, load
from holdfast.config.resolve import resolve
from holdfast.config.schema import Config, VenueKind
from holdfast.config.secrets import Secrets, load_secrets
from holdfast.guard.latch import guard_dir, key_of, latch_path, peek
from holdfast.guard.lease import Lease, LeaseTaken
from holdfast.guard.notes import read_note
from holdfast.ports.probe import Canary, Expected, ProbedVenue
from holdfast.ports.venue import VenueUnusable
from holdfast.runtime.clock import SystemClock
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.outcome import Withheld
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.units import NS_PER_MS

DEADMAN: Final = "dead-man switch"
_COUNTDOWN_MS: Final = 10_000  # Binance asks for no short ones
_LATE_MS: Final = 3_000
_COUNTDOWN_SIMULATED_MS: Final = 1_000


def main(options: DoctorOptions) -> int:
    """One line for each thing looked at. REFUSED where one fails, VENUE_UNUSABLE where there was nothing to look at."""
    config = load(Path(options.config or CONFIG_NAME))
    checks, code = asyncio.run(_look(config, load_secrets(config)))
    if options.json:
        print(json.dumps({"ok": code == Exit.OK, "checks": [to_builtins(check) for check in checks]}))
        return code
    width = max(len(check.name) for check in checks)
    for check in checks:
        advice = f"; {check.advice}" if check.advice else ""
        print(f"{check.verdict.value:<4}  {check.name:<{width}}  {check.found}{advice}")
    return code


def expected_of(config: Config) -> Expected:
    """What the account should be like, by its configuration."""
    return Expected(
        account_uid=config.account.uid,
        leverage=config.venue.leverage,
        clock_offset_ms_max=config.timings.clock_offset_max.ms,
        rights_told=config.venue.kind in {VenueKind.LIVE, VenueKind.SIMULATED},
    )


async def _look(config: Config, secrets: Secrets) -> tuple[Sequence[Check], Exit]:
    clock = SystemClock()
    venue = make_venue(config, secrets, clock=clock)
    try:
        specs = await venue.load()
        checks = [
            *await venue.probe(expected_of(config)),
            *await _feeds(config, venue, specs, clock),
            await _proof(config, secrets, venue, specs, clock),
        ]
    except VenueUnusable as error:
        return [Check(name="venue", verdict=Verdict.FAIL, found=str(error))], Exit.VENUE_UNUSABLE
    finally:
        await venue.close()
    failed = any(check.verdict is Verdict.FAIL for check in checks)
    return checks, Exit.REFUSED if failed else Exit.OK


async def _feeds(
    config: Config, venue: ProbedVenue, specs: Sequence[InstrumentSpec], clock: SystemClock
) -> list[Check]:
    """The primary feed and every backup, whatever the venue said of itself: each for at most some seconds."""
    backups = {} if config.feeds is None else config.feeds.backup
    names = [spec.instrument for spec in specs]
    limits = {one.instrument: one for one in resolve(config, specs).instrument_limits}
    return await look_at_feeds(
        make_feeds(config, venue, specs, clock=clock),
        [names, *(list(backup.instruments) or names for backup in backups.values())],
        limits,
        clock=clock,
    )


async def _proof(
    config: Config, secrets: Secrets, venue: ProbedVenue, specs: Sequence[InstrumentSpec], clock: SystemClock
) -> Check:
    """The canary, with the account's lease in hand: nothing else trades it meanwhile."""
    if why := not_flown(config):
        return why
    name, account = venue_identity(config), account_identity(config, secrets)
    directory = guard_dir()
    leases: list[Lease] = []
    keys = [key_of(venue=name, account=account)]

    def take(key: str) -> Lease:
        lease = Lease(
            directory,
            key,
            by="holdfast doctor",
            now_wall_ns=clock.wall_ns(),
            now_mono_ns=clock.mono_ns(),
            ttl_ns=config.timings.lease_ttl.ms * NS_PER_MS,
        )
        leases.append(lease)
        return lease

    try:
        first = take(keys[0])
        number = await renewing(account_number(venue), first, clock)
        if number not in {"", account}:
            keys.append(key_of(venue=name, account=number))
            take(keys[1])
        return await fly(
            config, venue, specs, first, clock, latches=[latch_path(directory, key) for key in keys]
        )
    except LeaseTaken as error:
        return _not_proven(
            f"a bot has this account ({error})", "it proves it by itself: [probe] canary = true"
        )
    finally:
        for lease in leases:
            if lease.clean_before:
                lease.let_go()  # we are nobody's death, and hide none
            lease.release()


def not_flown(config: Config) -> Check | None:
    """Why no canary may fly here at all; None where one may."""
    if not config.timings.deadman.ms:
        return Check(name=DEADMAN, verdict=Verdict.OK, found="none is configured (timings.deadman)")
    if config.venue.kind is not VenueKind.SIMULATED and not config.probe.canary:
        return _not_proven("a canary is an order", "[probe] canary = true permits it")
    return None


async def fly(
    config: Config,
    venue: ProbedVenue,
    specs: Sequence[InstrumentSpec],
    lease: Lease,
    clock: SystemClock,
    *,
    latches: Sequence[str],
) -> Check:
    """Prove the dead-man switch in the first instrument, unless somebody halted the account."""
    seen = {path: peek(path) for path in latches}
    for path, latch in seen.items():
        if why := _halted(path, latch):
            return why
    limits = resolve(config, specs).instrument_limits[0]
    spec = next(spec for spec in specs if spec.instrument == limits.instrument)
    simulated = config.venue.kind is VenueKind.SIMULATED

    def may_send() -> Withheld | None:
        if any(peek(path) != latch for path, latch in seen.items()):
            return Withheld.LATCH
        return None if lease.fresh(clock.mono_ns()) else Withheld.LEASE

    canary = Canary(
        spec=spec,
        order_lots_max=limits.order_lots_max,
        notional_e8_max=limits.order_notional_e8_max,
        late_ms=_LATE_MS,
        countdown_ms=_COUNTDOWN_SIMULATED_MS if simulated else _COUNTDOWN_MS,
        may_send=may_send,
    )
    flown: Check = await renewing(venue.canary(canary), lease, clock)
    return flown


def _halted(path: str, latch: tuple[bool, int] | None) -> Check | None:
    """Why nothing may fly past this latch; None where it is clear, tripped by ourselves, or was never there."""
    if latch is None:
        if not Path(path).exists():
            return None
        return _not_proven(f"{path} is no latch of this boot: it may be tripped", "start the bot first")
    tripped, nonce = latch
    note = read_note(path, nonce) if tripped else None
    if not tripped or (note is not None and note.by == "holdfast"):
        return None
    return _not_proven(f"halted by {note.by if note else 'somebody'}", "resume first")


def _not_proven(why: str, advice: str) -> Check:
    return Check(name=DEADMAN, verdict=Verdict.WARN, found=f"not proven: {why}", advice=advice)


def looks(config: Config, venue: ProbedVenue, proof: Sequence[Check]) -> Callable[[], Any]:
    """What a run does at its start and daily. ``proof``: what the canary, flown before the start, showed."""
    daily = expected_of(config)
    expected = msgspec.structs.replace(daily, starting=True)

    async def look() -> tuple[Check, ...]:
        nonlocal expected
        found = await venue.probe(expected)
        expected = daily
        return (*found, *proof)

    return look
