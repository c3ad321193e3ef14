"""TOML into closed records, with every error one line that names its file, line and key."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec

from holdfast.config.errors import ConfigError
from holdfast.config.values import read_value

FILE_BYTES_MAX: Final = 1 << 20
NAME: Final = r"[A-Za-z0-9_-]+"
INSTRUMENT: Final = r"[A-Za-z0-9_.:/-]+"
_NAME_MAX: Final = 64
_AT: Final = re.compile(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", flags=re.DOTALL)
T = TypeVar("T", bound=msgspec.Struct)


def shown(path: Path) -> str:
    """A path as messages name it: from here, where it is below here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def read_text(path: Path) -> str:
    """A small text file. Errors: ConfigError for one that is missing, unreadable, not UTF-8 or too large."""
    where = shown(path)
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{where}: cannot read it: {(error.strerror or str(error)).lower()}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{where}: larger than {FILE_BYTES_MAX} bytes, which no configuration is")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: not UTF-8 text (byte {error.start})") from None


def not_toml(text: str, error: tomllib.TOMLDecodeError, *, where: str, secret: bool = False) -> str:
    """The parser's words in the shape of every other problem; of a key that was set before, with its name."""
    match = _AT.fullmatch(str(error))
    if match is None:
        return f"{where}: not valid TOML"
    lines = text.splitlines()
    what, number = _lower_first(match[1]), int(match[2] or len(lines) or 1)
    key, equals, _ = "".join(lines[number - 1 : number]).partition("=")
    if equals and what == "cannot overwrite a value":
        what = f"{key.strip()} is set twice"
    told = "" if secret else f": {what}"
    column = f" (column {match[3]})" if match[3] else ""
    return f"{where}:{number}: not valid TOML{told}{column}"


class Document:
    """One parsed file, and the problems found in it so far."""

    def __init__(self, text: str, *, where: str, secret: bool = False) -> None:
        """``secret``: what the file holds is never shown, not even a wrong key's name.

        Errors: ConfigError when it is not TOML at all.
        """
        self.where = where
        self.secret = secret
        self.problems: list[str] = []
        self._lines = text.splitlines()
        try:
            self.root: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(not_toml(text, error, where=where, secret=secret)) from None

    def problem(self, key: tuple[str, ...], what: str) -> None:
        """Note what is wrong at a key."""
        line = self._line_of(key)
        place = f"{self.where}:{line}" if line else self.where
        self.problems.append(f"{place}: {dotted(key)}: {what}" if key else f"{place}: {what}")

    def finish(self) -> None:
        """Errors: ConfigError with every problem noted."""
        if self.problems:
            raise ConfigError(*self.problems)

    def allow(self, table: dict[str, Any], key: tuple[str, ...], *, known: tuple[str, ...]) -> None:
        """Note every key of a table that is not among the known ones."""
        for name in table:
            if name in known:
                continue
            if self.secret:
                self.problem(key, f"a key that is not known here; known: {', '.join(known)}")
            else:
                self.problem((*key, name), _unknown(name, known))

    def table(self, key: tuple[str, ...], *, required: bool = True) -> dict[str, Any]:
        """The table at a key; empty, with the problem noted, where it is missing or not a table."""
        found: Any = self.root
        for part in key:
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            if required:
                self.problem(key, f"missing: expected a table [{dotted(key)}]")
            return {}
        if not isinstance(found, dict):
            self.problem(key, f"expected a table [{dotted(key)}]")
            return {}
        return found

    def named_tables(self, key: tuple[str, ...], *, pattern: str, required: bool = False) -> dict[str, Any]:
        """The tables under a key, by names that an operator chose."""
        tables: dict[str, Any] = {}
        for name, value in self.table(key, required=required).items():
            if re.fullmatch(pattern, name) is None or len(name) > _NAME_MAX:
                self.problem((*key, name), f"expected a name matching {pattern}, at most {_NAME_MAX} long")
            elif not isinstance(value, dict):
                self.problem((*key, name), f"expected a table [{dotted((*key, name))}]")
            else:
                tables[name] = value
        return tables

    def convert(self, raw: dict[str, Any], kind: type[T], key: tuple[str, ...]) -> T | None:
        """A record of this kind, or None with the problems noted: all unknown and missing keys, then values."""
        before = len(self.problems)
        fields = msgspec.structs.fields(kind)
        known = tuple(one.encode_name for one in fields)
        self.allow(raw, key, known=known)
        for one in fields:
            if one.required and one.encode_name not in raw:
                self.problem((*key, one.encode_name), "missing: it is required and has no default")
            elif one.encode_name in raw:
                self._check(raw[one.encode_name], one, (*key, one.encode_name))
        if len(self.problems) > before:
            return None
        return msgspec.convert(raw, kind, dec_hook=read_value)

    def _check(self, raw: object, one: msgspec.structs.FieldInfo, key: tuple[str, ...]) -> None:
        try:
            msgspec.convert(raw, one.type, dec_hook=read_value)
        except msgspec.ValidationError as error:
            said = _explained(str(error), one.type, raw)
            self.problem(key, said.partition(", got")[0] if self.secret else said)

    def _line_of(self, key: tuple[str, ...]) -> int:
        """The line that holds a key or opens its table, 0 where it is not found (inline tables, missing)."""
        opened: tuple[str, ...] = ()
        best = 0
        for number, line in enumerate(self._lines, start=1):
            stripped = line.strip()
            if stripped.startswith("["):
                opened = _parts(stripped.lstrip("[").partition("]")[0])
                if opened == key:
                    return number
                if opened == key[:-1]:
                    best = number
            elif (*opened, *_parts(stripped.partition("=")[0])) == key:
                return number
        return best


def dotted(key: tuple[str, ...]) -> str:
    """A key as it is written in the file."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in key)


def typed_name(value: object) -> str:
    """What a TOML value is, in words."""
    words: tuple[tuple[type, str], ...] = (
        (bool, f"the boolean {str(value).lower()}"),
        (int, f"the number {value}"),
        (float, f"the number {value}"),
        (str, f"the text {value!r:.80}"),
        (list, "a list"),
        (dict, "a table"),
    )
    return next((word for kind, word in words if isinstance(value, kind)), f"a {type(value).__name__}")


def owner_only(path: Path, *, secret: bool) -> None:
    """Refuse a file that others could have written (or, for a secret, read).

    Errors: ConfigError unless it is a regular file of ours (or root's), not writable by group or others; a
    secret one not readable by them either.
    """
    where = shown(path)
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"{where}: cannot read it: {(error.strerror or str(error)).lower()}") from None
    mode = status.st_mode & 0o777
    forbidden = 0o077 if secret else 0o022
    if not path.is_file():
        raise ConfigError(f"{where}: not a regular file")
    if status.st_uid not in {os.geteuid(), 0}:
        raise ConfigError(f"{where}: belongs to user {status.st_uid}; expected the user that runs holdfast")
    if mode & forbidden:
        wanted = "0600" if secret else "not writable by others"
        raise ConfigError(f"{where}: mode {mode:04o}; expected {wanted} (chmod 600 {path.name})")


def _parts(text: str) -> tuple[str, ...]:
    return tuple(
        part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", text.strip())
    )


def _unknown(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return (
        f"unknown key; did you mean {close[0]}?" if close else f"unknown key; known here: {', '.join(known)}"
    )


def _explained(message: str, kind: object, raw: object) -> str:
    """The words of msgspec, with what was expected and what was found."""
    said, _, place = message.partition(" - at `$")
    inner = place.rstrip("`")
    while get_origin(kind) is list and inner.startswith("["):
        kind = get_args(kind)[0]
        index = inner[1:].partition("]")[0]
        raw = raw[int(index)] if isinstance(raw, list) and index.isdigit() else raw
        inner = inner.partition("]")[2]
    if said.startswith("Invalid enum value"):
        return f"expected one of {', '.join(_choices(kind))}, got {typed_name(raw)}"
    if said.startswith("Expected `"):
        wanted = said.removeprefix("Expected ").partition(", got")[0].replace("`", "")
        return f"expected {_WORDS.get(wanted, wanted)}, got {typed_name(raw)}"
    return said


_WORDS: Final = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def _choices(kind: object) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [str(member.value) for member in getattr(kind, "__members__", {}).values()]


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
