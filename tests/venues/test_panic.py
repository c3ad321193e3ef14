"""The client of last resort: short of everything but honesty about what it does not know."""

import contextlib
import socket
import threading
import time
from decimal import Decimal

import pytest

from holdfast.ports.last_resort import Exit, Fate, LastResortFailed, OpenOrder
from holdfast.venues.binance.panic import PanicClient
from tests.house.simulated import BUY, served


@pytest.fixture
def venue():
    with served() as one:
        yield one


@contextlib.contextmanager
def answering(*replies, drip_s=0.0):
    """A server that answers each connection with the next of these bytes, slowly where told to; then it closes."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked = []

    def serve():
        for reply in replies:
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    asked.append(peer.recv(65_536))
                    for start in range(0, len(reply), 1 if drip_s else len(reply)):
                        peer.sendall(reply[start : start + (1 if drip_s else len(reply))])
                        time.sleep(drip_s)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.close()


def http(body, status="200 OK", *more):
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more])
    return f"{head}\r\n\r\n{body}".encode()


TIME = http('{"serverTime": 1723075200000}')


def a_client(url, **changes):
    return PanicClient(
        **{"rest_url": url, "api_key": "key-canary-01", "secret": "secret-canary-01", **changes}
    )


def an_exit(**changes):
    plain = {
        "symbol": "BTCUSDT",
        "client_id": "hfwd-test-0",
        "sell": True,
        "quantity": Decimal("0.010"),
        "price": Decimal("1000.0"),
    }
    return Exit(**{**plain, **changes})


def test_one_order_of_each_kind_is_listed_and_cancelled_by_its_id(venue):
    client = venue.client()
    venue.order(BUY, "0.010", "30000")
    venue.order(BUY, "0.010", "30001")
    venue.stop_order(client, BUY, reduces=False)
    found = client.open_orders()
    assert [False, False, True] == [one.conditional for one in found]
    assert not any(one.reduces for one in found)
    client.cancel_one(found[0])
    client.cancel_one(found[2])
    assert (1, 0) == venue.open_count()


def test_an_exit_is_reduce_only_and_its_fate_is_told(venue):
    client = venue.client()
    venue.order(BUY, "0.010")
    order = an_exit(price=(client.reference("BTCUSDT") * Decimal("0.98")).quantize(Decimal("0.1")))
    assert Fate.ABSENT is client.fate(order)
    assert Fate.FINAL is client.exit(order)
    assert Fate.FINAL is client.fate(order)
    assert {} == venue.amounts()
    with pytest.raises(LastResortFailed, match="-2022"):
        client.exit(an_exit(client_id="hfwd-test-1", price=order.price))
    assert {} == venue.amounts(), "there was nothing left to reduce"


def test_both_sources_tell_the_same_position(venue):
    venue.order(BUY, "0.010")
    client = venue.client()
    assert client.positions(0) == client.positions(1)
    assert Decimal("0.010") == client.positions(0)[0].amount


def test_a_clock_that_is_off_is_measured_and_measured_again(venue):
    """Every close order of the story failed on its stamp."""
    client = venue.client()
    venue.control("POST", "/clock", {"step_ms": 12_000})
    assert () == client.open_orders()
    venue.control("POST", "/clock", {"step_ms": -20_000})
    with pytest.raises(LastResortFailed, match="-1021"):
        client.open_orders()
    assert () == client.open_orders()


def test_a_venue_that_does_not_tell_its_time_is_asked_all_the_same(venue):
    venue.fault("retire", path="/fapi/v1/time", http=404)
    assert () == venue.client().open_orders()


def test_a_venue_that_asks_for_silence_gets_it():
    """Asking on under a 418 lengthens the ban, for the bot's successor too."""
    limited = http('{"code": -1003, "msg": "Too many requests"}', "429 Too Many Requests", "Retry-After: 30")
    with answering(TIME, limited) as (url, asked):
        client = a_client(url)
        with pytest.raises(LastResortFailed, match="-1003"):
            client.open_orders()
        with pytest.raises(LastResortFailed, match="s more of silence"):
            client.open_orders()
        assert 2 == len(asked)


def test_a_peer_that_drips_does_not_hold_us_longer_than_the_deadline():
    """A timeout of a socket bounds one read of it: a byte a second would hold a rescue for ever."""
    with answering(http('{"serverTime": 1723075200000}' + " " * 2_000), drip_s=0.05) as (url, _):
        client = a_client(url, timeout_s=0.4)
        began = time.monotonic()
        with pytest.raises(LastResortFailed):
            client.rules()
        assert time.monotonic() - began < 2.0


SHAPES = {
    "open_orders": ["{}", '{"orders": 1}', '[{"id": 1}]', '"no"', "[7]"],
    "rules": ["[]", '{"symbols": [{"symbol": "X", "filters": []}]}', '{"symbols": {}}'],
    "reference": ["{}", '{"markPrice": "x"}', '{"markPrice": "0"}', "null"],
    "positions": ["7", '[{"symbol": "X", "positionAmt": "a", "positionSide": "BOTH"}]', '{"positions": []}'],
}


@pytest.mark.parametrize(
    ("method", "body"), [(method, body) for method, bodies in SHAPES.items() for body in bodies]
)
def test_what_has_another_shape_is_said_and_never_half_read(method, body):
    """An empty list that was not one would be "nothing is open"."""
    signed = method in {"open_orders", "positions"}
    replies = [*([TIME] if signed else []), http(body), http("[]")]
    with answering(*replies) as (url, _), pytest.raises(LastResortFailed) as caught:
        getattr(a_client(url), method)(*{"reference": ["X"], "positions": [0]}.get(method, []))
    assert "\n" not in str(caught.value)


def test_an_account_that_lists_no_positions_is_not_flat():
    with answering(TIME, http("[]")) as (url, _), pytest.raises(LastResortFailed, match="shape"):
        a_client(url).positions(1)


@pytest.mark.parametrize(
    "status", ["200 OK", "302 Found\r\nLocation: http://127.0.0.1:9/", "502 Bad Gateway"]
)
def test_a_reply_without_json_says_nothing(status):
    with answering(TIME, http("<html>", status)) as (url, _):
        client = a_client(url)
        with pytest.raises(LastResortFailed, match="without JSON") as caught:
            client.cancel_one(OpenOrder(symbol="BTCUSDT", order_id="1", conditional=False, reduces=False))
    assert "canary" not in f"{caught.value} {client!r}"


def test_a_connection_that_is_cut_says_nothing():
    with answering(TIME, b"HTTP/1.1 2") as (url, _), pytest.raises(LastResortFailed, match="allOpenOrders"):
        a_client(url).cancel_symbol("BTCUSDT", conditional=False)


def test_a_status_that_nobody_knows_may_still_fill():
    with answering(TIME, http('{"status": "PENDING_SOMETHING"}')) as (url, _):
        assert Fate.OPEN is a_client(url).exit(an_exit())
