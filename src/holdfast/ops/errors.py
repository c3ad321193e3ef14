"""How a command can fail before or beside the bot's own answer. Each is one line for a person."""

from __future__ import annotations


class UsageError(Exception):
    """A command that cannot be read: what is wrong, and what is expected."""


class NotRunning(Exception):
    """The bot cannot be reached, and what is known of why."""


class Denied(Exception):
    """May not: who, and what is missing. Never a token."""
