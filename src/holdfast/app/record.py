"""``holdfast record``: a venue's public frames as they come, with their receive times, on the very code that trades."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from typing import Any, Final

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import RecordOptions
from holdfast.app.record_sources import RecordSource, open_source
from holdfast.journal.recording import RecordingWriter, Rotation, write_beside
from holdfast.ports.journal import JournalFailed
from holdfast.ports.venue import VenueUnusable
from holdfast.runtime.garbage import rare_rounds
from holdfast.venues.transport.clock import SystemClock
from holdfast.venues.transport.sockets import one_by_one
from holdfast.vocab.events import Event, StreamChanged
from holdfast.vocab.units import NS_PER_S

TICK_S: Final = 0.25
# A snapshot must be younger than the first change that was written down: asked for at once it often is not.
SNAPSHOT_AFTER_NS: Final = NS_PER_S
SNAPSHOT_AGAIN_NS: Final = 5 * NS_PER_S


def main(options: RecordOptions) -> int:
    """Record until told to stop; print what was written."""
    recorder = _Recorder(options)
    with rare_rounds():
        asyncio.run(recorder.run())
    answer = recorder.told()
    print(json.dumps(answer) if options.json else _in_words(answer))
    if recorder.failed is not None:
        raise recorder.failed
    if not recorder.writer.frames_count:
        raise VenueUnusable(f"{recorder.where}: no frame came")
    return Exit.OK


class _Recorder:
    """One recording."""

    def __init__(self, options: RecordOptions) -> None:
        self._options = options
        self._source: RecordSource
        self._clock = SystemClock()
        self._ended = asyncio.Event()
        self._due: dict[str, int] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self.writer: RecordingWriter
        self.where = ""
        self.failed: JournalFailed | None = None
        self.snapshots = 0
        self.snapshots_failed = 0
        self.ups: dict[str, int] = {}
        self.downs: dict[str, int] = {}

    async def run(self) -> None:
        """Everything, from the first question to the last block. Errors: VenueUnusable, HoldfastError."""
        options = self._options
        source = self._source = await open_source(options, clock=self._clock)
        self.where = source.where
        rotation = Rotation(
            file_bytes_max=options.file_bytes_max,
            file_ns_max=int(options.file_s_max * NS_PER_S),
            retention_bytes=options.retention_bytes,
        )
        try:
            try:
                self.writer = RecordingWriter(options.directory, rotation)
            except JournalFailed as error:
                raise HoldfastError(Exit.USAGE, str(error)) from None
            try:
                name, content = source.beside
                write_beside(options.directory, name, content)
                await self._follow(source)
            finally:
                self._close_writer()
        finally:
            await source.close()

    def _close_writer(self) -> None:
        try:
            self.writer.close()
        except JournalFailed as error:
            self.failed = self.failed or error

    async def _follow(self, source: RecordSource) -> None:
        options = self._options
        line_of, append = source.line_of, self.writer.append

        def on_frame(raw: bytes, wall_ns: int, mono_ns: int) -> None:
            instrument, line = line_of(raw)
            try:
                append(instrument, line, wall_ns)
            except JournalFailed as error:
                self._fail(error)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ended.set)
        await source.feed.open(one_by_one(on_frame), self._on_event)
        if not options.json:
            names = ", ".join(options.instruments)
            print(
                f"recording {names} from {source.where} into {options.directory}; Ctrl-C ends it", flush=True
            )
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(options.for_s):
                    await self._tend(books=source.snapshot is not None)
        finally:
            await source.feed.close()
            for task in tuple(self._asking):
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    async def _tend(self, *, books: bool) -> None:
        """Until the end: blocks of silent instruments are written out, and books get their snapshots."""
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), TICK_S)
            now_ns = self._clock.wall_ns()
            try:
                self.writer.flush(now_ns)
            except JournalFailed as error:
                self._fail(error)
            for instrument in self.writer.begun:
                if instrument and books:
                    self._due.setdefault(instrument, now_ns + SNAPSHOT_AFTER_NS)
            self.writer.begun.clear()
            for instrument in [name for name, due_ns in self._due.items() if due_ns <= now_ns]:
                del self._due[instrument]
                task = asyncio.get_running_loop().create_task(self._snapshot(instrument))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)

    async def _snapshot(self, instrument: str) -> None:
        ask = self._source.snapshot
        if ask is None:
            return
        try:
            raw = await ask(instrument)
        except VenueUnusable:
            self.snapshots_failed += 1
            self._due[instrument] = self._clock.wall_ns() + SNAPSHOT_AGAIN_NS
            return
        try:
            self.writer.append(instrument, raw, self._clock.wall_ns())
            self.snapshots += 1
        except JournalFailed as error:
            self._fail(error)

    def _on_event(self, event: Event) -> None:
        if not isinstance(event, StreamChanged):
            return
        counts = self.ups if event.up else self.downs
        counts[event.name] = counts.get(event.name, 0) + 1
        if not event.up:
            print(f"holdfast: {event.name} is down: {event.why}", file=sys.stderr)
        elif counts[event.name] > 1 and self._source.snapshot is not None:
            # what happened while we were deaf is in no change: the books begin again
            due_ns = self._clock.wall_ns() + SNAPSHOT_AFTER_NS
            self._due.update(dict.fromkeys(self._options.instruments, due_ns))

    def _fail(self, error: JournalFailed) -> None:
        self.failed = self.failed or error
        self._ended.set()

    def told(self) -> dict[str, Any]:
        """What was written."""
        writer = self.writer
        return {
            "directory": self._options.directory,
            "frames": writer.frames_count,
            "bytes": writer.bytes_count,
            "files": writer.files_count,
            "snapshots": self.snapshots,
            "snapshots_failed": self.snapshots_failed,
            "reconnects": sum(count - 1 for count in self.ups.values()),
            "failed": "" if self.failed is None else str(self.failed),
        }


def _in_words(answer: dict[str, Any]) -> str:
    megabytes = answer["bytes"] / 1_000_000
    return (
        f"{answer['frames']:,} frames ({megabytes:,.1f} MB before packing) in {answer['files']} files in "
        f"{answer['directory']}; {answer['snapshots']} snapshots, {answer['reconnects']} reconnects\n"
        f"look at it: holdfast replay {answer['directory']}"
    )
