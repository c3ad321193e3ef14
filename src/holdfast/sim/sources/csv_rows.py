"""Rows of published CSV files: plain, gzip or zip; with or without a header line."""

from __future__ import annotations

import csv
import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Final, TypeAlias, TypeVar

from holdfast.sim.sources.frames import SourceUnusable
from holdfast.vocab.units import NotANumber

T = TypeVar("T")
Row: TypeAlias = tuple[int, list[str]]  # line number, cells

_UNREADABLE: Final = (ValueError, LookupError, NotANumber, csv.Error)


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise SourceUnusable(f"{path}: holds {len(names)} CSV files, one is expected")
            return TextIOWrapper(archive.open(names[0]), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def rows(path: Path, *, columns: Sequence[str] | None) -> Iterator[Row]:
    """The data rows, each as the named columns in the file's order.

    ``columns``: the order where the file has no header line (its first cell is then a number); None: a file
    without a header is refused. The header itself comes first, as line 0.
    """
    try:
        with _opened(path) as file:
            reader = csv.reader(file)
            first = next(reader, None)
            if first is None:
                raise SourceUnusable(f"{path}: empty")
            if first[0].lstrip("-").replace(".", "", 1).isdigit():
                if columns is None:
                    raise SourceUnusable(f"{path}:1: has no header line")
                yield 0, list(columns)
                yield 1, first
            else:
                yield 0, [name.strip() for name in first]
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except FileNotFoundError:
        raise SourceUnusable(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise SourceUnusable(f"{path}: damaged: {error}") from None


class Table:
    """A CSV file with its columns found by name."""

    def __init__(self, path: Path, *, columns: Sequence[str] | None) -> None:
        self.path = path
        self._rows = rows(path, columns=columns)
        self.header = next(self._rows)[1]

    def at(self, name: str, *others: str) -> int:
        """The place of a column, under any of its names. Raises SourceUnusable where it is missing."""
        for one in (name, *others):
            if one in self.header:
                return self.header.index(one)
        raise SourceUnusable(f"{self.path}:1: no column {name!r}")

    def read(self, parse: Callable[[list[str]], T]) -> Iterator[T]:
        """Each row through ``parse``; what it cannot read is named by its line."""
        for number, cells in self._rows:
            try:
                parsed = parse(cells)
            except _UNREADABLE as error:
                raise SourceUnusable(f"{self.path}:{number}: {_told(error)}") from None
            yield parsed


def _told(error: Exception) -> str:
    if isinstance(error, IndexError):
        return "too few cells"
    return f"unknown word {error}" if isinstance(error, KeyError) else str(error)
