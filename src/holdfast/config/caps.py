"""The hard caps: a file of its own, that no command and no API can change, above every limit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from holdfast.config.errors import ConfigError
from holdfast.config.schema import (
    AccountLimitsSection,
    CapsFile,
    Config,
    InstrumentLimitsSection,
    Section,
    StrategyLimitsSection,
)
from holdfast.config.toml import INSTRUMENT, Document, owner_only, read_text, shown
from holdfast.config.values import Amount, Duration, Multiple, Ratio
from holdfast.vocab.governed import ACCOUNT_ROWS, INSTRUMENT_ROWS, STRATEGY_ROWS, LimitRow

S = TypeVar("S", bound=Section)


def read_caps(path: Path) -> CapsFile:
    """The caps file: closed, every key required.

    Errors: ConfigError for a file that is missing or that others may write, and for every key that is missing,
    unknown or no such value.
    """
    document = Document(read_text(path), where=shown(path))
    owner_only(path, secret=False)
    document.allow(document.root, (), known=("account", "instrument"))
    account = document.convert(document.table(("account",)), AccountLimitsSection, ("account",))
    instruments: dict[str, InstrumentLimitsSection] = {}
    for name, raw in document.named_tables(("instrument",), pattern=INSTRUMENT, required=True).items():
        section = document.convert(raw, InstrumentLimitsSection, ("instrument", name))
        if section is not None:
            instruments[name] = section
    document.finish()
    if account is None:
        raise ConfigError(f"{path}: [account] cannot be read")
    return CapsFile(account=account, instrument=instruments)


def over_caps(config: Config, caps: CapsFile, document: Document) -> None:
    """Note in the configuration's document every limit that is looser than its hard cap, or that has none."""
    where = config.paths.caps_file
    limits = config.limits
    _compare(("account",), limits.account, caps.account, ACCOUNT_ROWS, where, document)
    for name, section in limits.instrument.items():
        cap = caps.instrument.get(name)
        if cap is None:
            document.problem(
                ("limits", "instrument", name), f"has no hard caps: expected [instrument.{name}] in {where}"
            )
            continue
        _compare(("instrument", name), section, cap, INSTRUMENT_ROWS, where, document)
        for strategy, pairs in limits.strategy.items():
            if name in pairs:
                _compare(("strategy", strategy, name), pairs[name], cap, STRATEGY_ROWS, where, document)


def _compare(
    key: tuple[str, ...],
    limits: AccountLimitsSection | InstrumentLimitsSection | StrategyLimitsSection,
    caps: AccountLimitsSection | InstrumentLimitsSection,
    rows: tuple[LimitRow, ...],
    where: str,
    document: Document,
) -> None:
    for row in rows:
        if not row.capped:
            continue
        limit, cap = getattr(limits, row.key), getattr(caps, row.key)
        one, other = number(limit), number(cap)
        if one < other if row.less_loosens else one > other:
            most = "at least" if row.less_loosens else "at most"
            document.problem(
                ("limits", *key, row.key), f"expected {most} its hard cap ({cap} in {where}), got {limit}"
            )


def number(value: Amount | Ratio | Multiple | Duration | int) -> Decimal:
    """What a value of the configuration comes to, to compare it with another of its kind."""
    match value:
        case Amount():
            return value.number
        case Ratio() | Multiple():
            return Decimal(value.ppm)
        case Duration():
            return Decimal(value.ms)
        case int():
            return Decimal(value)
