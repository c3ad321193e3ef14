"""``holdfast watchdog``: wires the outside judge to a bot's lease, latch and venue."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from holdfast.app.errors import Exit
from holdfast.app.options import WatchdogOptions
from holdfast.app.venues import BINANCE_DIALECT, account_identity, venue_identity
from holdfast.config.load import beside, load
from holdfast.config.schema import Config
from holdfast.config.secrets import load_key, load_secrets
from holdfast.guard.latch import guard_dir, key_of, latch_path
from holdfast.guard.lease import SUFFIX
from holdfast.runtime.telemetry import setup_log
from holdfast.venues.binance.panic import PanicClient
from holdfast.watchdog.main import Watched, watch
from holdfast.watchdog.verdict import Verdict

REST_URL = "https://fapi.binance.com"


def main(options: WatchdogOptions) -> int:
    """Watch until told to stop; with ``once`` judge once. Exit 4 when there is no live bot."""
    config = load(Path(options.config))
    state_dir = beside(config, config.paths.state_dir)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    client = _client(config)
    log: Any = setup_log(
        process="watchdog",
        account=config.account.name,
        path=state_dir / "watchdog.jsonl",
        level=config.log.level,
        secrets=() if client is None else (client.api_key, client.secret),
    )
    key = key_of(venue=venue_identity(config), account=account_identity(config, load_secrets(config)))
    watched = Watched(
        lease_path=f"{guard_dir()}/{key}{SUFFIX}",
        latch_path=latch_path(guard_dir(), key),
        dead_after_ns=config.watchdog.dead_after.ms * 1_000_000,
    )
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())

    def say(level: str, text: str) -> None:
        getattr(log, level)(text)

    verdict = watch(watched, client, say=say, ending=ending, once=options.once)
    return Exit.OK if verdict in {Verdict.ALIVE, Verdict.LATE} else Exit.NOT_RUNNING


def _client(config: Config) -> PanicClient | None:
    if not config.watchdog.key_file or config.account.venue not in BINANCE_DIALECT:
        return None
    secrets = load_key(config, config.watchdog.key_file)
    return PanicClient(
        rest_url=config.venue.rest_url or REST_URL, api_key=secrets.api_key, secret=secrets.secret
    )
