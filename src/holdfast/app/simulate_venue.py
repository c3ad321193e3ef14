"""``holdfast sim``: the simulated venue as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

from holdfast.app.data import data_dir
from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import END_WITH_PARENT, SimOptions
from holdfast.runtime.telemetry import setup_log
from holdfast.sim.config import LimitsConfig, SimConfig, SourceConfig
from holdfast.sim.server import SimRefused, SimServer, serve
from holdfast.sim.sources import SourceUnusable, recorded_paths

# A demonstration and a drill send more orders than a retail key may: exchangeInfo tells these limits truthfully.
ROOMY: Final = LimitsConfig(weight_per_minute=60_000, orders_per_10s=10_000, orders_per_minute=60_000)


def main(options: SimOptions) -> int:
    """Serve until told to stop. Prints where, as one JSON line with ``--json``."""
    config = configured(options)
    setup_log(process="sim", level="warning")
    try:
        asyncio.run(_serve(config, options))
    except (SimRefused, SourceUnusable) as error:
        raise HoldfastError(Exit.USAGE, str(error)) from None
    except OSError as error:
        raise HoldfastError(
            Exit.USAGE, f"cannot listen: {error.strerror}", f"{config.host}:{config.port}"
        ) from None
    return Exit.OK


def configured(options: SimOptions) -> SimConfig:
    """The options as the venue's configuration: a file of its own, or the recorded session where there is one."""
    if options.config:
        path = Path(options.config)
        try:
            config = msgspec.toml.decode(path.read_bytes(), type=SimConfig)
        except OSError as error:
            raise HoldfastError(Exit.USAGE, f"cannot be read: {error.strerror}", str(path)) from None
        except msgspec.DecodeError as error:
            raise HoldfastError(Exit.USAGE, str(error), str(path)) from None
        return msgspec.structs.replace(
            config, host=options.host, port=options.port, control_port=options.control_port
        )
    recorded = recorded_paths(data_dir(options.data_dir)) if options.seed is None else ()
    source = (
        SourceConfig(kind="recorded", paths=tuple(str(path) for path in recorded), at_end="loop")
        if recorded
        else SourceConfig(kind="generated", seed=1 if options.seed is None else options.seed)
    )
    return SimConfig(
        host=options.host,
        port=options.port,
        control_port=options.control_port,
        source=source,
        limits=ROOMY,
    )


async def _serve(config: SimConfig, options: SimOptions) -> None:
    server: SimServer = await serve(config)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if os.environ.get(END_WITH_PARENT):
        loop.add_reader(sys.stdin.fileno(), _on_stdin, loop, ended)
    where = {
        "url": server.url,
        "ws_url": server.url.replace("http", "ws", 1),
        "control_url": server.control_url,
        "source": config.source.kind,
    }
    if options.json:
        print(json.dumps(where), flush=True)
    else:
        print(
            f"simulated Binance USD-M at {server.url} ({config.source.kind} market), control {server.control_url}"
        )
        print("Ctrl-C ends it", flush=True)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.for_s):
                await ended.wait()
    finally:
        await server.stop()


def _on_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """The parent holds the other end: when it is gone, however it died, so are we."""
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        ended.set()
