"""Listen keys: the right to hear one account's events, for an hour at a time."""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct

from holdfast.sim.model import Refused

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class ListenKey(Struct):
    """One account's key and when it ends."""

    key: str
    account: str
    expires_ns: int


class ListenKeys:
    """At most one valid key per account. Keys are derived from a counter and the account: the same in each run."""

    def __init__(self, valid_ns: int) -> None:
        self._valid_ns = valid_ns
        self._by_account: dict[str, ListenKey] = {}
        self._made = 0

    def start(self, account: str, now_ns: int) -> ListenKey:
        """The account's key, valid from now for its full time; a new one where there is none."""
        entry = self._by_account.get(account)
        if entry is None or now_ns >= entry.expires_ns:
            self._made += 1
            entry = ListenKey(_text_of(f"{account} {self._made}"), account, 0)
            self._by_account[account] = entry
        entry.expires_ns = now_ns + self._valid_ns
        return entry

    def extend(self, account: str, now_ns: int) -> ListenKey:
        """The account's key for another full time. Refused -1125 where there is none."""
        entry = self._by_account.get(account)
        if entry is None or now_ns >= entry.expires_ns:
            raise Refused(-1125, "This listenKey does not exist.")
        entry.expires_ns = now_ns + self._valid_ns
        return entry

    def end(self, account: str) -> ListenKey | None:
        """Take the account's key away."""
        return self._by_account.pop(account, None)

    def expire_now(self, account: str, now_ns: int) -> bool:
        """Let the account's key end at once; whether there was one."""
        entry = self._by_account.get(account)
        if entry is None:
            return False
        entry.expires_ns = now_ns
        return True

    def expired(self, now_ns: int) -> list[ListenKey]:
        """Keys that have just ended; each is told once."""
        gone = [entry for entry in self._by_account.values() if now_ns >= entry.expires_ns]
        for entry in gone:
            del self._by_account[entry.account]
        return gone

    def next_expiry_ns(self) -> int | None:
        """When the next key ends."""
        return min((entry.expires_ns for entry in self._by_account.values()), default=None)

    def valid(self, account: str, now_ns: int) -> str | None:
        """The account's key, while it is valid."""
        entry = self._by_account.get(account)
        return entry.key if entry is not None and now_ns < entry.expires_ns else None


def _text_of(seed: str) -> str:
    digest = blake2b(seed.encode(), digest_size=64).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)
