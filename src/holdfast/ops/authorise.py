"""Who gives a command, and may they. Every failure denies.

Stopping is cheap: whoever may run programs as the bot's user may halt it, for they could also end it.
Loosening is dear: it takes the token of an operator with the role, shown for this very command; leaving KILLED
takes a second person's as well, or, alone, waits out the labelled cooling delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from holdfast.config.errors import ConfigError
from holdfast.config.operators import Operator, Role, by_login, by_token
from holdfast.config.toml import owner_only, read_text
from holdfast.ops.commands import Friction, Row
from holdfast.ops.errors import Denied
from holdfast.ops.who import login_name


def permit(row: Row, person: Operator, *, second: Operator | None = None) -> str:
    """Check role and second person; returns the second person's name, empty without one.

    Errors: Denied.
    """
    needed = Role(row.role)
    if not person.role.covers(needed):
        raise Denied(f"{row.name}: {person.name} is {person.role.value}; it needs {needed.value}")
    if second is None:
        return ""
    if row.friction is not Friction.TWO_PERSONS:
        raise Denied(f"{row.name}: takes no second person")
    if second.name == person.name or second.token_sha256 == person.token_sha256:
        raise Denied(f"{row.name}: the second person is the first one, {person.name}")
    if not second.role.covers(needed):
        raise Denied(f"{row.name}: {second.name} is {second.role.value}; it needs {needed.value}")
    return second.name


def at_terminal(
    row: Row, people: Sequence[Operator], *, token: str, second_token: str = ""
) -> tuple[str, str]:
    """Who acts at the command line, and the second person: names for the journal.

    ``token`` is empty where none was found. Errors: Denied, for a loosening command without a good token.
    """
    login = login_name()
    if not row.loosens:
        known = by_login(people, login)
        return (known.name if known else f"login:{login}"), ""
    if not people:
        raise Denied(
            f"{row.name}: there is no operators file, so nobody may loosen (holdfast init writes one)"
        )
    if not token:
        raise Denied(f"{row.name}: needs your token, given by --token-file FILE or $HOLDFAST_TOKEN_FILE")
    person = by_token(people, token)
    if person is None:
        raise Denied(f"{row.name}: the token is no operator's")
    second = by_token(people, second_token) if second_token else None
    if second_token and second is None:
        raise Denied(f"{row.name}: the second token is no operator's")
    return person.name, permit(row, person, second=second)


def read_token(path: Path) -> str:
    """The token in a file of mode 0600. Errors: ConfigError otherwise."""
    owner_only(path, secret=True)
    token = read_text(path).strip()
    if not token or any(one.isspace() for one in token) or len(token) > 200:
        raise ConfigError(f"{path}: expected one token and nothing else")
    return token
