"""``holdfast journal verify|replay|export``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import JournalAction, JournalOptions
from holdfast.app.parts import decoder_for
from holdfast.core.replay import ReplayDiffers, Replayed, replay
from holdfast.journal.anchors import anchor_line, keep_anchor, read_anchors
from holdfast.journal.chain import iterate, verify
from holdfast.journal.codec import CorruptJournal
from holdfast.journal.market_read import CorruptMarketLog, frames
from holdfast.journal.segments import Anchor
from holdfast.ports.feed import Decode
from holdfast.ports.journal import JournalFailed
from holdfast.vocab.events import Started
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import MarketEvent


def main(options: JournalOptions) -> int:
    """Carry out one of the three."""
    state_dir = _state_dir(options)
    journal_dir = state_dir / "journal"
    if not journal_dir.is_dir():
        raise HoldfastError(Exit.USAGE, "no journal there", str(journal_dir))
    if options.action is JournalAction.VERIFY:
        return _verify(journal_dir, anchors=options.anchors, as_json=options.json)
    if options.action is JournalAction.REPLAY:
        return _replay(state_dir, as_json=options.json)
    return _export(journal_dir, options)


def _state_dir(options: JournalOptions) -> Path:
    if options.state_dir:
        return Path(options.state_dir)
    from holdfast.config.load import beside, load

    config = load(Path(options.config or "holdfast.toml"))
    return beside(config, config.paths.state_dir)


def _verify(journal_dir: Path, *, anchors: str | None, as_json: bool) -> int:
    """A chain alone cannot see that its end is missing, or all of it written anew: what was told outside can."""
    report = verify(str(journal_dir), anchors=_told(anchors))
    bad, faults = report.first_bad, report.anchor_faults
    if anchors is not None and report.ok and report.record_count:
        try:
            keep_anchor(anchors, report.last)
        except OSError as error:
            raise HoldfastError(Exit.USAGE, f"--anchors: {error.strerror}", anchors) from None
    answer = {
        "ok": report.ok,
        "records": report.record_count,
        "segments": report.segment_count,
        "last_hash": report.last.hash_hex,
        "bad": None
        if bad is None
        else {"segment": bad.segment, "record": bad.index, "offset": bad.offset, "what": bad.what},
        "anchor_faults": [fault.what for fault in faults],
        "tail_cut_bytes": 0 if report.tail is None else report.tail.cut_bytes,
    }
    if as_json:
        print(json.dumps(answer))
    elif report.ok:
        print(f"the chain holds: {report.record_count} records in {report.segment_count} segments")
        print(f"ends with: {anchor_line(report.last)}")
    if not as_json:
        for fault in faults:
            print(f"holdfast: {anchors}: {fault.what}", file=sys.stderr)
    if bad is not None and not as_json:
        print(
            f"holdfast: {bad.segment}: record {bad.index} at byte {bad.offset}: {bad.what}", file=sys.stderr
        )
    return Exit.OK if report.ok else Exit.JOURNAL_CORRUPT


def _told(path: str | None) -> tuple[Anchor, ...]:
    """What the file tells; nothing before its first line."""
    if path is None or not Path(path).exists():
        return ()
    try:
        return read_anchors(path)
    except (OSError, ValueError) as error:
        raise HoldfastError(Exit.USAGE, f"--anchors: {error}") from None


def replay_state(state_dir: Path) -> Replayed:
    """Step the whole journal again with the market log's frames.

    Errors: HoldfastError for a journal or market log that is not what was written, and for a decision that
    comes out otherwise.
    """
    journal_dir = state_dir / "journal"
    try:
        specs_at = [
            (market_pos, record.settings.instruments)
            for _, market_pos, record in iterate(str(journal_dir))
            if isinstance(record, Started)
        ]
        return replay(iterate(str(journal_dir)), _events(state_dir / "market", specs_at))
    except (CorruptJournal, CorruptMarketLog) as error:
        raise HoldfastError(Exit.JOURNAL_CORRUPT, str(error), str(state_dir)) from None
    except JournalFailed as error:
        raise HoldfastError(Exit.JOURNAL_CORRUPT, str(error), str(state_dir)) from None
    except ReplayDiffers as error:
        raise HoldfastError(Exit.BOOKS_DIFFER, str(error), str(state_dir)) from None


def _events(
    market_dir: Path, specs_at: list[tuple[int, tuple[InstrumentSpec, ...]]]
) -> Iterator[tuple[int, MarketEvent | None]]:
    """Every frame as its event, by the decoder that was used then: a start may have changed the instruments."""
    decoders: dict[str, Decode] = {}
    specs: tuple[InstrumentSpec, ...] = ()
    starts = iter(specs_at)
    ahead = next(starts, None)
    if not market_dir.is_dir():
        return
    for pos, codec, raw, wall_ns, mono_ns in frames(str(market_dir)):
        while ahead is not None and ahead[0] <= pos:
            specs = ahead[1]
            decoders.clear()
            ahead = next(starts, None)
        decode = decoders.get(codec)
        if decode is None:
            decode = decoders[codec] = decoder_for(codec, specs)
        yield pos, decode(raw, wall_ns, mono_ns)


def _replay(state_dir: Path, *, as_json: bool) -> int:
    done = replay_state(state_dir)
    answer = {
        "ok": True,
        "records": done.records_count,
        "facts": done.facts_count,
        "frames": done.frames_count,
        "marks": done.marks_count,
        "books_hash": done.books_hash,
        "state_hash": done.state_hash,
        "run_state_hash": done.last_state_hash,
    }
    if as_json:
        print(json.dumps(answer))
    else:
        print(
            f"replayed {done.records_count} records and {done.frames_count} market frames: "
            f"every decision came out the same\nbooks hash  {done.books_hash}\nstate hash  {done.state_hash}"
        )
    return Exit.OK


def _export(journal_dir: Path, options: JournalOptions) -> int:
    from holdfast.journal.export import export_lines

    found = export_lines(iterate(str(journal_dir), options.from_record))
    if options.output == "-":
        for line in found:
            print(line)
        return Exit.OK
    with Path(options.output).open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in found)
    return Exit.OK
