"""Anchors in a file of their own: on another host, in a repository, in a mailbox. One ``index hash`` per line.

Whoever keeps them out of the journal's reach can see a missing tail or a rewritten chain (``chain.verify``).
"""

from __future__ import annotations

from pathlib import Path

from holdfast.journal.codec import HASH_BYTES
from holdfast.journal.segments import Anchor


def anchor_line(anchor: Anchor) -> str:
    """An anchor as one line: for a file, a message, a commit."""
    return f"{anchor.index} {anchor.hash_hex}"


def keep_anchor(path: str, anchor: Anchor) -> None:
    """Add an anchor to a file. Raises OSError: an anchor that was not kept must be noticed."""
    with Path(path).open("a", encoding="ascii") as file:
        file.write(anchor_line(anchor) + "\n")


def read_anchors(path: str) -> tuple[Anchor, ...]:
    """The anchors of a file.

    Errors: ValueError naming the line that is none; OSError.
    """
    return tuple(
        _parse(line, f"{path}: line {number}")
        for number, line in enumerate(Path(path).read_text(encoding="ascii").splitlines(), start=1)
        if line.strip()
    )


def _parse(line: str, where: str) -> Anchor:
    index, _, hash_hex = line.strip().partition(" ")
    whole = index.isdecimal() and len(hash_hex) == 2 * HASH_BYTES
    if not whole or any(digit not in "0123456789abcdef" for digit in hash_hex):
        raise ValueError(f"{where}: not an anchor: {line[:80]!r}")
    return Anchor(int(index), hash_hex)
