"""What names an account on this host, whatever a configuration calls it: its latch and its lease go by it.

Two configurations that lead to one account must come to one name, else each could trade while the other is
halted. Only texts go in and nothing heavy is imported: ``holdfast halt`` comes to the same name without reading
the configuration in full.
"""

from __future__ import annotations

LIVE = "live"


def venue_name(*, venue: str, kind: str, rest_url: str) -> str:
    """The venue: two simulated ones on two ports are two venues."""
    if kind == LIVE or not rest_url:
        return venue
    place = rest_url.partition("://")[2].partition("/")[0]
    return f"{venue}@{place}"


def account_name(*, uid: str, api_key: str, name: str) -> str:
    """The account: its number at the venue, else what its key is, else what we call it. The key cannot be told."""
    if uid:
        return uid
    if api_key:
        from hashlib import blake2b

        return "key-" + blake2b(api_key.encode(), digest_size=8).hexdigest()
    return name
