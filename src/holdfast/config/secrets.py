"""The venue key, from a file that only its owner can read, or from the environment. Never from a configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from holdfast.config.check import LOOPBACK
from holdfast.config.errors import ConfigError
from holdfast.config.load import beside
from holdfast.config.schema import Config, VenueKind
from holdfast.config.toml import Document, owner_only, read_text, shown


class Secrets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A venue key. Its text form shows nothing: what is printed by accident must not be a key."""

    api_key: str
    secret: str
    password: str = ""

    def values(self) -> tuple[str, ...]:
        """Every secret text, for redaction by value."""
        return tuple(text for text in (self.api_key, self.secret, self.password) if text)

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(config: Config, *, environment: Mapping[str, str] | None = None) -> Secrets:
    """The key that a configuration names.

    Errors: ConfigError for a file that is missing, readable by others, or not exactly api_key, secret and
    perhaps password; for an unset variable. The message never holds a secret. A paper venue may have none.
    """
    account = config.account
    if account.key_file:
        return load_key(config, account.key_file)
    environment = os.environ if environment is None else environment
    if account.key_env:
        missing = [name for name in (account.key_env, account.secret_env) if not environment.get(name)]
        if missing:
            raise ConfigError(
                f"{config.path or 'configuration'}: environment variable {missing[0]} is not set"
            )
        return Secrets(api_key=environment[account.key_env], secret=environment[account.secret_env])
    if config.venue.kind is VenueKind.PAPER:
        return Secrets(api_key="", secret="")
    raise ConfigError(f"{config.path or 'configuration'}: account.key_file: missing")


class Webhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pages are posted to. The address itself often is the secret, so its text form shows nothing."""

    url: str
    bearer: str = ""

    def __repr__(self) -> str:
        return "Webhook(…)"


def load_webhook(config: Config, name: str) -> Webhook:
    """The webhook in a file beside the configuration. Errors: as ``load_secrets``; plain HTTP beyond this machine."""
    path = beside(config, name)
    owner_only(path, secret=True)
    document = Document(read_text(path), where=shown(path), secret=True)
    webhook = document.convert(document.root, Webhook, ())
    document.finish()
    parts = urlsplit(webhook.url if webhook else "")
    if webhook is None or not parts.hostname or parts.scheme not in {"http", "https"}:
        raise ConfigError(f"{path}: url: expected an address https://…")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigError(f"{path}: url: expected https:// for a host that is not this machine")
    return webhook


def load_key(config: Config, name: str) -> Secrets:
    """The key in a file beside the configuration. Errors: as ``load_secrets``."""
    path = beside(config, name)
    owner_only(path, secret=True)
    document = Document(read_text(path), where=shown(path), secret=True)
    secrets = document.convert(document.root, Secrets, ())
    document.finish()
    if secrets is None or not secrets.api_key or not secrets.secret:
        raise ConfigError(f"{path}: api_key and secret must not be empty")
    return secrets
