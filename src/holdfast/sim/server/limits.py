"""Rate limits: request weight per address, orders per account, in windows aligned to the venue's clock."""

from __future__ import annotations

from msgspec import Struct

from holdfast.sim.config import LimitsConfig
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

_MINUTE_NS = 60 * NS_PER_S
_TEN_NS = 10 * NS_PER_S


class TooMany(Exception):
    """429 or 418: the body's code and text, and after how many seconds to come back."""

    def __init__(self, *, http: int, code: int, msg: str, retry_after_s: int) -> None:
        super().__init__(msg)
        self.http = http
        self.code = code
        self.msg = msg
        self.retry_after_s = retry_after_s


class _Window:
    """A count that starts afresh whenever the clock enters the next window."""

    __slots__ = ("count", "length_ns", "number")

    def __init__(self, length_ns: int) -> None:
        self.length_ns = length_ns
        self.number = -1
        self.count = 0

    def used(self, now_ns: int) -> int:
        number = now_ns // self.length_ns
        if number != self.number:
            self.number = number
            self.count = 0
        return self.count

    def left_s(self, now_ns: int) -> int:
        return max(1, -(-((now_ns // self.length_ns + 1) * self.length_ns - now_ns) // NS_PER_S))


class _Address:
    """One address's weight, its sins in this window, and its ban."""

    __slots__ = ("banned_until_ns", "bans", "over", "weight")

    def __init__(self) -> None:
        self.weight = _Window(_MINUTE_NS)
        self.over = _Window(_MINUTE_NS)
        self.banned_until_ns = 0
        self.bans = 0


class _Orders:
    """One account's order counts."""

    __slots__ = ("minute", "ten")

    def __init__(self) -> None:
        self.ten = _Window(_TEN_NS)
        self.minute = _Window(_MINUTE_NS)


class Usage(Struct, frozen=True):
    """What the reply's headers tell. The order counts are None where the request was no order."""

    weight: int
    orders_10s: int | None = None
    orders_1m: int | None = None


class RateLimits:
    """Counts requests and refuses those beyond the limits.

    Addresses and accounts are few here, and each holds a handful of integers; 10,000 addresses are the bound,
    after which the oldest is forgotten.
    """

    ADDRESSES_MAX = 10_000

    def __init__(self, config: LimitsConfig) -> None:
        self.config = config
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[str, _Orders] = {}

    def charge(self, address: str, weight: int, now_ns: int) -> int:
        """Count a request's weight; the weight used in this minute.

        Errors: TooMany 429 beyond the limit; 418 for an address that was told and went on.
        """
        entry = self._address(address)
        if now_ns < entry.banned_until_ns:
            raise self._banned(address, entry, now_ns)
        used = entry.weight.used(now_ns)
        if used + weight > self.config.weight_per_minute and weight > 0:
            entry.over.used(now_ns)
            entry.over.count += 1
            if entry.over.count > self.config.ban_after:
                length_s = min(self.config.ban_s << min(entry.bans, 20), self.config.ban_s_max)
                entry.banned_until_ns = now_ns + length_s * NS_PER_S
                entry.bans += 1
                raise self._banned(address, entry, now_ns)
            raise TooMany(
                http=429,
                code=-1003,
                msg=f"Too many requests; current limit of IP({address}) is {self.config.weight_per_minute} requests "
                "per minute. Please use the websocket for live updates to avoid polling the API.",
                retry_after_s=entry.weight.left_s(now_ns),
            )
        entry.weight.count = used + weight
        return entry.weight.count

    def charge_orders(self, account: str, in_10s: int, in_1m: int, now_ns: int) -> tuple[int, int]:
        """Count orders of an account; (in these 10 s, in this minute). Errors: TooMany 429 (-1015)."""
        entry = self._orders.setdefault(account, _Orders())
        for window, more, limit, span in (
            (entry.ten, in_10s, self.config.orders_per_10s, "10 SECOND"),
            (entry.minute, in_1m, self.config.orders_per_minute, "1 MINUTE"),
        ):
            if window.used(now_ns) + more > limit:
                raise TooMany(
                    http=429,
                    code=-1015,
                    msg=f"Too many new orders; current limit is {limit} orders per {span}.",
                    retry_after_s=window.left_s(now_ns),
                )
        entry.ten.count += in_10s
        entry.minute.count += in_1m
        return entry.ten.count, entry.minute.count

    def orders_used(self, account: str, now_ns: int) -> tuple[int, int]:
        """An account's order counts now."""
        entry = self._orders.get(account)
        if entry is None:
            return 0, 0
        return entry.ten.used(now_ns), entry.minute.used(now_ns)

    def weight_used(self, address: str, now_ns: int) -> int:
        """An address's weight in this minute."""
        entry = self._addresses.get(address)
        return 0 if entry is None else entry.weight.used(now_ns)

    def ban(self, address: str, seconds: int, now_ns: int) -> None:
        """Ban an address by decree (a fault)."""
        self._address(address).banned_until_ns = now_ns + seconds * NS_PER_S

    def _address(self, address: str) -> _Address:
        entry = self._addresses.get(address)
        if entry is None:
            if len(self._addresses) >= self.ADDRESSES_MAX:
                self._addresses.pop(next(iter(self._addresses)))
            entry = self._addresses[address] = _Address()
        return entry

    def _banned(self, address: str, entry: _Address, now_ns: int) -> TooMany:
        until_ms = entry.banned_until_ns // NS_PER_MS
        return TooMany(
            http=418,
            code=-1003,
            msg=f"Way too many requests; IP({address}) banned until {until_ms}. Please use the websocket for live "
            "updates to avoid bans.",
            retry_after_s=-(-(entry.banned_until_ns - now_ns) // NS_PER_S),
        )
