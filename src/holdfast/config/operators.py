"""Who may tell the bot what: the operators file.

It holds names, roles and hashes of tokens, never a token. A token is 256 random bits, so one plain SHA-256 of
it is enough: there is nothing to guess that a slow hash would slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from holdfast.config.errors import ConfigError
from holdfast.config.toml import Document, owner_only, read_text, shown

RANDOM_BYTES: Final = 32
PREFIX: Final = "hf_"  # so that a token found somewhere says what it is
OPERATORS_MAX: Final = 100
# Hashes of what people write when they mean to write a token later.
_NO_TOKENS: Final = frozenset(
    hashlib.sha256(text.encode()).hexdigest()
    for text in (
        "",
        "token",
        "secret",
        "changeme",
        "change-me",
        "password",
        "admin",
        "holdfast",
        "default",
        "hf_",
    )
)

OUR_OWN_NAMES: Final = ("start", "holdfast", "journal", "monitor", "reconcile", "auto", "fatal", "watchdog")


class Role(Enum):
    """What a person may do. Each may do what the one before it may."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # stop, and let a stopped bot go on once its checks pass
    RISK = "risk"  # decide on unknown orders, quarantined fills, found positions; leave KILLED

    def covers(self, needed: Role) -> bool:
        """True when this role includes the needed one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Operator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person. ``logins``: users of this machine that are this person at the command line."""

    role: Role
    token_sha256: str
    logins: list[str] = field(default_factory=list)
    name: str = ""  # the table's name; not written in the table itself


def new_token() -> str:
    """A fresh bearer token of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def token_hash(token: str) -> str:
    """What the operators file holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def load_operators(path: Path) -> tuple[Operator, ...]:
    """The people of an operators file.

    Errors: ConfigError for a file that others may write, unknown keys or roles, a hash that is not one or
    that is of a word like "changeme", one token or login for two people, or nobody at all.
    """
    owner_only(path, secret=False)
    document = Document(read_text(path), where=shown(path))
    document.allow(document.root, (), known=("operator",))
    people: list[Operator] = []
    for name, raw in document.named_tables(("operator",), pattern=r"[A-Za-z0-9_.-]+", required=True).items():
        key = ("operator", name)
        if name in OUR_OWN_NAMES:
            document.problem(key, f"{name} is what our own acts are signed with: expected another name")
        if "name" in raw:
            document.problem(
                (*key, "name"), "the table's own name is the operator's name: expected no such key"
            )
            continue
        read = document.convert(raw, Operator, key)
        if read is None:
            continue
        if re.fullmatch(r"[0-9a-f]{64}", read.token_sha256) is None:
            document.problem(
                (*key, "token_sha256"), "expected the 64 hexadecimal digits of a token's SHA-256"
            )
        if read.token_sha256 in _NO_TOKENS:
            document.problem(
                (*key, "token_sha256"), "a token that everybody knows: run holdfast init for a new one"
            )
        people.append(Operator(name=name, role=read.role, token_sha256=read.token_sha256, logins=read.logins))
    _distinct(people, document)
    if len(people) > OPERATORS_MAX:
        document.problem(("operator",), f"expected at most {OPERATORS_MAX} operators, got {len(people)}")
    document.finish()
    if not people:
        raise ConfigError(f"{path}: names no operator: expected at least one [operator.NAME]")
    return tuple(people)


def _distinct(people: Sequence[Operator], document: Document) -> None:
    """Two persons means two credentials: a shared token would let one act as both."""
    tokens: dict[str, str] = {}
    logins: dict[str, str] = {}
    for one in people:
        if one.token_sha256 in tokens:
            document.problem(
                ("operator", one.name, "token_sha256"), f"the same token as {tokens[one.token_sha256]}"
            )
        tokens[one.token_sha256] = one.name
        for login in one.logins:
            if logins.get(login, one.name) != one.name:
                document.problem(
                    ("operator", one.name, "logins"),
                    f"the login {login} belongs to operator.{logins[login]} already: take it out of one of them",
                )
            logins[login] = one.name


def by_token(people: Sequence[Operator], token: str) -> Operator | None:
    """Whose token this is. Takes as long for a wrong one as for a right one: every hash is compared."""
    given = token_hash(token)
    found: Operator | None = None
    for one in people:
        if hmac.compare_digest(one.token_sha256, given):
            found = one
    return found


def by_login(people: Sequence[Operator], login: str) -> Operator | None:
    """Who this user of the machine is."""
    return next((one for one in people if login in one.logins), None)
