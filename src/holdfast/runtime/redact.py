"""Secrets out of everything that is written: by their value where it is known, by their shape where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

GONE: Final = "[redacted]"
VALUE_CHARS_MIN: Final = 6  # shorter ones would blot out ordinary words
TEXT_CHARS_MAX: Final = 20_000
DEPTH_MAX: Final = 12
_BEFORE: Final = (
    r"(?:api[_-]?key|api[_-]?secret|secret(?:[_-]?key)?|signature|sign|pass(?:word|phrase)?|token|listen[_-]?key"
    r"|x-mbx-apikey|authorization|private[_-]?key|mnemonic)"
)
_SHAPES: Final = (
    re.compile(r"(?i)(\bbearer\s+)([A-Za-z0-9._~+/=-]{8,})"),
    # key=value, "key": "value", key: value
    re.compile(rf"""(?i)(\b{_BEFORE}\b["']?\s*[=:]\s*["']?)(?!\[redacted\])([^\s"'&,;}}]+)"""),
    re.compile(r"()(\bhf_[A-Za-z0-9_-]{20,})"),
    re.compile(r"(://[^/\s:@]+:)([^/\s@]+)(?=@)"),
    # 64 letters and digits are a venue key, a listen key or a signature; our own hashes are hexadecimal and lower
    # case, and are written under a name that says so
    re.compile(r"()(?<![A-Za-z0-9])((?=[A-Za-z0-9]*[g-zG-Z])[A-Za-z0-9]{48,128})(?![A-Za-z0-9])"),
    re.compile(r"()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))"),
)
# Most texts hold none of these, and are not searched.
_HINT: Final = re.compile(r"[=:]|hf_|earer |EARER |-----BEGIN")
_LONG: Final = 48
_SECRET_NAME: Final = re.compile(rf"(?i)(?:^|[_.-]){_BEFORE}$")


class Redactor:
    """Replaces secrets in texts and in nested records. Known values first, then shapes."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = sorted({value for value in values if len(value) >= VALUE_CHARS_MIN}, key=len, reverse=True)
        self._values = re.compile("|".join(re.escape(value) for value in known)) if known else None

    def text(self, text: str) -> str:
        """The text without secrets, cut at a bound."""
        if len(text) > TEXT_CHARS_MAX:
            text = text[:TEXT_CHARS_MAX] + "…"
        if self._values is not None:
            text = self._values.sub(GONE, text)
        if len(text) < _LONG and _HINT.search(text) is None:
            return text
        for shape in _SHAPES:
            text = shape.sub(rf"\1{GONE}", text)
        return text

    def value(self, value: Any, *, depth: int = 0) -> Any:
        """The same for records of records; a field whose very name says secret loses its value whole."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth >= DEPTH_MAX:
            return GONE
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): GONE
                if _names_a_secret(str(name)) and item not in (None, "")
                else self.value(item, depth=depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, depth=depth + 1) for item in value]
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", errors="backslashreplace"))
        return self.text(repr(value))


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def printable(text: str) -> str:
    """Control, escape and direction characters written out: a log line stays one line, whatever it quotes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)
