"""Who may ask, and how fresh: keys, signatures, timestamps, as the venue words its refusals."""

import time
from urllib.parse import quote

import pytest

from holdfast.sim.model import Refused
from holdfast.sim.server.params import Params
from holdfast.sim.server.signing import check_signature, check_time, parse_texts, signature_of, signed_text
from tests.sim.engine_house import code_of
from tests.sim.server_house import KEY, a_bench, run, sign

pytestmark = pytest.mark.process

ORDER = "/fapi/v1/order"
ACCOUNT = "/fapi/v3/account"


# --- the rules, without a socket -------------------------------------------------------------------------------


def test_the_signature_is_the_one_of_binances_own_example():
    """From the venue's documents: secret, parameters and the signature that they give."""
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    text = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        "&timestamp=1591702613943"
    )
    assert "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9" == signature_of(secret, text)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("a=1&b=%20x&signature=S", ""),
        ("", "a=1&b=%20x&signature=S"),
        ("a=1", "&b=%20x&signature=S"),
        ("signature=S&a=1&b=%20x", ""),
    ],
)
def test_what_was_signed_is_query_and_body_as_sent_without_the_signature(query, body):
    assert "a=1&b=%20x" == signed_text(query, body)
    assert {"a": "1", "b": " x", "signature": "S"} == parse_texts(query, body)


def test_where_query_and_body_disagree_the_query_counts():
    assert "1" == parse_texts("a=1", "a=2")["a"]


def test_a_changed_character_is_seen():
    good = signature_of("s", "quantity=1")
    check_signature("s", "quantity=1", good)
    with pytest.raises(Refused) as refusal:
        check_signature("s", "quantity=2", good)
    assert -1022 == refusal.value.code


@pytest.mark.parametrize(
    ("stamp_ms", "window", "code"),
    [
        (100_000, None, 0),
        (100_999, None, 0),
        (101_000, None, -1021),  # a second ahead
        (95_000, None, 0),
        (94_999, None, -1021),  # older than the usual 5 s
        (90_000, "10000", 0),
        (99_000, "999", -1021),
        (99_000, "999.5", 0),  # fractions are rounded up
        (40_000, "60000", 0),
        (100_000, "60001", -1131),
        (100_000, "x", -1102),
    ],
)
def test_a_request_is_good_for_its_window_and_never_from_the_future(stamp_ms, window, code):
    """The window is what makes a frozen process's order harmless when it wakes up."""
    texts = {"timestamp": str(stamp_ms)} | ({} if window is None else {"recvWindow": window})
    assert code == code_of(check_time, Params(texts), venue_ms=100_000)


# --- over a socket ------------------------------------------------------------------------------------------------


def test_a_request_signed_in_the_query_or_in_the_body_is_accepted():
    async def main():
        async with a_bench() as bench:
            for in_body in (False, True):
                status, body, _ = await bench.signed(
                    "POST", "/fapi/v1/leverage", in_body=in_body, symbol="BTCUSDT", leverage=7
                )
                assert (200, 7) == (status, body["leverage"])

    run(main())


def test_a_percent_sign_is_signed_as_it_was_sent():
    """Signing the decoded text is a mistake that some clients make: the venue refuses it."""

    async def main():
        async with a_bench() as bench:
            stamp = int(time.time() * 1000)
            sent = f"batchOrders={quote('[]')}&timestamp={stamp}"
            decoded = f"batchOrders=[]&timestamp={stamp}"
            for signed, code in ((sent, -4082), (decoded, -1022)):
                query = f"{sent}&signature={sign(signed)}"
                _, body, _ = await bench.ask(
                    "POST", "/fapi/v1/batchOrders", query, headers={"X-MBX-APIKEY": KEY}
                )
                assert code == body["code"]

    run(main())


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"key": ""}, 401, -2014),
        ({"key": "unknown"}, 401, -2015),
        ({"secret": "wrong"}, 400, -1022),
        ({"stamp_ms": 1}, 400, -1021),
        ({"recvWindow": 60_001}, 400, -1131),
    ],
)
def test_what_is_wrong_with_a_request_has_its_code(changes, status, code):
    async def main():
        async with a_bench() as bench:
            told, body, _ = await bench.signed("GET", ACCOUNT, **changes)
            assert (status, code) == (told, body["code"])

    run(main())


@pytest.mark.parametrize(("query", "name"), [("", "timestamp"), ("timestamp=1e3", "timestamp")])
def test_what_is_missing_is_named(query, name):
    async def main():
        async with a_bench() as bench:
            status, body, _ = await bench.ask("GET", ACCOUNT, query, headers={"X-MBX-APIKEY": KEY})
            assert 400 == status
            assert name in body["msg"]
            assert body["code"] in {-1102, -1100}

    run(main())


def test_without_a_signature_there_is_no_account():
    async def main():
        async with a_bench() as bench:
            query = f"timestamp={int(time.time() * 1000)}"
            status, body, _ = await bench.ask("GET", ACCOUNT, query, headers={"X-MBX-APIKEY": KEY})
            expected = "Mandatory parameter 'signature' was not sent, was empty/null, or malformed."
            assert (400, -1102, expected) == (status, body["code"], body["msg"])

    run(main())


def test_each_key_opens_its_own_account():
    async def main():
        async with a_bench() as bench:
            await bench.place()
            mine = await bench.ok("GET", "/fapi/v1/openOrders")
            other = await bench.ok("GET", "/fapi/v1/openOrders", key="key-2", secret="s2")
            assert (1, 0) == (len(mine), len(other))

    run(main())


def test_an_unknown_path_is_told_as_the_venue_tells_it():
    async def main():
        async with a_bench() as bench:
            status, body, _ = await bench.ask("GET", "/fapi/v9/nothing")
            expected = {"code": -5000, "msg": "Path /fapi/v9/nothing, Method GET is invalid"}
            assert (404, expected) == (status, body)

    run(main())


def test_a_stale_order_is_refused_and_counted_as_not_accepted():
    async def main():
        async with a_bench() as bench:
            terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            stamp_ms = int(time.time() * 1000) - 2_000
            code = await bench.code(
                "POST", ORDER, **terms, quantity="0.01", price="59000", stamp_ms=stamp_ms, recvWindow=1_000
            )
            truth = await bench.truth()
            assert -1021 == code
            assert [(False, -1021)] == [(one["accepted"], one["code"]) for one in truth["requests"]]
            assert [] == truth["open_orders"]

    run(main())
