"""The user of this machine that asks."""

from __future__ import annotations

import os
import pwd


def login_name() -> str:
    """By the system's own table, never by an environment variable that anybody may set."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
