"""Finding a strategy by name: ``package.module:Class`` or ``path/to/file.py:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from zlib import crc32

from holdfast.strategy.api import CALLBACKS, Strategy


class StrategyUnusable(Exception):
    """A strategy cannot be loaded or built: one line with its name, the place and the reason."""


def load_strategy(where: str, params: Mapping[str, object] | None = None) -> object:
    """Import the class and build it with ``params`` as keyword arguments.

    Raises StrategyUnusable for anything that a person can get wrong: file, class, parameters, callbacks.
    """
    place, colon, name = where.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise StrategyUnusable(f"{where!r}: write it as package.module:Class or path/to/file.py:Class")
    module = _from_file(Path(place), where) if place.endswith(".py") else _from_package(place, where)
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        has = sorted(
            key
            for key, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__
        )
        raise StrategyUnusable(f"{where}: no class {name!r} there; it has {', '.join(has) or 'none'}")
    _check_callbacks(where, found)
    return _built(where, found, dict(params or {}))


def _from_package(place: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except Exception as error:
        raise StrategyUnusable(f"{where}: cannot be imported: {_one_line(error)}") from error


class _AsWritten(SourceFileLoader):
    """Reads the text itself: bytecode kept beside it goes by second and size, and may be of the text before."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _from_file(path: Path, where: str) -> ModuleType:
    if not path.is_file():
        raise StrategyUnusable(f"{where}: no such file")
    # under a name of its own, so that two files with one stem stay apart
    name = f"holdfast_strategy_{path.stem}_{crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsWritten(name, str(path)))
    if spec is None or spec.loader is None:
        raise StrategyUnusable(f"{where}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise StrategyUnusable(f"{where}: cannot be imported: {_one_line(error)}") from error
    return module


def _check_callbacks(where: str, found: type) -> None:
    """A misspelt callback would never be called; one with other arguments would fail at its first event."""
    for name in dir(found):
        if not name.startswith("on_"):
            continue
        if name not in CALLBACKS:
            raise StrategyUnusable(f"{where}: {name} is no callback; there are {', '.join(CALLBACKS)}")
        function = getattr(found, name)
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise StrategyUnusable(
                f"{where}: {name} must be a plain function, not async and not an attribute"
            )
        expected = tuple(inspect.signature(getattr(Strategy, name)).parameters)
        try:
            inspect.signature(function).bind(*expected)
        except TypeError:
            raise StrategyUnusable(f"{where}: {name} must take ({', '.join(expected)})") from None


def _built(where: str, found: type, params: dict[str, object]) -> object:
    try:
        inspect.signature(found).bind(**params)
    except TypeError as error:
        raise StrategyUnusable(f"{where}: parameters: {error}") from None
    try:
        return found(**params)
    except Exception as error:
        raise StrategyUnusable(f"{where}: cannot be built: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    place = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{place}{type(error).__name__}: {text}"[:500]
