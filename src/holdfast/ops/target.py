"""Which bot a command is for: by configuration, by account, by state directory, or because there is only one."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

from holdfast.config.identity import account_name, venue_name
from holdfast.ops.errors import NotRunning, UsageError
from holdfast.ops.registry import Entry, entries, socket_path

CONFIG_NAME: Final = "holdfast.toml"


class Target(NamedTuple):
    """A bot to talk to. ``entry`` is None where the machine's register does not know it."""

    account: str
    venue: str
    account_uid: str
    socket_path: Path
    state_dir: Path
    config_path: str
    operators_file: Path
    entry: Entry | None


class Wanted(NamedTuple):
    """How the caller named the bot. Everything empty: the configuration here, else the only bot there is."""

    config: str = ""
    account: str = ""
    state_dir: str = ""
    every: bool = False

    @property
    def anything(self) -> bool:
        """True when no bot was named, not even by a configuration here."""
        return self.every or not (
            self.config or self.account or self.state_dir or Path(CONFIG_NAME).is_file()
        )


def targets(wanted: Wanted, *, halting: bool) -> list[Target]:
    """The bots meant, at least one.

    With nothing named and several bots known, a halting command means them all: whoever must stop something
    and does not know which stops everything. Any other command must name one.
    Errors: NotRunning when none is known, UsageError when not exactly one is meant.
    """
    known = entries()
    if wanted.every:
        return [_of_entry(entry) for entry in known] or _nobody("no bot is known on this machine")
    if wanted.account:
        found = [entry for entry in known if entry.account == wanted.account]
        return _one(
            [_of_entry(entry) for entry in found],
            f"no bot of an account named {wanted.account}",
            halting=halting,
        )
    if wanted.state_dir:
        state_dir = Path(wanted.state_dir).resolve()
        return [_of_state_dir(state_dir, known)]
    config = wanted.config or (CONFIG_NAME if Path(CONFIG_NAME).is_file() else "")
    if config:
        return [_of_config(Path(config).resolve(), known)]
    alive = [entry for entry in known if entry.alive]
    if halting:
        # One that crashed may be on its way back up, and is halted too; one that was stopped stays as it is.
        alive = [entry for entry in known if entry.pid] or known
    elif not alive and len(known) > 1:
        raise NotRunning(
            f"none of the {len(known)} bots that this machine knows is running (holdfast status --all)"
        )
    return _one([_of_entry(entry) for entry in alive or known], "no bot", halting=halting)


def _one(found: list[Target], nobody: str, *, halting: bool) -> list[Target]:
    if not found:
        return _nobody(f"{nobody} is known on this machine")
    if len(found) > 1 and not halting:
        names = ", ".join(f"{one.account} ({one.state_dir})" for one in found)
        raise UsageError(f"several bots are meant: {names}; name one with --account, --config or --state-dir")
    return found


def _nobody(why: str) -> list[Target]:
    raise NotRunning(f"{why}; name one with --config FILE (a file {CONFIG_NAME} here is found by itself)")


def _of_entry(entry: Entry) -> Target:
    return Target(
        account=entry.account,
        venue=entry.venue,
        account_uid=entry.account_uid,
        socket_path=Path(entry.socket_path),
        state_dir=Path(entry.state_dir),
        config_path=entry.config_path,
        operators_file=_operators(entry.config_path, Path(entry.state_dir)),
        entry=entry,
    )


def _of_state_dir(state_dir: Path, known: list[Entry]) -> Target:
    for entry in known:
        if entry.state_dir == str(state_dir):
            return _of_entry(entry)
    return Target(
        account=state_dir.name,
        venue="",
        account_uid="",
        socket_path=socket_path(state_dir),
        state_dir=state_dir,
        config_path="",
        operators_file=state_dir / "operators.toml",
        entry=None,
    )


def _of_config(path: Path, known: list[Entry]) -> Target:
    """By the register first: a configuration broken by an edit must not keep its bot from being halted."""
    for entry in known:
        if entry.config_path == str(path):
            return _of_entry(entry)
    raw = _peek(path)
    account, paths = _table(raw, "account"), _table(raw, "paths")
    state_dir = path.parent / Path(_text(paths, "state_dir") or "state").expanduser()
    venue = _table(raw, "venue")
    return Target(
        account=_text(account, "name"),
        venue=venue_name(
            venue=_text(account, "venue"), kind=_text(venue, "kind"), rest_url=_text(venue, "rest_url")
        ),
        account_uid=account_name(
            uid=_text(account, "uid"), api_key=_api_key(account, path.parent), name=_text(account, "name")
        ),
        socket_path=socket_path(state_dir),
        state_dir=state_dir,
        config_path=str(path),
        operators_file=_operators(str(path), state_dir),
        entry=None,
    )


def _api_key(account: dict[str, Any], home: Path) -> str:
    """The venue key's public half, which names an account that pins no number; empty where it cannot be read."""
    named = _text(account, "key_file")
    if not named:
        return os.environ.get(_text(account, "key_env"), "")
    try:
        return _text(_peek(home / Path(named).expanduser()), "api_key")
    except UsageError:
        return ""


def _operators(config_path: str, state_dir: Path) -> Path:
    if not config_path or not os.access(config_path, os.R_OK):
        return state_dir / "operators.toml"
    try:
        name = _text(_table(_peek(Path(config_path)), "paths"), "operators_file")
    except UsageError:
        name = ""  # a broken configuration names no people: only halting is left
    return Path(config_path).parent / Path(name or "operators.toml").expanduser()


def _peek(path: Path) -> dict[str, Any]:
    """A configuration's words, unchecked: enough to find its bot."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot read it: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        from holdfast.config.toml import not_toml, shown  # only now: a halt starts in a blink

        raise UsageError(not_toml(text, error, where=shown(path))) from None


def _table(raw: dict[str, Any], name: str) -> dict[str, Any]:
    table = raw.get(name)
    return table if isinstance(table, dict) else {}


def _text(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""
