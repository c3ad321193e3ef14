"""``holdfast config check``: everything that can be known of a configuration without asking its venue."""

from __future__ import annotations

import json as json_text
from pathlib import Path

from holdfast.app.errors import Exit
from holdfast.app.parts import strategy_of
from holdfast.app.reference import wanting
from holdfast.config.errors import ConfigError
from holdfast.config.fingerprint import fingerprint
from holdfast.config.load import beside, load
from holdfast.config.operators import load_operators
from holdfast.config.reference import read_reference
from holdfast.config.schema import Config
from holdfast.config.secrets import load_key, load_secrets, load_webhook
from holdfast.strategy.load import StrategyUnusable


def main(config_path: str, *, json: bool) -> int:
    """Errors: ConfigError with every problem of the configuration, then of its secrets, strategies and operators."""
    config = load(Path(config_path))
    load_secrets(config)
    if config.watchdog is not None:
        if config.watchdog.key_file:
            load_key(config, config.watchdog.key_file)
        if config.watchdog.webhook_file:
            load_webhook(config, config.watchdog.webhook_file)
    problems = [problem for name in config.strategy if (problem := strategy_problem(config, name))]
    if problems:
        raise ConfigError(*problems)
    reference = read_reference(beside(config, config.reference.file))
    lacks = wanting(config, reference)
    people = load_operators(beside(config, config.paths.operators_file))
    said = {
        "ok": True,
        "config": str(Path(config_path).resolve()),
        "config_hash": fingerprint(config),
        "account": config.account.name,
        "venue": config.account.venue,
        "venue_kind": config.venue.kind.value,
        "arm": config.account.arm,
        "instruments": list(config.limits.instrument),
        "strategies": list(config.strategy),
        "caps": str(beside(config, config.paths.caps_file)),
        "firm": str(beside(config, config.paths.firm_file)) if config.paths.firm_file else "",
        "reference": reference.path,
        "reference_lacks": lacks,
        "operators": {one.name: one.role.value for one in people},
    }
    if json:
        print(json_text.dumps(said))
    else:
        print(
            f"{config_path}: good. Strategies: {', '.join(config.strategy) or 'none'}. "
            f"Instruments: {', '.join(config.limits.instrument)}"
        )
        print(f"account {config.account.name} on {config.account.venue} ({config.venue.kind.value})")
        within = f"hard caps of {config.paths.caps_file}"
        within += f" and its share in {config.paths.firm_file}" if config.paths.firm_file else ""
        print(f"every limit is within the {within}")
        print(
            "\n".join(f"reference file: {line}" for line in lacks) or "the reference file is whole and fresh"
        )
        print(f"hash {fingerprint(config)}")
    return Exit.OK


def strategy_problem(config: Config, name: str) -> str:
    """Why a strategy could not be run, in one line that names its place; empty where it could.

    Imports its module and builds its class, as the run does.
    """
    try:
        strategy_of(config, name)
    except StrategyUnusable as error:
        return f"{config.path}: strategy.{name}.class: {error}"
    return ""
