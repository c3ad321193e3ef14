"""``holdfast watchdog``: wires the outside judge to a bot's lease, latch and venue, and to people."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any, Final

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.last_resort import has_last_resort, make_last_resort, standing_orders
from holdfast.app.options import WatchdogOptions
from holdfast.app.venues import account_identity, venue_identity
from holdfast.config.load import beside, load
from holdfast.config.schema import Config, WatchdogSection
from holdfast.config.secrets import Secrets, load_key, load_secrets, load_webhook
from holdfast.guard.latch import guard_dir, key_of, latch_path
from holdfast.guard.lease import SUFFIX, Lease, LeaseTaken
from holdfast.notify.pager import Way, WaysPager
from holdfast.notify.ways import FileWay, WebhookWay, read_pages
from holdfast.runtime.telemetry import setup_log
from holdfast.vocab.pages import Page
from holdfast.vocab.units import NS_PER_MS
from holdfast.watchdog.incidents import Incidents
from holdfast.watchdog.main import LOOK_S, Watchdog, Watched, look_once, now_mono_ns
from holdfast.watchdog.verdict import Verdict

PAGES: Final = "pages.jsonl"
LAST_PAGES_S: Final = 5.0
_WELL: Final = (Verdict.ALIVE, Verdict.LATE)


def main(options: WatchdogOptions) -> int:
    """Watch until told to stop; with ``once`` judge once. Exit 4 when there is no live bot."""
    config = load(Path(options.config))
    section = config.watchdog
    if section is None:
        raise HoldfastError(Exit.USAGE, "watchdog: missing: expected a table [watchdog]", config.path)
    key = _key(config)
    watched = _watched(config, section, key)
    if options.once:
        verdict, why = look_once(watched)
        print(f"the bot is {verdict.value}" + (f": {why}" if why else ""))
        return Exit.OK if verdict in _WELL else Exit.NOT_RUNNING
    own = _own_key(config, section)
    webhook = load_webhook(config, section.webhook_file) if section.webhook_file else None
    alone = _only_one(key)
    state_dir = beside(config, config.paths.state_dir)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log: Any = setup_log(
        process="watchdog",
        account=config.account.name,
        path=state_dir / "watchdog.jsonl",
        level=config.log.level,
        secrets=(
            *(own.values() if own else ()),
            *((webhook.url, webhook.bearer) if webhook else ()),
        ),
    )
    ways: list[Way] = [FileWay(state_dir / PAGES)]
    if webhook is not None:
        ways.append(WebhookWay(webhook.url, bearer=webhook.bearer))

    def lost(way: str, page: Page, why: str) -> None:
        log.error("a page is lost", way=way, incident=page.incident, stage=page.stage.value, why=why)

    pager = WaysPager(ways, lost=lost)
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    log.info(_sum(config, section))
    watchdog = Watchdog(
        watched,
        venue=None if own is None else make_last_resort(config, own),
        incidents=Incidents(pager=pager, account=config.account.name, earlier=read_pages(state_dir / PAGES)),
        say=lambda level, text: getattr(log, level)(text),
        ending=ending,
    )
    try:
        watchdog.run()
    finally:
        pager.close(LAST_PAGES_S)
        alone.let_go()
        alone.release()
    return Exit.OK


def _key(config: Config) -> str:
    """What the account is called on this host. Where the configuration pins its number, no key of the bot is read."""
    secrets = Secrets(api_key="", secret="") if config.account.uid else load_secrets(config)
    return key_of(venue=venue_identity(config), account=account_identity(config, secrets))


def _watched(config: Config, section: WatchdogSection, key: str) -> Watched:
    return Watched(
        key=key,
        lease_path=f"{guard_dir()}/{key}{SUFFIX}",
        latch_path=latch_path(guard_dir(), key),
        dead_after_ns=section.dead_after.ms * NS_PER_MS,
        stalled_after_ns=section.stalled_after.ms * NS_PER_MS,
        venue_look_s=section.venue_look.ms / 1000,
        stop=tuple(section.stop),
        orders=standing_orders(
            config,
            policy=section.policy,
            protective=section.protective,
            escalate_after_ms=section.escalate_after.ms,
        ),
    )


def _own_key(config: Config, section: WatchdogSection) -> Secrets | None:
    """The watchdog's key; None where its policy needs none. Errors: HoldfastError for a venue that it cannot act on."""
    if section.policy == "page":
        return None
    if not has_last_resort(config):
        raise HoldfastError(
            Exit.USAGE,
            f'watchdog.policy: {config.account.venue} has no client of last resort: expected "page"',
            config.path,
        )
    return load_key(config, section.key_file)


def _only_one(key: str) -> Lease:
    """A second watchdog of an account would page twice, and flatten beside the first."""
    try:
        return Lease(
            guard_dir(),
            f"{key}--watchdog",
            by="watchdog",
            now_wall_ns=time.time_ns(),
            now_mono_ns=now_mono_ns(),
        )
    except LeaseTaken as error:
        raise HoldfastError(
            Exit.LEASE_HELD,
            f"a watchdog of this account runs already, as process {error.holder.pid}",
            error.where,
        ) from None


def _sum(config: Config, section: WatchdogSection) -> str:
    """The safety arithmetic of this configuration, in one line."""
    ttl, look = config.timings.lease_ttl.ms, int(LOOK_S * 1000)
    begins = section.dead_after.ms + look
    return (
        f"after the loop's last sign of life: no write of the bot past {ttl} ms; the page and the fence by {begins} ms,"
        f" then: {section.policy}"
    )
