"""``holdfast init``: a directory to start from. It overwrites nothing."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from holdfast.app import templates
from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import InitOptions
from holdfast.config.load import CONFIG_NAME, load
from holdfast.config.operators import load_operators, new_token, token_hash
from holdfast.ops.who import login_name
from holdfast.sim.config import AccountConfig

TOKEN_NAME: Final = "operator.token"  # noqa: S105 - a file's name
OPERATORS_NAME: Final = "operators.toml"
KEYS_NAME: Final = "keys.toml"
CAPS_NAME: Final = "caps.toml"
REFERENCE_NAME: Final = "reference.toml"
SIM_URL: Final = "127.0.0.1:8710"
SIM_CONTROL_URL: Final = "127.0.0.1:8711"
EXAMPLES: Final = {
    "quoter": ("holdfast.strategy.examples.two_sided_quoter:TwoSidedQuoter", "0.33", "8"),
    "momentum": ("holdfast.strategy.examples.momentum_taker:MomentumTaker", "0.2", "4"),
}


def main(options: InitOptions) -> int:
    """Write a directory to start from: configuration to token. Errors: HoldfastError; nothing is written then."""
    directory = Path(options.directory)
    _person(options.operator)  # before anything is written
    texts = {
        CONFIG_NAME: config_text(strategies={"two_sided": ("strategy.py:TwoSided", "0.33", "8")}),
        CAPS_NAME: templates.CAPS,
        REFERENCE_NAME: reference_text(),
        "strategy.py": templates.STRATEGY,
        KEYS_NAME: keys_text(),
        ".gitignore": templates.GITIGNORE,
    }
    names = [*texts, OPERATORS_NAME, TOKEN_NAME]
    present = [name for name in names if os.path.lexists(directory / name)]
    if present:
        raise HoldfastError(
            Exit.USAGE, f"exists already: {', '.join(present)}; nothing was written", str(directory)
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _write(directory / name, text, secret=name == KEYS_NAME)
        token = write_operators(directory, name=options.operator)
    except OSError as error:
        raise HoldfastError(
            Exit.USAGE, f"cannot write: {(error.strerror or str(error)).lower()}", str(directory)
        ) from None
    load(directory / CONFIG_NAME)  # what we hand over is good, or we say so now
    load_operators(directory / OPERATORS_NAME)
    if options.json:
        print(json.dumps({"ok": True, "directory": str(directory.resolve()), "files": names}))
        return Exit.OK
    print(f"wrote {', '.join(names)} in {directory}")
    print(f"your token, shown once and kept in {TOKEN_NAME} (mode 0600): {token}")
    print(f"next: cd {directory} && holdfast up" if options.directory != "." else "next: holdfast up")
    return Exit.OK


def config_text(
    *,
    account: str = "demo",
    uid: str = "",
    rest_url: str = f"http://{SIM_URL}",
    stream_url: str = f"ws://{SIM_URL}",
    control_url: str = f"http://{SIM_CONTROL_URL}",
    state_dir: str = "state",
    strategies: dict[str, tuple[str, str, str]] | None = None,
) -> str:
    """The commented configuration. ``strategies``: name to (class, BTC position, ETH position); the examples.

    The demonstration is this very text with its own ports: what a newcomer sees run is what init writes.
    """
    chosen = EXAMPLES if strategies is None else strategies
    return templates.CONFIG.substitute(
        account=account,
        uid=uid or AccountConfig().uid,
        rest_url=rest_url,
        stream_url=stream_url,
        control_url=control_url,
        state_dir=state_dir,
        strategies="".join(
            templates.STRATEGY_SECTION.substitute(name=name, where=where) + "\n"
            for name, (where, _, _) in chosen.items()
        ),
        strategy_limits="".join(
            templates.STRATEGY_LIMITS.substitute(name=name, btc=btc, eth=eth)
            for name, (_, btc, eth) in chosen.items()
        ),
    )


def reference_text() -> str:
    """The commented reference file, looked at now."""
    return templates.REFERENCE.substitute(as_of=_now_text())


def as_of_now(text: str) -> str:
    """A reference file as if somebody had looked at all of it now."""
    return re.sub(r"(?m)^as_of = \S+", f"as_of = {_now_text()}", text, count=1)


def _now_text() -> str:
    return datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def keys_text() -> str:
    """The key of the simulated venue's first account."""
    account = AccountConfig()
    return templates.KEYS.substitute(api_key=account.api_key, secret=account.secret)


def write_operators(directory: Path, *, name: str | None = None) -> str:
    """Write an operators file for this user with a fresh token, and the token beside it; returns the token.

    Errors: OSError when one exists or cannot be written; HoldfastError for a name that is none.
    """
    token = new_token()
    text = templates.OPERATORS.substitute(
        name=_person(name), token_sha256=token_hash(token), login=login_name()
    )
    _write(directory / OPERATORS_NAME, text, secret=True)
    _write(directory / TOKEN_NAME, token + "\n", secret=True)
    return token


def _person(name: str | None) -> str:
    person = name or re.sub(r"[^A-Za-z0-9_.-]", "_", login_name())
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", person) is None:
        raise HoldfastError(
            Exit.USAGE, f"--operator: expected letters, digits, _ . or -, got {person[:40]!r}"
        )
    return person


def write_keys(directory: Path) -> None:
    """Write the simulated venue's key file. Errors: OSError when one exists or cannot be written."""
    _write(directory / KEYS_NAME, keys_text(), secret=True)


def _write(path: Path, text: str, *, secret: bool) -> None:
    """A new file, never an old one; a secret is not readable by others at any moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
