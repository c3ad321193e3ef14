"""One hash for a configuration, so that two machines can be seen to run the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from holdfast.config.schema import Config
from holdfast.config.values import canonical_value


def canonical(config: Config) -> bytes:
    """The configuration as sorted JSON: equal for equal meaning, whatever comments, order or trailing zeros.

    Secrets are not in it because they are not in a configuration; its own path is left out.
    """
    plain = msgspec.to_builtins(config, enc_hook=canonical_value)
    del plain["path"]
    return msgspec.json.encode(plain, order="sorted")


def fingerprint(config: Config) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(config)).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, for ``sha256`` of a strategy. Errors: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
