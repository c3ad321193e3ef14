"""Pieces that every wiring shares: state on disk, strategies, identity, decoders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from holdfast import __version__
from holdfast.app.errors import Exit, HoldfastError
from holdfast.config.fingerprint import file_hash
from holdfast.config.load import strategy_class
from holdfast.config.schema import Config
from holdfast.core.replay import ReplayDiffers
from holdfast.core.state import State
from holdfast.journal.chain import iterate
from holdfast.journal.codec import CorruptJournal
from holdfast.journal.files import REAL_FILES, Files
from holdfast.journal.recover import Opened, open_for_append
from holdfast.ports.feed import Decode
from holdfast.runtime.books import CoreBooks
from holdfast.runtime.live import LiveHost
from holdfast.runtime.recover import Kept, decode_kept, recover
from holdfast.strategy import Hosted, StrategyHost, StrategyUnusable, load_strategy
from holdfast.vocab.effects import Record
from holdfast.vocab.facts import MarketSeen
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import MarketEvent

EVENTS_CODEC: Final = "events"
BINANCE_CODEC: Final = "binance-usdm"
EPOCH_ZERO_WALL_S: Final = 1_735_689_600  # 2025-01-01: epochs start at the minutes since then


class OnDisk(Struct, frozen=True, kw_only=True):
    """What a start found in the state directory: the open journal, and the books out of it.

    ``seen_pos``: up to which position of the market log the books know what was seen; -1: not told.
    """

    opened: Opened
    kept: Kept
    journal_dir: Path
    market_dir: Path
    seen_pos: int = -1


def account_tag(*, venue: str, account: str) -> int:
    """The 64-bit half of every client order id: the same for every start on this account."""
    digest = hashlib.blake2b(f"{venue}/{account}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def epoch_floor(wall_ns: int) -> int:
    """Minutes since 2025: a lost state directory must not repeat an order id."""
    return max(1, (wall_ns // 1_000_000_000 - EPOCH_ZERO_WALL_S) // 60)


def open_state(state_dir: Path, *, account: str, files: Files = REAL_FILES) -> OnDisk:
    """Open the journal and rebuild the books. Errors: HoldfastError naming the record that is not what it was."""
    state_dir.mkdir(parents=True, exist_ok=True)
    journal_dir = state_dir / "journal"
    try:
        opened = open_for_append(str(journal_dir), account=account, files=files)
        kept = None
        first = 0
        if opened.snapshot is not None:
            kept = decode_kept(opened.snapshot.payload)
            first = opened.snapshot.at.index + 1
        seen_pos = -1

        def records() -> Iterator[Record]:
            nonlocal seen_pos
            for _, market_pos, record in iterate(str(journal_dir), first, whole=False):
                if type(record) is MarketSeen:
                    seen_pos = market_pos
                yield record

        recovered = recover(records(), kept)
    except CorruptJournal as error:
        raise HoldfastError(
            Exit.JOURNAL_CORRUPT, f"the journal is corrupt: {error}", str(journal_dir)
        ) from None
    except ReplayDiffers as error:
        raise HoldfastError(
            Exit.JOURNAL_CORRUPT, f"the books do not follow from the journal: {error}", str(journal_dir)
        ) from None
    except msgspec.DecodeError as error:
        raise HoldfastError(
            Exit.JOURNAL_CORRUPT,
            f"a snapshot of another build: {error}; remove it to fold from the start",
            str(journal_dir),
        ) from None
    return OnDisk(
        opened=opened,
        kept=recovered,
        journal_dir=journal_dir,
        market_dir=state_dir / "market",
        seen_pos=seen_pos,
    )


def strategy_of(config: Config, name: str) -> object:
    """A strategy, built. Errors: StrategyUnusable, also for a file that is not the one that ``sha256`` pins.

    The hash is looked at first: a file that nobody agreed to is not imported either.
    """
    section, where = config.strategy[name], strategy_class(config, name)
    place = where.rpartition(":")[0]
    if section.sha256 and place.endswith(".py"):
        try:
            found = file_hash(Path(place))
        except OSError as error:
            raise StrategyUnusable(f"{where}: {(error.strerror or str(error)).lower()}") from None
        if found != section.sha256:
            raise StrategyUnusable(f"{where}: not the file that sha256 pins: it is {found}")
    return load_strategy(where, section.params)


def host_maker(
    config: Config, settings: Settings, state: State, *, clock_ns: Callable[[], int]
) -> Callable[[], LiveHost]:
    """Loads the strategies now (their errors come before anything is opened); makes the host when asked."""
    hosted = [
        Hosted(name=name, strategy=strategy_of(config, name), instruments=tuple(section.instruments))
        for name, section in config.strategy.items()
    ]

    def make() -> LiveHost:
        return StrategyHost(hosted, specs=settings.instruments, books=CoreBooks(state), clock_ns=clock_ns)

    return make


_EVENT_ENCODER: Final = msgspec.msgpack.Encoder()
_EVENT_DECODER: Final = msgspec.msgpack.Decoder(MarketEvent)
encode_event = _EVENT_ENCODER.encode


def _decode_event(raw: bytes, wall_ns: int, mono_ns: int) -> MarketEvent | None:
    """The event as written, with the times of its receipt."""
    event: MarketEvent = _EVENT_DECODER.decode(raw)
    if event.wall_ns != wall_ns or event.mono_ns != mono_ns:
        event = msgspec.structs.replace(event, wall_ns=wall_ns, mono_ns=mono_ns)
    return event


def decoder_for(codec: str, specs: Sequence[InstrumentSpec]) -> Decode:
    """The decoder behind a codec's name in the market log. Errors: HoldfastError for a name this build lacks."""
    if codec == EVENTS_CODEC:
        return _decode_event
    if codec == BINANCE_CODEC:
        from holdfast.venues.binance.decoder import decoder

        return decoder(specs)
    raise HoldfastError(Exit.FAILED, f"no decoder for market frames of codec {codec!r}")


def build_name() -> str:
    """Which build this is."""
    return f"holdfast {__version__}"
