"""The processes of Holdfast as typer commands: words in, options out, and then the process's own ``main``.

Each process is imported only when it is the one asked for.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer
from msgspec import Struct

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import (
    BacktestOptions,
    DiscardsOptions,
    DoctorOptions,
    FeedsOptions,
    InitOptions,
    JournalAction,
    JournalOptions,
    RecordOptions,
    ReplayOptions,
    RunOptions,
    ServeOptions,
    SimOptions,
    SimulateOptions,
    UpOptions,
    WatchdogOptions,
)
from holdfast.ops.commands import ROWS
from holdfast.ops.errors import UsageError
from holdfast.ops.terminal_words import summary

CONFIG_NAME: Final = "holdfast.toml"

app = typer.Typer(
    name="holdfast",
    help="A live-trading runtime that holds fast when things break.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="The configuration.", no_args_is_help=True)
journal_app = typer.Typer(help="The decision journal.", no_args_is_help=True)
reference_app = typer.Typer(
    help="The reference file: groups, volumes, sessions, bands.", no_args_is_help=True
)
app.add_typer(config_app, name="config")
app.add_typer(reference_app, name="reference")
app.add_typer(journal_app, name="journal")

Config = Annotated[
    str | None, typer.Option(metavar="FILE", help=f"The configuration (default: {CONFIG_NAME} here).")
]
OptionalConfig = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help=f"The configuration (default: {CONFIG_NAME} here, else the demonstration)."
    ),
]
Demo = Annotated[
    bool, typer.Option("--demo", metavar="", help=f"The demonstration, even with a {CONFIG_NAME} here.")
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Answer as JSON.")]
For = Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after this long: 60s, 5min.")]
StateDir = Annotated[
    str | None, typer.Option(metavar="DIR", help="In place of the configuration's state_dir.")
]
DataDir = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Recorded market data (default: $HOLDFAST_DATA, else ../shared/data if it is there).",
    ),
]
Seed = Annotated[
    int | None, typer.Option(metavar="N", help="A generated market, from this seed (default: 1).", min=0)
]


def run(words: Sequence[str]) -> int:
    """Carry out the words; returns the exit code. Errors: UsageError with one line for words it cannot read."""
    known = sorted({*_names(), *ROWS})
    if words and not words[0].startswith("-") and words[0] not in {name.split()[0] for name in known}:
        close = difflib.get_close_matches(words[0], known, n=1)
        hint = f"did you mean {close[0]}?" if close else "holdfast --help lists them"
        raise UsageError(f"unknown command {words[0][:40]!r}; {hint}")
    if words and words[0] == "quarantine":
        raise UsageError(f"{words[0]}: expected list or release")
    try:
        answer = app(list(words), standalone_mode=False)
    except Exception as error:
        if (said := getattr(error, "format_message", None)) is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError":  # its help was written: that is all there is to say
            return Exit.USAGE
        raise UsageError(_one_line(str(said()), words)) from None
    return int(answer) if isinstance(answer, int) else 0


def _one_line(said: str, words: Sequence[str]) -> str:
    text = " ".join(said.split())
    if not text or not words:
        return "expected a command: holdfast --help"
    if bad := re.fullmatch(r"(Invalid value for '(-[\w-]+)'): Input should be ([^,]+).*", text):
        text = f"{bad[1]}: expected {_WANTED.sub(_house, bad[3])}, got {_given(bad[2], words)[:40]!r}"
    return f"{words[0]}: {text[:1].lower()}{text[1:]}"


_HOUSE: Final = {
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a valid integer": "a whole number",
}
_WANTED: Final = re.compile("|".join(_HOUSE))


def _house(found: re.Match[str]) -> str:
    return _HOUSE[found[0]]


def _given(name: str, words: Sequence[str]) -> str:
    """What was given for an option."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option == name:
            return value if equals else after
    return ""


def _names() -> list[str]:
    groups = [group.name or "" for group in app.registered_groups]
    return [*groups, *(command.name or "" for command in app.registered_commands)]


def _start(module: str, options: Struct, *, package: str = "holdfast.app") -> int:
    """Hand over to a process. Errors: HoldfastError when this installation lacks a module that it needs."""
    try:
        main: Callable[[Any], int] = importlib.import_module(f"{package}.{module}").main
    except ModuleNotFoundError as error:
        raise HoldfastError(
            Exit.FAILED, f"this installation lacks {error.name}", f"{package}.{module}"
        ) from None
    return main(options)


@app.command("run")
def _run(
    *,
    config: OptionalConfig = None,
    for_: For = None,
    json: Json = False,
    state_dir: StateDir = None,
    data_dir: DataDir = None,
    no_tui: Annotated[
        bool, typer.Option("--no-tui", metavar="", help="No live view on this terminal.")
    ] = False,
    seed: Seed = None,
    demo: Demo = False,
) -> int:
    """Trade: one process, one account. Without a configuration, the demonstration on a simulated venue."""
    found = _found(config, demo=demo)
    if found and (data_dir is not None or seed is not None):
        raise UsageError(
            f"run: --data-dir and --seed are the demonstration's (--demo); {found} names a venue of its own"
        )
    return _start(
        "run",
        RunOptions(
            config=found,
            for_s=_seconds("--for", for_),
            json=json,
            state_dir=state_dir,
            data_dir=data_dir,
            no_tui=no_tui,
            seed=seed,
        ),
    )


@app.command("up")
def _up(*, config: Config = None, state_dir: StateDir = None, json: Json = False) -> int:
    """Start every process that the configuration names."""
    return _start("up", UpOptions(config=_config(config), state_dir=state_dir, json=json))


@app.command("sim")
def _sim(
    *,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The venue's own file: accounts, limits, source, speed."),
    ] = None,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Of the venue; 0: any.", min=0, max=65_535)
    ] = 8710,
    control_port: Annotated[
        int, typer.Option(metavar="PORT", help="Of faults and truth.", min=0, max=65_535)
    ] = 8711,
    seed: Seed = None,
    data_dir: DataDir = None,
    for_: For = None,
    json: Json = False,
) -> int:
    """The simulated venue alone, for any client that speaks Binance USD-M."""
    return _start(
        "simulate_venue",
        SimOptions(
            config=config,
            host=host,
            port=port,
            control_port=control_port,
            seed=seed,
            data_dir=data_dir,
            for_s=_seconds("--for", for_),
            json=json,
        ),
    )


@app.command("simulate")
def _simulate(
    *,
    seeds: Annotated[int, typer.Option(metavar="N", help="How many seeds.", min=1)] = 20,
    steps: Annotated[
        int, typer.Option(metavar="M", help="Events of each seed's storm; calm and a verdict follow.", min=1)
    ] = 5_000,
    first_seed: Annotated[int, typer.Option(metavar="S", help="The first; the others follow it.", min=0)] = 1,
    faults: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Kinds and groups of faults, by commas; all, none; -NAME takes away."
        ),
    ] = "all",
    jobs: Annotated[int, typer.Option(metavar="N", help="Processes at once.", min=1, max=64)] = 1,
    no_shrink: Annotated[
        bool, typer.Option("--no-shrink", metavar="", help="Name failing seeds, and leave them large.")
    ] = False,
    save_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="Keep the failing seeds here, each as a file.")
    ] = None,
    result: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write what it came to, and go on from it.")
    ] = None,
    build: Annotated[str, typer.Option(metavar="NAME", help="What the result file is of.")] = "",
    saved: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Run this kept seed; may be repeated.")
    ] = None,
    json: Json = False,
) -> int:
    """Whole bots in virtual time, from seeds, with everything going wrong and an auditor beside them."""
    return _start(
        "main",
        SimulateOptions(
            seeds=seeds,
            steps=steps,
            first_seed=first_seed,
            faults=tuple(word.strip() for word in faults.split(",") if word.strip()),
            jobs=jobs,
            shrink=not no_shrink,
            save_dir=save_dir,
            result=result,
            build=build,
            saved=tuple(saved or ()),
            json=json,
        ),
        package="holdfast.simulate",
    )


@app.command("backtest")
def _backtest(
    *,
    config: OptionalConfig = None,
    data_dir: DataDir = None,
    seed: Seed = None,
    quotes: Annotated[
        int | None, typer.Option(metavar="N", help="So many made-up quotes and nothing else.", min=1)
    ] = None,
    state_dir: StateDir = None,
    demo: Demo = False,
    json: Json = False,
) -> int:
    """The same core and strategies over recorded or generated data, as fast as it goes."""
    return _start(
        "backtest",
        BacktestOptions(
            config=_found(config, demo=demo),
            data_dir=data_dir,
            seed=seed,
            quotes=quotes,
            state_dir=state_dir,
            json=json,
        ),
    )


@app.command("record")
def _record(
    *,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The venue's address, for example http://127.0.0.1:8710.")
    ] = "",
    ccxt: Annotated[
        str,
        typer.Option(
            metavar="ID", help="Any exchange that ccxt knows, as events; the URL is its simulator's."
        ),
    ] = "",
    instrument: Annotated[
        list[str], typer.Option(metavar="NAME", help="One of the venue's; may be repeated.")
    ],
    output: Annotated[str, typer.Option(metavar="DIR", help="Where the files go.")] = "recording",
    streams: Annotated[
        str, typer.Option(metavar="LIST", help="Of quotes, trades, marks and depth.")
    ] = "quotes,trades,marks,depth",
    file_size: Annotated[
        str, typer.Option(metavar="SIZE", help="A file ends at this size, packed.")
    ] = "64MB",
    file_time: Annotated[str, typer.Option(metavar="TIME", help="And after this long.")] = "1h",
    retain: Annotated[
        str, typer.Option(metavar="SIZE", help="The oldest files go when all are larger than this.")
    ] = "20GB",
    for_: For = None,
    json: Json = False,
) -> int:
    """Write a venue's public frames down as they come, with their receive times. No account, no key."""
    if not url and not ccxt:
        raise UsageError("record: expected an address, for example http://127.0.0.1:8710, or --ccxt ID")
    return _start(
        "record",
        RecordOptions(
            url=url,
            ccxt=ccxt,
            instruments=tuple(dict.fromkeys(instrument)),
            streams=_streams(streams),
            directory=output,
            file_bytes_max=_bytes("--file-size", file_size),
            file_s_max=_seconds("--file-time", file_time) or 0.0,
            retention_bytes=_bytes("--retain", retain),
            for_s=_seconds("--for", for_),
            json=json,
        ),
    )


@app.command("replay")
def _replay_frames(
    *,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Recordings, or directories of them.")
    ],
    speed: Annotated[
        str, typer.Option(metavar="N", help="So many times as fast as recorded, or max.")
    ] = "max",
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Whose limits refuse (default: the demonstration's).")
    ] = None,
    instruments: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The venue's exchangeInfo, where the recording has none."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="A strategy that sees them: file.py:Class or module:Class."),
    ] = None,
    apply_splits: Annotated[
        bool,
        typer.Option(
            "--apply-splits", metavar="", help="Go on in the new scale after a split, for equities."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Recorded frames through the decoder and the core's ingest; says where every one of them went."""
    return _start(
        "replay",
        ReplayOptions(
            files=tuple(files),
            speed=_speed(speed),
            config=config,
            instruments=instruments,
            strategy=strategy,
            apply_splits=apply_splits,
            json=json,
        ),
    )


@app.command("feeds")
def _feeds(
    *,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT...",
            help="Recordings or directories of them; or bench and providers' addresses; nothing: a bot.",
        ),
    ] = None,
    config: OptionalConfig = None,
    state_dir: StateDir = None,
    last: Annotated[str, typer.Option(metavar="TIME", help="How much of a bot's past.")] = "10min",
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long providers are measured.")
    ] = "30s",
    instrument: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of providers; may be repeated (default: all).")
    ] = None,
    instruments: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The venue's exchangeInfo, where a recording has none."),
    ] = None,
    json: Json = False,
) -> int:
    """How well market data comes: latency, silence, gaps, repeats, refusals, reconnects."""
    words = tuple(what or ())
    bench = words[:1] == ("bench",)
    if bench and not words[1:]:
        raise UsageError("feeds bench: expected addresses, for example http://127.0.0.1:8710")
    return _start(
        "feeds",
        FeedsOptions(
            urls=words[1:] if bench else (),
            files=() if bench else words,
            state_dir="" if words else _state_dir(config, state_dir),
            for_s=_seconds("--for", for_) or 0.0,
            last_s=_seconds("--last", last) or 0.0,
            bench_instruments=tuple(dict.fromkeys(instrument or ())),
            instruments=instruments,
            json=json,
        ),
    )


@app.command("discards")
def _discards(
    *,
    config: OptionalConfig = None,
    state_dir: StateDir = None,
    instrument: Annotated[str, typer.Option(metavar="NAME", help="Of this instrument alone.")] = "",
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Refused for this alone, for example late.")
    ] = "",
    last: Annotated[int, typer.Option(metavar="N", help="How many of the newest are shown.", min=0)] = 20,
    again: Annotated[
        bool, typer.Option("--again", help="Judge each again, by what it was judged by then.")
    ] = False,
    json: Json = False,
) -> int:
    """Frames of market data that a bot refused, as they came, with the reason."""
    return _start(
        "discards",
        DiscardsOptions(
            state_dir=_state_dir(config, state_dir),
            instrument=instrument,
            reason=reason,
            last=last,
            again=again,
            json=json,
        ),
    )


@app.command("serve")
def _serve(
    *,
    config: Config = None,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="In place of [serve] host.")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="In place of [serve] port.", min=0, max=65_535)
    ] = None,
    json: Json = False,
) -> int:
    """The control API, in a process of its own."""
    return _start("serve", ServeOptions(config=_config(config), host=host, port=port, json=json))


@app.command("watchdog")
def _watchdog(
    *,
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", metavar="", help="Judge once and end.")] = False,
    json: Json = False,
) -> int:
    """Judges from outside whether the bot is dead, and acts."""
    return _start("watchdog", WatchdogOptions(config=_config(config), once=once, json=json))


@app.command("watch")
def _watch(
    *,
    config: Config = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="The bot of this account.")] = None,
    state_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="The bot with this state directory.")
    ] = None,
    socket: Annotated[
        str | None, typer.Option(metavar="FILE", help="The bot behind this control socket.")
    ] = None,
) -> int:
    """The live view of a running bot; leaving it leaves the bot alone."""
    from pathlib import Path

    from holdfast.ops.screen import watch
    from holdfast.ops.target import Wanted, targets

    if socket:
        return watch(Path(socket))
    wanted = Wanted(config=config or "", account=account or "", state_dir=state_dir or "")
    return watch(targets(wanted, halting=False)[0].socket_path)


@app.command("init")
def _init(
    *,
    directory: Annotated[str, typer.Argument(help="Where to write.")] = ".",
    operator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Your name in the operators file.")
    ] = None,
    json: Json = False,
) -> int:
    """Write a commented configuration, a strategy, and an operators file with a fresh token."""
    return _start("init", InitOptions(directory=directory, operator=operator, json=json))


@app.command("doctor")
def _doctor(
    *,
    config: Config = None,
    venue: Annotated[
        bool,
        typer.Option(
            "--venue", help="Look at the venue: its answers, the key, the modes, the dead-man switch."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Look for what would keep the bot from running well here; with --venue, there."""
    return _start("probe" if venue else "doctor", DoctorOptions(config=config, venue=venue, json=json))


@config_app.command("check")
def _config_check(*, config: Config = None, json: Json = False) -> int:
    """Read the configuration, say every problem in one line each, print its hash."""
    from holdfast.app.check import main

    return main(_config(config), json=json)


@reference_app.command("check")
def _reference_check(
    *,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A reference file (default: the configuration's).")
    ] = "",
    config: Config = None,
    json: Json = False,
) -> int:
    """Read the reference file, say every problem and what it lacks in one line each."""
    from holdfast.app.reference import main

    return main(_config(config), file, json=json)


@journal_app.command("verify")
def _verify(
    *,
    config: Config = None,
    state_dir: StateDir = None,
    json: Json = False,
    anchors: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where earlier proofs ended, kept elsewhere: the journal must have them; its end is added.",
        ),
    ] = None,
) -> int:
    """Walk the whole chain; name the first record that is not what it was."""
    return _journal(JournalAction.VERIFY, config=config, state_dir=state_dir, json=json, anchors=anchors)


@journal_app.command("replay")
def _replay(*, config: Config = None, state_dir: StateDir = None, json: Json = False) -> int:
    """Step every event again, compare every fact, print both hashes."""
    return _journal(JournalAction.REPLAY, config=config, state_dir=state_dir, json=json)


@journal_app.command("export")
def _export(
    *,
    config: Config = None,
    state_dir: StateDir = None,
    json: Json = False,
    output: Annotated[str, typer.Option(metavar="FILE", help='A file, or "-" for standard output.')] = "-",
    from_record: Annotated[int, typer.Option(metavar="N", help="The first record to write.", min=0)] = 0,
) -> int:
    """Write the records as JSON lines."""
    return _journal(
        JournalAction.EXPORT,
        config=config,
        state_dir=state_dir,
        json=json,
        output=output,
        from_record=from_record,
    )


@app.callback(invoke_without_command=True)
def _top(
    *,
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", metavar="", help="Print the version and end.")
    ] = False,
) -> int | None:
    if version:
        from holdfast import __version__

        print(f"holdfast {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise UsageError("expected a command: holdfast --help")
    return None


def _journal(
    action: JournalAction,
    *,
    config: str | None,
    state_dir: str | None,
    json: bool,
    output: str = "-",
    from_record: int = 0,
    anchors: str | None = None,
) -> int:
    found = config if state_dir else _found(config)
    if not (state_dir or found):
        state_dir = _newest_state_dir()
    return _start(
        "journal",
        JournalOptions(
            action=action,
            config=found,
            state_dir=state_dir,
            output=output,
            from_record=from_record,
            anchors=anchors,
            json=json,
        ),
    )


def _config(named: str | None) -> str:
    """The configuration meant. Errors: UsageError when there is none."""
    if found := _found(named):
        return found
    raise UsageError(
        f"no configuration: expected {CONFIG_NAME} here or --config FILE (holdfast init writes one)"
    )


def _newest_state_dir() -> str:
    """Of the bot that started last on this machine, said. Errors: UsageError where none has since boot."""
    import sys

    from holdfast.ops.registry import entries

    known = sorted(entries(), key=lambda one: one.started_wall_ns)
    if not known:
        raise UsageError(f"no configuration: expected {CONFIG_NAME} here, --config FILE or --state-dir DIR")
    print(f"holdfast: the journal in {known[-1].state_dir}", file=sys.stderr)
    return known[-1].state_dir


def _state_dir(config: str | None, state_dir: str | None) -> str:
    """The state directory named, else the configuration's, else that of the bot that started last."""
    if state_dir:
        return state_dir
    if found := _found(config):
        from pathlib import Path

        from holdfast.config.load import beside, load

        loaded = load(Path(found))
        return str(beside(loaded, loaded.paths.state_dir))
    return _newest_state_dir()


def _found(named: str | None, *, demo: bool = False) -> str | None:
    """The configuration named, else the one here, else None: the demonstration. Errors: UsageError for both."""
    from pathlib import Path

    if demo and named:
        raise UsageError("--demo and --config: expected one of them")
    if named or demo:
        return named
    return CONFIG_NAME if Path(CONFIG_NAME).is_file() else None


def _seconds(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|min|m|h)?", text.strip())
    size = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3_600.0, None: 1.0}
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"{name}: expected a length of time such as 60s or 5min, got {text[:40]!r}")
    return float(match[1]) * size[match[2]]


_STREAMS: Final = ("quotes", "trades", "marks", "depth")


def _streams(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    if not names or set(names) - set(_STREAMS) or "quotes" not in names:
        raise UsageError(f"--streams: expected quotes and any of trades, marks, depth, got {text[:40]!r}")
    return names


def _bytes(name: str, text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})(KB|MB|GB|TB)", text.strip())
    if match is None or int(match[1]) == 0:
        raise UsageError(f"{name}: expected a size such as 64MB or 20GB, got {text[:40]!r}")
    size = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
    return int(match[1]) * size[match[2]]


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    if re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,3})?", text) is None or float(text) <= 0:
        raise UsageError(f"--speed: expected a number above zero or max, got {text[:40]!r}")
    return float(text)


_GROUPS: Final = {
    "quarantine": "Fills that no order of ours explains.",
    "limits": "Every limit beside its hard cap and what is used of it; set changes one.",
    "break-glass": "Open one limit for minutes, or for one order.",
}


def _add_table() -> None:
    """List the commands of the table in the overview. They never get here: the cli reads them itself."""
    groups: dict[str, typer.Typer] = {}
    for name, text in summary():
        head, _, tail = name.partition(" ")
        if tail and head not in groups:
            groups[head] = typer.Typer(help=_GROUPS[head])
            app.add_typer(groups[head], name=head, rich_help_panel="Operating a running bot")
        home = groups[head] if tail else app
        home.command(tail or head, help=text, rich_help_panel="Operating a running bot")(_never)


def _never() -> None:
    raise UsageError("give the command first, its options after it")


_add_table()
