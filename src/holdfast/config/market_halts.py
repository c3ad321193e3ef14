"""What a fall of the market does, as people write it: ``7% reduce_only account``, ``10% halted instrument``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from holdfast.config.values import BadValue, Ratio
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.reference import MarketHalt

_LEVELS: Final = {
    level.name.lower(): level for level in (HoldLevel.REDUCED, HoldLevel.REDUCE_ONLY, HoldLevel.HALTED)
}
_HALT: Final = re.compile(r"(\S+) (reduced|reduce_only|halted) (account|instrument)")
_EXAMPLE: Final = (
    "expected a fall, what it does (reduced, reduce_only, halted) and where (account, instrument), "
    'such as "7% reduce_only account"'
)


def read_halts(texts: Sequence[str]) -> tuple[MarketHalt, ...]:
    """The table, the smallest fall first. Errors: BadValue for a text that is none, or a larger fall that does less."""
    found: list[MarketHalt] = []
    for text in texts:
        match = _HALT.fullmatch(text.strip())
        if match is None:
            raise BadValue(f"{_EXAMPLE}, got {text!r:.60}")
        found.append(
            MarketHalt(
                fall_ppm=Ratio.read(match[1]).ppm,
                level=_LEVELS[match[2]],
                everywhere=match[3] == "account",
            )
        )
    found.sort(key=lambda halt: halt.fall_ppm)
    for everywhere in (True, False):
        levels = [halt.level for halt in found if halt.everywhere is everywhere]
        if levels != sorted(levels):
            raise BadValue("a larger fall does less than a smaller one in the same place")
    return tuple(found)
