"""What each process is started with: the command line's words as closed records, before any heavy import."""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct

# Of a simulated venue: it ends when its standard input does. Here, for a bot need not load an exchange to be started.
END_WITH_PARENT: Final = "HOLDFAST_SIM_ENDS_WITH_STDIN"


class _Options(Struct, frozen=True, kw_only=True):
    json: bool = False


class RunOptions(_Options, frozen=True, kw_only=True):
    """``holdfast run``. ``config`` None: the demonstration, on a simulated venue that it starts itself.

    ``for_s`` None: until told to stop. ``state_dir`` and ``data_dir`` take the place of the configuration's.
    ``seed``: of the demonstration's generator, where no recorded data is used.
    """

    config: str | None = None
    for_s: float | None = None
    state_dir: str | None = None
    data_dir: str | None = None
    no_tui: bool = False
    seed: int | None = None


class UpOptions(_Options, frozen=True, kw_only=True):
    """``holdfast up``: what the configuration's [up] names."""

    config: str | None = None
    state_dir: str | None = None


class SimOptions(_Options, frozen=True, kw_only=True):
    """``holdfast sim``. Ports of 0 are chosen by the system and printed. ``config``: a file of the venue's own."""

    config: str | None = None
    host: str = "127.0.0.1"
    port: int = 8710
    control_port: int = 8711
    seed: int | None = None
    data_dir: str | None = None
    for_s: float | None = None


class BacktestOptions(_Options, frozen=True, kw_only=True):
    """``holdfast backtest``. ``config`` None: the example strategies on generated data."""

    config: str | None = None
    data_dir: str | None = None
    seed: int | None = None
    quotes: int | None = None
    state_dir: str | None = None


class SimulateOptions(_Options, frozen=True, kw_only=True):
    """``holdfast simulate``. ``faults``: names of kinds and groups. ``result``: a file to go on from and to write.

    ``build``: what the result is of; empty: the version. ``saved``: files of seeds to run again, and nothing else.
    ``save_dir``: where a failing seed is kept, made small.
    """

    seeds: int = 20
    steps: int = 5_000
    first_seed: int = 1
    faults: tuple[str, ...] = ("all",)
    jobs: int = 1
    shrink: bool = True
    save_dir: str | None = None
    result: str | None = None
    build: str = ""
    saved: tuple[str, ...] = ()


class ServeOptions(_Options, frozen=True, kw_only=True):
    """``holdfast serve``. Host and port take the place of the configuration's."""

    config: str
    host: str | None = None
    port: int | None = None


class WatchdogOptions(_Options, frozen=True, kw_only=True):
    """``holdfast watchdog``."""

    config: str
    once: bool = False


class RecordOptions(_Options, frozen=True, kw_only=True):
    """``holdfast record``: which streams of which instruments, from where, into which directory.

    ``for_s`` None: until told to stop. ``retention_bytes``: of all that the directory holds. ``ccxt``: an exchange
    id; then ``url`` is empty, or where that exchange is simulated.
    """

    url: str
    ccxt: str = ""
    instruments: tuple[str, ...]
    streams: tuple[str, ...]
    directory: str
    file_bytes_max: int
    file_s_max: float
    retention_bytes: int
    for_s: float | None = None


class ReplayOptions(_Options, frozen=True, kw_only=True):
    """``holdfast replay``. ``speed`` None: as fast as it goes. ``instruments``: a file with the venue's exchangeInfo.

    ``config``: whose limits refuse; without one, the demonstration's measure.
    """

    files: tuple[str, ...]
    speed: float | None = None
    config: str | None = None
    instruments: str | None = None
    strategy: str | None = None
    apply_splits: bool = False


class DiscardsOptions(_Options, frozen=True, kw_only=True):
    """``holdfast discards``: what the bot of ``state_dir`` refused of its market data; empty words: any."""

    state_dir: str
    instrument: str = ""
    reason: str = ""
    last: int = 20
    again: bool = False


class FeedsOptions(_Options, frozen=True, kw_only=True):
    """``holdfast feeds``: of providers (``urls``), of recordings (``files``), else of the bot in ``state_dir``.

    ``for_s``: how long providers are measured; ``last_s``: how much of a bot's past is looked at.
    """

    urls: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    state_dir: str = ""
    for_s: float = 30.0
    last_s: float = 600.0
    bench_instruments: tuple[str, ...] = ()
    instruments: str | None = None


class JournalAction(Enum):
    """What to do with a journal."""

    VERIFY = "verify"
    REPLAY = "replay"
    EXPORT = "export"


class JournalOptions(_Options, frozen=True, kw_only=True):
    """``holdfast journal verify|replay|export``. The journal of ``state_dir``, else of the configuration's.

    ``output``: where an export goes, "-" for standard output. ``anchors``: a file of what earlier proofs ended with.
    """

    action: JournalAction
    config: str | None = None
    state_dir: str | None = None
    output: str = "-"
    from_record: int = 0
    anchors: str | None = None


class InitOptions(_Options, frozen=True, kw_only=True):
    """``holdfast init``."""

    directory: str = "."
    operator: str | None = None


class DoctorOptions(_Options, frozen=True, kw_only=True):
    """``holdfast doctor``. ``venue``: look at the venue instead of this machine."""

    config: str | None = None
    venue: bool = False
