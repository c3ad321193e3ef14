"""What the gate knows of an instrument beside its spec: one row, written when the reference file or a volume comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from holdfast.vocab.reference import ALWAYS_NS

NO_BAND: Final = 1 << 62


@dataclass(slots=True, kw_only=True)  # not a Struct: see ``core.ingest.market.Market``
class Facts:
    """One instrument's. What is not known is 0 or empty, and refuses where a limit needs it.

    ``fresh_until_ns`` and ``session_until_ns`` are wall times that an order is compared with: the file is young
    enough, and the venue's session open, before them. 0: never told, or closed. ``told``: the file has a row of it.
    """

    group: str = ""
    adv_lots: int = 0
    band_low_ticks: int = 0
    band_high_ticks: int = NO_BAND
    told: bool = False
    as_of_ns: int = 0
    age_ms_max: int = 0
    fresh_until_ns: int = ALWAYS_NS
    session_until_ns: int = ALWAYS_NS
    session_opens_ns: int = 0
