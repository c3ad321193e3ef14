"""Every way a reply can go wrong, over real sockets: our outcome is never a wrong definite."""

import asyncio
import json

import pytest

from holdfast.venues.binance.client import BinanceVenue
from holdfast.vocab.orders import Lane, Side
from holdfast.vocab.outcome import Fatal, Ok, Transient, Unknown
from holdfast.vocab.reports import Done, NoSuchOrder
from holdfast.vocab.requests import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    QueryOrder,
    QueryPositions,
    SetLeverage,
)
from tests.venues.fake_binance import eventually, fake_binance
from tests.venues.house import RawServer, book, config, http, loaded, order_id, place, yes

PLACE = place()
AMEND = AmendOrder(
    order_id=order_id(),
    venue_order_id="7",
    instrument="BTCUSDT",
    side=Side.BUY,
    qty_lots=5,
    price_ticks=600_000,
)
CANCEL = CancelOrder(order_id=order_id(), venue_order_id="7", instrument="BTCUSDT")
QUERY = QueryOrder(order_id=order_id(), instrument="BTCUSDT")
READ = QueryPositions()
CONFIG = SetLeverage(instrument="BTCUSDT", leverage=5)
WRITES = {"place": PLACE, "amend": AMEND, "cancel": CANCEL, "config": CONFIG}
READS = {"query": QUERY, "read": READ}
OUR_ID = book().client_id(order_id())
GOOD = json.dumps(
    {
        "orderId": 7,
        "symbol": "BTCUSDT",
        "status": "NEW",
        "clientOrderId": OUR_ID,
        "price": "60000",
        "origQty": "0.010",
        "executedQty": "0",
        "side": "BUY",
    }
).encode()


def coded(code: int, msg: str = "words", *, status: str = "400 Bad Request", extra: bytes = b"") -> bytes:
    return http(json.dumps({"code": code, "msg": msg}).encode(), status=status, extra=extra)


HTML = b"<html><body>nginx</body></html>"
CUT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + GOOD[:40]
CHUNKED_CUT = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + GOOD[:32] + b"\r\n"

# After any of these the order may be live.
MAYBE = {
    "connection reset": None,
    "cut by length": CUT,
    "cut in chunks": CHUNKED_CUT,
    "500": http(HTML, status="500 Internal Server Error"),
    "502": http(HTML, status="502 Bad Gateway"),
    "503 text": http(b"ERROR: The request could not be satisfied", status="503 Service Unavailable"),
    "503 without code": http(b'{"msg":"Unknown error, please check your request"}', status="503 Unavailable"),
    "503 -1008": coded(-1008, status="503 Service Unavailable"),
    "504": http(HTML, status="504 Gateway Timeout"),
    "-1000": coded(-1000),
    "-1001": coded(-1001),
    "-1006": coded(-1006),
    "-1007": coded(-1007),
}
# These say who answered, not what happened: unlisted, on reads above all.
STRANGE = {
    "404 html": http(HTML, status="404 Not Found"),
    "410 empty": http(b"", status="410 Gone"),
    "403 html": http(HTML, status="403 Forbidden"),
    "400 empty": http(b"", status="400 Bad Request"),
    "405": http(HTML, status="405 Not Allowed"),
    "451 code 0": coded(0, status="451 Unavailable For Legal Reasons"),
    "302": http(b"", status="302 Found", extra=b"Location: http://127.0.0.1:1/\r\n"),
    "a code without a row": coded(-9876),
    "a code without a row, 503": coded(-9876, status="503 Service Unavailable"),
    "599": http(HTML, status="599 Whatever"),
}
UNREADABLE = {
    "200 garbage": http(b"{{{not json"),
    "200 empty": http(b""),
    "200 html": http(HTML),
    "200 null": http(b"null"),
    "200 text": http(b'"fine"'),
}
REFUSED_SINCE_CLOCK = {"-1021": coded(-1021), "-5028": coded(-5028)}
LIMITED = {
    "429": coded(-1003, status="429 Too Many Requests", extra=b"Retry-After: 7\r\n"),
    "429 html": http(HTML, status="429 Too Many Requests", extra=b"Retry-After: 7\r\n"),
    "418": coded(-1003, status="418 Teapot", extra=b"Retry-After: 120\r\n"),
}
AUTH = {"-2014": coded(-2014, status="401 Unauthorized"), "-2015": coded(-2015, status="401 Unauthorized")}
REFUSED_ON_PLACE = [
    -1013, -1111, -1121, -2010, -2018, -2019, -2021, -2022, -2027,
    -4003, -4014, -4061, -4120, -4131, -4164, -4192, -5021, -5022,
]  # fmt: skip


async def answer_to(request, reply, lane=Lane.FLATTEN):
    def respond(asked: bytes, number: int) -> bytes | None:
        if asked.startswith(b"GET /fapi/v1/time"):
            return http(b'{"serverTime": 1700000000000}')
        return reply

    async with RawServer.running(respond) as raw:
        venue = BinanceVenue(config(raw.url, order_timeout_ms=150, read_timeout_ms=150))
        venue._calls.book = book()
        try:
            return await venue.call(request, lane, yes), venue, raw
        finally:
            await venue.close()


def outcome_of(request, reply):
    return asyncio.run(answer_to(request, reply))[0]


@pytest.mark.parametrize("reply", MAYBE.values(), ids=MAYBE)
@pytest.mark.parametrize("request_of_ours", WRITES.values(), ids=WRITES)
def test_what_may_have_happened_is_unknown(request_of_ours, reply):
    """Taken for a rejection, it is an order that nobody counts."""
    outcome = outcome_of(request_of_ours, reply)
    assert isinstance(outcome, Unknown)
    assert not outcome.unlisted


@pytest.mark.parametrize("reply", MAYBE.values(), ids=MAYBE)
@pytest.mark.parametrize("request_of_ours", READS.values(), ids=READS)
def test_a_read_that_failed_may_be_asked_again(request_of_ours, reply):
    assert isinstance(outcome_of(request_of_ours, reply), Transient)


@pytest.mark.parametrize("reply", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("request_of_ours", [*WRITES.values(), *READS.values()], ids=[*WRITES, *READS])
def test_what_no_row_names_is_unknown_and_says_so(request_of_ours, reply):
    """A retired endpoint that is taken for a hiccup is how a bot goes blind."""
    outcome = outcome_of(request_of_ours, reply)
    assert isinstance(outcome, Unknown)
    assert outcome.unlisted


@pytest.mark.parametrize("reply", UNREADABLE.values(), ids=UNREADABLE)
def test_a_success_that_cannot_be_read_is_unknown(reply):
    """Bare ccxt answers these with an order without an id, and no exception."""
    for request in (PLACE, AMEND, CANCEL, CONFIG):
        outcome = outcome_of(request, reply)
        assert (Unknown, "UNREADABLE", False) == (type(outcome), outcome.code, outcome.unlisted)
    for request in READS.values():
        outcome = outcome_of(request, reply)
        assert (Unknown, True) == (type(outcome), outcome.unlisted)


@pytest.mark.parametrize(
    "body",
    [
        {"orderId": None, "status": None},
        {"orderId": 0},
        {"clientOrderId": "somebody-elses"},
        {"origQty": "0.0105"},
        {"executedQty": "nan"},
        {"side": "HOLD"},
        {"symbol": "DOGEUSDT"},
    ],
    ids=lambda body: next(iter(body)),
)
def test_an_order_that_does_not_say_what_it_must_is_unknown(body):
    reply = http(json.dumps({**json.loads(GOOD), **body}).encode())
    for request in (PLACE, CANCEL):
        assert isinstance(outcome_of(request, reply), Unknown)


def test_silence_is_unknown_for_what_changes_something():
    async def story():
        async with fake_binance() as fake, loaded(fake, order_timeout_ms=100, read_timeout_ms=100) as venue:

            async def silent(*_):
                await asyncio.sleep(5)

            for path in ("POST /fapi/v1/order", "DELETE /fapi/v1/order", "GET /fapi/v1/order"):
                fake.answers[path] = silent
            placed = await venue.call(PLACE, Lane.RISK, yes)
            cancelled = await venue.call(CANCEL, Lane.CANCEL, yes)
            asked = await venue.call(QUERY, Lane.READ, yes)
            assert (Unknown, "NO_REPLY") == (type(placed), placed.code)
            assert (Unknown, "NO_REPLY") == (type(cancelled), cancelled.code)
            assert (Transient, "NO_REPLY") == (type(asked), asked.code)

    asyncio.run(story())


@pytest.mark.parametrize("reply", REFUSED_SINCE_CLOCK.values(), ids=REFUSED_SINCE_CLOCK)
def test_a_clock_refusal_is_transient_and_the_clock_is_measured_again(reply):
    """Without it every order, the closing ones included, fails until somebody restarts the bot."""

    async def story():
        def respond(asked: bytes, number: int) -> bytes:
            return http(b'{"serverTime": 1700000000000}') if b"/fapi/v1/time" in asked else reply

        async with RawServer.running(respond) as raw:
            venue = BinanceVenue(config(raw.url))
            venue._calls.book = book()
            outcome = await venue.call(PLACE, Lane.RISK, yes)
            assert isinstance(outcome, Transient)
            await eventually(lambda: venue._venue_clock.measured)
            assert abs(venue._venue_clock.now_ms() - 1_700_000_000_000) < 5_000
            await venue.close()

    asyncio.run(story())


@pytest.mark.parametrize(("name", "wait_ms"), [("429", 7_000), ("429 html", 7_000), ("418", 120_000)])
def test_the_rate_limiters_word_is_transient_with_its_wait(name, wait_ms):
    for request in (PLACE, CANCEL, READ):
        outcome = outcome_of(request, LIMITED[name])
        assert isinstance(outcome, Transient)
        assert wait_ms - 100 <= outcome.retry_ms <= wait_ms


@pytest.mark.parametrize("reply", AUTH.values(), ids=AUTH)
def test_a_refused_key_is_fatal_everywhere(reply):
    for request in (*WRITES.values(), *READS.values()):
        assert isinstance(outcome_of(request, reply), Fatal)


@pytest.mark.parametrize("code", REFUSED_ON_PLACE)
def test_a_named_refusal_of_an_order_is_fatal_with_its_code(code):
    outcome = outcome_of(PLACE, coded(code))
    assert (Fatal, str(code)) == (type(outcome), outcome.code)


def test_a_duplicate_id_is_unknown_because_it_may_be_ours():
    """On a repeated send it means success."""
    outcome = outcome_of(PLACE, coded(-4116))
    assert (Unknown, "-4116", False) == (type(outcome), outcome.code, outcome.unlisted)


def test_no_such_order_is_an_answer_and_not_an_error():
    assert Ok(value=NoSuchOrder(client_id=OUR_ID)) == outcome_of(QUERY, coded(-2013))
    assert Ok(value=NoSuchOrder(client_id=OUR_ID)) == outcome_of(CANCEL, coded(-2011))
    assert Ok(value=Done(detail="nothing to cancel")) == outcome_of(
        CancelAll(instrument="BTCUSDT"), coded(-2011)
    )
    assert isinstance(outcome_of(AMEND, coded(-2013)), Fatal)


def test_an_error_inside_a_success_is_still_an_error():
    """Batch-like endpoints answer 200 with a code inside."""
    assert isinstance(outcome_of(PLACE, http(b'{"code":-2019,"msg":"Margin is insufficient."}')), Fatal)
    assert isinstance(outcome_of(PLACE, http(b'{"code":-1007,"msg":"Timeout"}')), Unknown)


@pytest.mark.data
def test_the_bodies_that_users_received_are_never_a_wrong_definite(data_dir):
    """Published by their receivers: -1008 came for a live order, 404 for a retired path."""
    lines = (data_dir / "binance_json/observed_in_public_issues/error_bodies.jsonl").read_text().splitlines()
    ambiguous = {-1000, -1001, -1006, -1007, -1008, -4116}
    seen = 0
    for row in map(json.loads, lines):
        if row["body"].startswith("[") or "-4046" in row["body"]:
            continue  # batches, and an answer to marginType that no order can get
        code = json.loads(row["body"]).get("code") if row["body_format"] == "json" else None
        status = row["http_status"] or 400
        outcome = outcome_of(PLACE, http(row["body"].encode(), status=f"{status} Observed"))
        seen += 1
        if code is None or code in ambiguous or code in (-2011, -2013):
            assert isinstance(outcome, Unknown), row
        elif status in (418, 429) or code in (-1003, -1015, -1021):
            assert isinstance(outcome, Transient), row
        elif code == 0:
            assert isinstance(outcome, Unknown), row
        else:
            assert isinstance(outcome, Fatal), row
    assert seen > 25


def test_an_unlisted_reply_is_counted():
    _, venue, _ = asyncio.run(answer_to(READ, STRANGE["404 html"]))
    assert 1 == venue.counts["HTTP 404"]
