"""``holdfast discards``: what a bot refused of its market data, with the reason, and whether it would again."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import DiscardsOptions
from holdfast.app.parts import decoder_for
from holdfast.app.tables import table
from holdfast.core.step.judged import judge_again
from holdfast.journal.discards import CorruptDiscards, Discard, Head, discards_in
from holdfast.vocab.units import NS_PER_S

_SHOWN_BYTES: Final = 60


def main(options: DiscardsOptions) -> int:
    """Print them. With ``again``, exit code FAILED where one would now be judged otherwise."""
    directory = Path(options.state_dir) / "discards"
    if not Path(options.state_dir).is_dir():
        raise HoldfastError(Exit.USAGE, "no such directory", options.state_dir)
    answer = read(directory, options)
    if options.json:
        print(json.dumps(answer))
    else:
        print("\n".join(told(answer, again=options.again)))
    return Exit.FAILED if answer["otherwise"] else Exit.OK


def read(directory: Path, options: DiscardsOptions) -> dict[str, Any]:
    """Counts by reason, the newest, and how many would be judged otherwise now: then those are the newest told.

    Errors: HoldfastError.
    """
    reasons: Counter[str] = Counter()
    newest: deque[dict[str, Any]] = deque(maxlen=options.last)
    changed: deque[dict[str, Any]] = deque(maxlen=options.last)
    judges = _Judges()
    unkept = otherwise = 0
    try:
        for head, discard in discards_in(directory):
            unkept += discard.unkept
            if options.instrument not in {"", discard.instrument} or options.reason not in {
                "",
                discard.reason,
            }:
                continue
            reasons[discard.reason] += 1
            now = judges.again(head, discard) if options.again else discard.reason
            row = _row(discard, now)
            newest.append(row)
            if now != discard.reason:
                otherwise += 1
                changed.append(row)
    except CorruptDiscards as error:
        raise HoldfastError(Exit.JOURNAL_CORRUPT, str(error)) from None
    except OSError as error:
        raise HoldfastError(Exit.USAGE, f"cannot be read: {error.strerror}", str(directory)) from None
    return {
        "directory": str(directory),
        "kept": reasons.total(),
        "unkept": unkept,
        "reasons": dict(reasons.most_common()),
        "otherwise": otherwise,
        "newest": list(changed or newest),
    }


class _Judges:
    """Decoders by codec and facts: those of a file are made once."""

    def __init__(self) -> None:
        self._head: Head | None = None
        self._decoders: dict[str, Callable[..., Any]] = {}

    def again(self, head: Head, discard: Discard) -> str:
        """Why it is refused now; what cannot be judged is said as such."""
        if discard.cut:
            return "cut: not judged again"
        if head is not self._head:
            self._head, self._decoders = head, {}
        decode = self._decoders.get(discard.codec)
        if decode is None:
            decode = self._decoders[discard.codec] = decoder_for(discard.codec, head.instruments)
        try:
            return (
                judge_again(decode(discard.raw, discard.wall_ns, discard.mono_ns), bytes(discard.against))
                or "accepted"
            )
        except msgspec.MsgspecError:
            return "kept by another build: not judged again"


def _row(discard: Discard, now: str) -> dict[str, Any]:
    return {
        "wall_ns": discard.wall_ns,
        "feed": discard.feed,
        "instrument": discard.instrument,
        "reason": discard.reason,
        "again": now,
        "bytes": len(discard.raw) + discard.cut,
        "raw": discard.raw.decode("utf-8", "backslashreplace"),
    }


def told(answer: dict[str, Any], *, again: bool) -> list[str]:
    """The answer for a person."""
    if not answer["kept"]:
        return [f"nothing of that kind is kept in {answer['directory']}"]
    rows = [
        (
            datetime.fromtimestamp(row["wall_ns"] / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
            row["feed"],
            row["instrument"] or "-",
            row["reason"],
            *((row["again"],) if again else ()),
            f"{row['bytes']:,}",
            row["raw"][:_SHOWN_BYTES] + ("…" if len(row["raw"]) > _SHOWN_BYTES else ""),
        )
        for row in answer["newest"]
    ]
    head = (
        "received (UTC)",
        "feed",
        "instrument",
        "reason",
        *(("again",) if again else ()),
        "bytes",
        "frame",
    )
    lines = [table(head, rows, numbers=(len(head) - 2,))] if rows else []
    counts = ", ".join(f"{reason} {count:,}" for reason, count in answer["reasons"].items())
    lines.append(f"{answer['kept']:,} kept: {counts}")
    if answer["unkept"]:
        lines.append(f"{answer['unkept']:,} more came too fast to be kept")
    if again:
        lines.append(
            f"{answer['otherwise']:,} would be judged otherwise now"
            if answer["otherwise"]
            else "each is refused again for the same reason"
        )
    return lines
