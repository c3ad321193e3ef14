"""``holdfast replay``: recorded frames through the decoder and the core's ingest, every one accounted for."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any, Final

from holdfast.app.errors import Exit
from holdfast.app.options import ReplayOptions
from holdfast.app.recordings import Provider, lines_of, providers
from holdfast.app.tables import table
from holdfast.vocab.units import NS_PER_S

_WAIT_S_MIN: Final = 0.001


def main(options: ReplayOptions) -> int:
    """Replay to the end, or to Ctrl-C; print where the frames went. Torn ends are said and are no failure."""
    made = providers(
        options.files,
        config=options.config,
        instruments=options.instruments,
        strategy=options.strategy,
        apply_splits=options.apply_splits,
    )
    interrupted = _run(made, options.speed)
    answer = accounting(made)
    for line in answer["torn"]:
        print(f"holdfast: {line}", file=sys.stderr)
    if options.json:
        print(json.dumps(answer))
    else:
        print("\n".join(told(answer)))
    if interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if answer["adds_up"] else Exit.FAILED


def _run(made: tuple[Provider, ...], speed: float | None) -> bool:
    """True when a person ended it. ``speed`` None: as fast as it goes."""
    wait = threading.Event().wait
    began_ns: int | None = None
    clock = _Stopwatch()
    try:
        for provider, file, line in lines_of(made):
            if speed is not None:
                began_ns = line.wall_ns if began_ns is None else began_ns
                due_s = (line.wall_ns - began_ns) / NS_PER_S / speed - clock.so_far_s()
                if due_s > _WAIT_S_MIN:
                    wait(due_s)
            provider.take(file, line)
    except KeyboardInterrupt:
        return True
    return False


class _Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        from time import monotonic

        self._now_s = monotonic
        self._began_s = monotonic()

    def so_far_s(self) -> float:
        return self._now_s() - self._began_s


def accounting(made: tuple[Provider, ...]) -> dict[str, Any]:
    """Where every frame went, by market and instrument."""
    markets = {}
    for provider in made:
        ingest = provider.ingest
        accounts = {name or "(none)": account.told() for name, account in ingest.accounts.items()}
        read = sum(account["read"] for account in accounts.values())
        markets[provider.name] = {
            "read": read,
            "adds_up": read == ingest.frames_count and all(one["adds_up"] for one in accounts.values()),
            "from_ns": ingest.first_wall_ns,
            "to_ns": ingest.last_wall_ns,
            "instruments": accounts,
            "books": {name: watch.told() for name, watch in ingest.books.items()},
            "delivered": ingest.delivered,
            "intents": dict(ingest.intents),
            "refusals_by_reason": dict(ingest.refusals),
        }
    files = [file for provider in made for file in provider.files]
    return {
        "files": {str(file.path): file.lines_count for file in files},
        "torn": [f"{file.path}: {file.torn}" for file in files if file.torn],
        "read": sum(market["read"] for market in markets.values()),
        "adds_up": all(market["adds_up"] for market in markets.values()),
        "markets": markets,
    }


def told(answer: dict[str, Any]) -> list[str]:
    """The accounting for a person."""
    rows = []
    for market, account in answer["markets"].items():
        for instrument, one in account["instruments"].items():
            rows.append(
                (
                    f"{market} {instrument}",
                    f"{one['read']:,}",
                    _counts(one["accepted"]),
                    _counts(one["refused"]),
                    _counts(one["others"]),
                )
            )
    lines = [table(("instrument", "read", "accepted", "refused", "others"), rows, numbers=(1,))]
    for market, account in answer["markets"].items():
        for instrument, book in account["books"].items():
            lines.append(
                f"book {market} {instrument}: {book['state']}, {book['applied']:,} changes on "
                f"{book['snapshots']} snapshots, {book['stale']} stale, {book['gaps']} gaps, "
                f"crossed {book['crossed']} times"
            )
        if account["delivered"]:
            lines.append(
                f"strategy: saw {account['delivered']:,} events, wanted {sum(account['intents'].values()):,} orders; "
                f"refused by the gate: {_counts(account['refusals_by_reason'])}"
            )
    sums = "every frame is accounted for" if answer["adds_up"] else "FRAMES ARE MISSING from the account"
    names = ", ".join(Path(name).name for name in list(answer["files"])[:4])
    more = f" and {len(answer['files']) - 4} more" if len(answer["files"]) > 4 else ""
    lines.append(f"{answer['read']:,} frames of {names}{more}: {sums}")
    return lines


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
