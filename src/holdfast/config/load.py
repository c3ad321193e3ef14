"""Reads a configuration file: TOML in, a checked ``Config`` out, or every problem by name and place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import structs

from holdfast.config.caps import over_caps, read_caps
from holdfast.config.check import check
from holdfast.config.firm import over_share, read_share
from holdfast.config.schema import (
    AccountLimitsSection,
    AccountSection,
    Config,
    CriteriaSection,
    DeadSwitchSection,
    EquitiesSection,
    FeedSection,
    FeedsSection,
    FlowSection,
    GroupFlowSection,
    HoursSection,
    InstrumentLimitsSection,
    LimitsSection,
    LogSection,
    MarketHaltsSection,
    PathsSection,
    ProbeSection,
    ReferenceSection,
    Section,
    ServeSection,
    StrategyLimitsSection,
    StrategySection,
    TimingsSection,
    UpSection,
    VenueSection,
    WatchdogSection,
)
from holdfast.config.toml import INSTRUMENT, NAME, Document, read_text, shown
from holdfast.vocab.invariant import invariant

CONFIG_NAME: Final = "holdfast.toml"
_SECTIONS: Final = (
    "account",
    "venue",
    "limits",
    "timings",
    "reference",
    "market_halts",
    "hours",
    "strategy",
    "criteria",
    "flow",
    "flow_group",
    "paths",
    "feed",
    "feeds",
    "equities",
    "serve",
    "log",
    "up",
    "dead_switch",
    "probe",
    "watchdog",
)
S = TypeVar("S", bound=Section)


def load(path: Path) -> Config:
    """The configuration in a file, under its caps and its firm's. Errors: ConfigError, a line for each problem."""
    text = read_text(path)
    config = load_text(text, where=shown(path), path=path)
    caps = read_caps(beside(config, config.paths.caps_file))
    document = Document(text, where=shown(path))
    over_caps(config, caps, document)
    share = None
    if config.paths.firm_file:
        account = config.account
        share = read_share(
            beside(config, config.paths.firm_file), account=account.name, settle_asset=account.settle_asset
        )
        over_share(config, share, document)
    document.finish()
    return structs.replace(config, caps=caps, firm_share=share)


def load_text(text: str, *, where: str, path: Path | None = None) -> Config:
    """The configuration in a text; ``where`` names it in errors. Errors: as ``load``."""
    document = Document(text, where=where)
    document.allow(document.root, (), known=_SECTIONS)
    document.allow(document.table(("limits",)), ("limits",), known=("account", "instrument", "strategy"))
    parts = {
        "account": _section(document, AccountSection, "account"),
        "venue": _section(document, VenueSection, "venue"),
        "timings": _section(document, TimingsSection, "timings"),
        "reference": _section(document, ReferenceSection, "reference"),
        "market_halts": _section(document, MarketHaltsSection, "market_halts"),
        "hours": _section(document, HoursSection, "hours", required=False),
        "paths": _section(document, PathsSection, "paths"),
        "feed": _section(document, FeedSection, "feed"),
        "serve": _section(document, ServeSection, "serve", required=False),
        "log": _section(document, LogSection, "log", required=False),
        "up": _section(document, UpSection, "up", required=False),
        "probe": _section(document, ProbeSection, "probe", required=False),
        "dead_switch": _section(document, DeadSwitchSection, "dead_switch"),
    }
    feeds = _section(document, FeedsSection, "feeds") if "feeds" in document.root else None
    equities = _section(document, EquitiesSection, "equities") if "equities" in document.root else None
    watchdog = _section(document, WatchdogSection, "watchdog") if "watchdog" in document.root else None
    limits = (
        _section(document, AccountLimitsSection, "limits", "account"),
        _named(
            document, InstrumentLimitsSection, ("limits", "instrument"), pattern=INSTRUMENT, required=True
        ),
        _strategy_limits(document),
    )
    strategies = _named(document, StrategySection, ("strategy",), pattern=NAME)
    criteria = _named(document, CriteriaSection, ("criteria",), pattern=NAME)
    flow = _named(document, FlowSection, ("flow",), pattern=INSTRUMENT)
    flow_group = _named(document, GroupFlowSection, ("flow_group",), pattern=NAME)
    document.finish()  # what cannot be read cannot be compared either
    config = Config(
        path=str(path) if path else "",
        limits=LimitsSection(
            account=_sure(limits[0]),
            instrument=limits[1],
            strategy=limits[2],
        ),
        strategy=strategies,
        equities=equities,
        criteria=criteria,
        flow=flow,
        flow_group=flow_group,
        feeds=feeds,
        watchdog=watchdog,
        **{name: _sure(part) for name, part in parts.items()},
    )
    check(config, document)
    document.finish()
    return config


def beside(config: Config, name: str) -> Path:
    """A path of the configuration: relative ones start at the file's directory (or at the current one)."""
    path = Path(name).expanduser()
    if path.is_absolute():
        return path
    return (Path(config.path).resolve().parent if config.path else Path.cwd()) / path


def strategy_class(config: Config, name: str) -> str:
    """The class of a strategy as ``strategy.load`` takes it: a file's path is made whole, a module stays."""
    place, _, found = config.strategy[name].class_path.rpartition(":")
    return f"{beside(config, place)}:{found}" if place.endswith(".py") else f"{place}:{found}"


def _section(document: Document, kind: type[S], *key: str, required: bool = True) -> S | None:
    before = len(document.problems)
    table = document.table(key, required=required)
    return None if len(document.problems) > before else document.convert(table, kind, key)


def _named(
    document: Document, kind: type[S], key: tuple[str, ...], *, pattern: str, required: bool = False
) -> dict[str, S]:
    read: dict[str, S] = {}
    for name, raw in document.named_tables(key, pattern=pattern, required=required).items():
        section = document.convert(raw, kind, (*key, name))
        if section is not None:
            read[name] = section
    return read


def _strategy_limits(document: Document) -> dict[str, dict[str, StrategyLimitsSection]]:
    key = ("limits", "strategy")
    return {
        name: _named(document, StrategyLimitsSection, (*key, name), pattern=INSTRUMENT)
        for name in document.named_tables(key, pattern=NAME)
    }


def _sure(part: Any) -> Any:
    invariant(part is not None, "a section without a problem was read")
    return part
