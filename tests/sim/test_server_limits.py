"""Rate limits: counted, told in headers, enforced, and the same in exchangeInfo."""

import pytest

from holdfast.sim.config import LimitsConfig
from holdfast.sim.server.limits import RateLimits, TooMany
from tests.sim.server_house import a_bench, run

S = 10**9
T0 = 60 * S * 1_000_000


def refusal_of(act, *args):
    try:
        act(*args)
    except TooMany as why:
        return why
    return None


def test_weight_is_counted_per_minute_of_the_venues_clock():
    limits = RateLimits(LimitsConfig(weight_per_minute=100))
    assert [40, 80] == [limits.charge("a", 40, T0) for _ in range(2)]
    told = refusal_of(limits.charge, "a", 40, T0 + 50 * S)
    assert (429, -1003, 10) == (told.http, told.code, told.retry_after_s)
    assert 40 == limits.charge("a", 40, T0 + 60 * S)


def test_each_address_has_its_own_weight():
    limits = RateLimits(LimitsConfig(weight_per_minute=50))
    limits.charge("a", 50, T0)
    assert 50 == limits.charge("b", 50, T0)


def test_who_does_not_heed_a_429_is_banned_and_longer_each_time():
    """A client that hammers on must end up without the venue, as it would in life."""
    limits = RateLimits(LimitsConfig(weight_per_minute=10, ban_after=3, ban_s=120))
    limits.charge("a", 10, T0)
    told = [refusal_of(limits.charge, "a", 1, T0 + n) for n in range(5)]
    assert [429, 429, 429, 418, 418] == [one.http for one in told]
    assert 120 == told[3].retry_after_s
    assert str((T0 + 3 + 120 * S) // 10**6) in told[3].msg
    later = T0 + 180 * S
    limits.charge("a", 10, later)
    again = [refusal_of(limits.charge, "a", 1, later + n) for n in range(4)]
    assert 240 == again[3].retry_after_s


def test_orders_are_counted_per_account_in_both_windows():
    limits = RateLimits(LimitsConfig(orders_per_10s=3, orders_per_minute=4))
    assert [(1, 1), (2, 2), (3, 3)] == [limits.charge_orders("a", 1, 1, T0) for _ in range(3)]
    told = refusal_of(limits.charge_orders, "a", 1, 1, T0)
    assert (-1015, "Too many new orders; current limit is 3 orders per 10 SECOND.") == (told.code, told.msg)
    assert (1, 4) == limits.charge_orders("a", 1, 1, T0 + 10 * S)
    assert "1 MINUTE" in refusal_of(limits.charge_orders, "a", 1, 1, T0 + 10 * S).msg
    assert (1, 1) == limits.charge_orders("b", 1, 1, T0)


def test_a_refused_order_is_not_counted():
    limits = RateLimits(LimitsConfig(orders_per_10s=1, orders_per_minute=100))
    limits.charge_orders("a", 1, 1, T0)
    for _ in range(5):
        refusal_of(limits.charge_orders, "a", 1, 1, T0)
    assert (1, 2) == limits.charge_orders("a", 1, 1, T0 + 10 * S)


pytestmark = pytest.mark.process


def test_the_headers_tell_what_was_used():
    async def main():
        async with a_bench() as bench:
            _, _, first = await bench.ask("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=1000")
            _, _, second = await bench.ask("GET", "/fapi/v1/time")
            assert ("20", "21") == (first["X-MBX-USED-WEIGHT-1M"], second["X-MBX-USED-WEIGHT-1M"])
            assert "X-MBX-ORDER-COUNT-10S" not in second
            terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            _, _, headers = await bench.signed(
                "POST", "/fapi/v1/order", **terms, quantity="0.01", price="59000"
            )
            counted = (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"])
            assert ("1", "1", "21") == (*counted, headers["X-MBX-USED-WEIGHT-1M"])

    run(main())


def test_too_many_requests_are_told_when_to_come_back():
    async def main():
        async with a_bench(limits={"weight_per_minute": 5, "ban_after": 2}) as bench:
            told = [await bench.ask("GET", "/fapi/v1/time") for _ in range(9)]
            statuses = [status for status, _, _ in told]
            assert [200] * 5 + [429, 429, 418, 418] == statuses
            assert all(
                1 <= int(headers["Retry-After"]) <= 120 for status, _, headers in told if status != 200
            )
            assert "banned until" in told[-1][1]["msg"]

    run(main())


def test_too_many_orders_are_refused_and_cancels_are_not():
    """Cancels are what must still work when everything else is refused."""

    async def main():
        async with a_bench(limits={"orders_per_10s": 2, "orders_per_minute": 1200}) as bench:
            placed = [await bench.place() for _ in range(2)]
            status, body, headers = await bench.signed(
                "POST",
                "/fapi/v1/order",
                symbol="BTCUSDT",
                side="BUY",
                type="LIMIT",
                timeInForce="GTC",
                quantity="0.01",
                price="59000",
            )
            assert (429, -1015) == (status, body["code"])
            assert 1 <= int(headers["Retry-After"]) <= 10
            await bench.ok("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed[0]["orderId"])

    run(main())


def test_exchange_info_tells_the_limits_that_are_enforced():
    async def main():
        async with a_bench(limits={"orders_per_10s": 3000, "orders_per_minute": 12_000}) as bench:
            info = await bench.public("/fapi/v1/exchangeInfo")
            told = {(one["rateLimitType"], one["interval"]): one["limit"] for one in info["rateLimits"]}
            expected = {
                ("REQUEST_WEIGHT", "MINUTE"): 2400,
                ("ORDERS", "MINUTE"): 12_000,
                ("ORDERS", "SECOND"): 3000,
            }
            assert expected == told
            orders = await bench.ok("GET", "/fapi/v1/rateLimit/order")
            assert [3000, 12_000] == [one["limit"] for one in orders]

    run(main())
