"""The client of the control socket for a process that has an event loop of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from holdfast.ops.errors import NotRunning
from holdfast.runtime.wire import (
    ANSWER_BYTES_MAX,
    ASK_BYTES_MAX,
    HEADER_BYTES,
    Act,
    Answer,
    Ask,
    AskKind,
    WireError,
    body_length,
    frame,
    new_nonce,
    read_answer,
)


async def view(path: Path, name: str, args: Mapping[str, str | int | bool], *, timeout_s: float) -> Answer:
    """Look once, on a connection of its own. Errors: NotRunning."""
    return await _round(path, _ask(AskKind.VIEW, name, args=args), timeout_s=timeout_s)


async def act(path: Path, told: Act, *, timeout_s: float) -> Answer:
    """Tell the bot. Errors: NotRunning."""
    return await _round(path, _ask(AskKind.ACT, told.verb, act=told), timeout_s=timeout_s)


def _ask(
    kind: AskKind, name: str, *, args: Mapping[str, str | int | bool] | None = None, act: Act | None = None
) -> Ask:
    return Ask(
        kind=kind,
        name=name,
        nonce=new_nonce(),
        boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        args=dict(args or {}),
        act=act,
    )


async def _round(path: Path, ask: Ask, *, timeout_s: float) -> Answer:
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(frame(ask, bytes_max=ASK_BYTES_MAX))
                await writer.drain()
                header = await reader.readexactly(HEADER_BYTES)
                return read_answer(await reader.readexactly(body_length(header, bytes_max=ANSWER_BYTES_MAX)))
            finally:
                writer.close()
    except TimeoutError:
        raise NotRunning(f"the bot does not answer within {timeout_s:g} s") from None
    except FileNotFoundError:
        raise NotRunning("no bot is running") from None
    except asyncio.IncompleteReadError:
        raise NotRunning("the bot broke off") from None
    except (OSError, WireError) as error:
        raise NotRunning(f"no bot answers: {error}") from None
