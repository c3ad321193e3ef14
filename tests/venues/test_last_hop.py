"""The last hop: what is refused never reaches a socket, and nothing happens between question and write."""

import asyncio
import socket

import pytest

from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.transport.hop import HOP, Hop, HopRefused, LastHop, Unpermitted, always
from holdfast.vocab.orders import Lane, Side
from holdfast.vocab.outcome import Ok, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.requests import AmendOrder, CancelOrder, MeasureClock, QueryOrder
from tests.venues.fake_binance import fake_binance
from tests.venues.house import RawServer, config, http, loaded, order_id, place, yes

AMEND = AmendOrder(
    order_id=order_id(),
    venue_order_id="7",
    instrument="BTCUSDT",
    side=Side.BUY,
    qty_lots=5,
    price_ticks=600_000,
)
CANCEL = CancelOrder(order_id=order_id(), venue_order_id="7", instrument="BTCUSDT")
TIME = http(b'{"serverTime": 1700000000000}')


@pytest.mark.parametrize(
    ("request_of_ours", "lane"),
    [(place(), Lane.RISK), (place(), Lane.FLATTEN), (AMEND, Lane.RISK), (CANCEL, Lane.CANCEL)],
    ids=["place", "flatten", "amend", "cancel"],
)
def test_a_refused_send_puts_no_byte_on_the_wire(request_of_ours, lane):
    """A halt that lets one more order through is not a halt."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue, RawServer.running(lambda *_: TIME) as raw:
            other = BinanceVenue(config(raw.url))
            other._calls.book, other._calls.specs = venue._calls.book, venue._calls.specs
            assert isinstance(await other.call(MeasureClock(), Lane.READ, yes), Ok)  # a connection stands by
            before = raw.bytes_received
            outcome = await other.call(request_of_ours, lane, lambda: Withheld.LATCH)
            fresh = await other.call(request_of_ours, lane, lambda: Withheld.LEASE)
            await asyncio.sleep(0.05)
            assert Suppressed(by=Withheld.LATCH) == outcome
            assert Suppressed(by=Withheld.LEASE) == fresh
            assert before == raw.bytes_received
            assert [] == list(other.writes)
            await other.close()

    asyncio.run(story())


def test_the_question_and_the_write_are_in_the_same_turn_of_the_loop():
    """Whatever could run in between could have tripped the latch in between."""

    async def story():
        turns = 0
        loop = asyncio.get_running_loop()

        def count() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(count)

        async with fake_binance() as fake, loaded(fake) as venue:
            asked: list[int] = []
            written: list[int] = []
            venue.on_write(lambda order, mono_ns: written.append(turns))
            loop.call_soon(count)
            for number in range(1, 21):
                assert isinstance(await venue.call(place(number), Lane.RISK, lambda: asked.append(turns)), Ok)
            assert 20 == len(asked)
            assert asked == written
            assert len(set(asked)) > 1
            for stamp in venue.writes:
                assert stamp.asked_ns <= stamp.written_ns

    asyncio.run(story())


def test_each_order_is_stamped_once_when_it_is_written():
    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            told = []
            venue.on_write(lambda order, mono_ns: told.append((order, mono_ns)))
            await venue.call(place(1), Lane.RISK, yes)
            await venue.call(QueryOrder(order_id=order_id(1), instrument="BTCUSDT"), Lane.READ, yes)
            await venue.call(place(2), Lane.FLATTEN, yes)
            assert [order_id(1), order_id(2)] == [order for order, _ in told]
            assert [Lane.RISK, Lane.FLATTEN] == [stamp.lane for stamp in venue.writes]
            assert [mono_ns for _, mono_ns in told] == [stamp.written_ns for stamp in venue.writes]

    asyncio.run(story())


def _clogged() -> tuple[socket.socket, socket.socket]:
    left, right = socket.socketpair()
    for end in (left, right):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    return left, right


def test_a_risk_order_is_not_queued_behind_unsent_bytes():
    """What sits in our own buffer would leave later, after a halt perhaps."""

    async def story():
        left, right = _clogged()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=left)
        guard = LastHop(transport, lambda: 0, lambda hop: None)
        guard.write(b"x" * 1_000_000)
        assert transport.get_write_buffer_size() > 0
        asked = []
        hop = Hop(lane=Lane.RISK, may_send=lambda: asked.append(1))
        guard.arm(hop)
        before = transport.get_write_buffer_size()
        with pytest.raises(HopRefused):
            guard.write(b"an order")
        assert (Withheld.BUFFER, False, []) == (hop.withheld, hop.written, asked)
        assert before == transport.get_write_buffer_size()
        cancel = Hop(lane=Lane.CANCEL)
        guard.arm(cancel)
        guard.write(b"a cancel")
        assert cancel.written
        transport.abort()
        right.close()

    asyncio.run(story())


def test_a_call_that_was_answered_is_not_written_late():
    written = []

    class Wire:
        def write(self, data: bytes) -> None:
            written.append(data)

        def get_write_buffer_size(self) -> int:
            return 0

    guard = LastHop(Wire(), lambda: 0, lambda hop: None)
    hop = Hop(lane=Lane.CANCEL)
    guard.arm(hop)
    hop.over = True
    with pytest.raises(HopRefused):
        guard.write(b"too late")
    assert [] == written


def test_a_request_that_nobody_asked_for_is_refused():
    """ccxt has ideas of its own: without a hop of ours none of them leaves."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            asked = len(fake.asked)
            exchange = venue._calls.asker._exchange
            with pytest.raises(Unpermitted):
                await exchange.fapiPrivatePostOrder({"symbol": "BTCUSDT"})
            with pytest.raises(Unpermitted):
                await exchange.fetch_balance()
            with pytest.raises(Unpermitted):
                await exchange.load_markets()
            with pytest.raises(Unpermitted):
                venue._session.get(fake.url)
            assert asked == len(fake.asked)

    asyncio.run(story())


def test_the_inner_session_refuses_too():
    """The guard is at the socket, not only at the door."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            asked = len(fake.asked)
            with pytest.raises(Unpermitted):
                await venue._session._session.get(f"{fake.url}/fapi/v1/time")
            assert asked == len(fake.asked)

    asyncio.run(story())


@pytest.mark.parametrize("request_of_ours", [AMEND, CANCEL], ids=["put", "delete"])
def test_nothing_is_sent_twice_when_a_kept_connection_turns_out_dead(request_of_ours):
    """aiohttp by itself sends PUT and DELETE again: an amend applied twice, decided on by nobody."""

    async def story():
        def respond(request: bytes, number: int) -> bytes | None:
            return TIME if request.startswith(b"GET /fapi/v1/time") else None

        async with fake_binance() as fake, loaded(fake) as venue, RawServer.running(respond) as raw:
            other = BinanceVenue(config(raw.url))
            other._calls.book, other._calls.specs = venue._calls.book, venue._calls.specs
            await other.call(MeasureClock(), Lane.READ, yes)
            outcome = await other.call(request_of_ours, Lane.CANCEL, yes)
            await asyncio.sleep(0.05)
            changing = [one for one in raw.requests if not one.startswith(b"GET")]
            assert isinstance(outcome, Unknown)
            assert "CONNECTION_LOST" == outcome.code
            assert 1 == len(changing)
            await other.close()

    asyncio.run(story())


def test_a_redirect_is_not_followed_with_the_signed_body():
    async def story():
        async with RawServer.running(lambda *_: http(b"{}")) as elsewhere:
            moved = http(
                b"", status="307 Temporary Redirect", extra=f"Location: {elsewhere.url}/x\r\n".encode()
            )

            def respond(request: bytes, number: int) -> bytes:
                return TIME if request.startswith(b"GET /fapi/v1/time") else moved

            async with fake_binance() as fake, loaded(fake) as venue, RawServer.running(respond) as raw:
                other = BinanceVenue(config(raw.url))
                other._calls.book, other._calls.specs = venue._calls.book, venue._calls.specs
                outcome = await other.call(place(), Lane.RISK, yes)
                assert isinstance(outcome, Unknown)
                assert outcome.unlisted
                assert (1, 0) == (len(raw.requests), elsewhere.connections)
                await other.close()

    asyncio.run(story())


def test_an_unreachable_venue_is_proof_that_nothing_was_sent():
    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            closed = socket.socket()
            closed.bind(("127.0.0.1", 0))
            other = BinanceVenue(config(f"http://127.0.0.1:{closed.getsockname()[1]}"))
            other._calls.book = venue._calls.book
            outcome = await other.call(place(), Lane.RISK, yes)
            assert isinstance(outcome, Transient)
            assert "NOT_SENT" == outcome.code
            closed.close()
            await other.close()

    asyncio.run(story())


def test_the_hop_of_one_task_is_not_that_of_another():
    async def story():
        HOP.set(Hop(may_send=always))
        seen = await asyncio.gather(*(asyncio.create_task(_own_hop(n)) for n in range(5)))
        assert list(range(5)) == seen

    asyncio.run(story())


async def _own_hop(number: int) -> int:
    HOP.set(Hop(order_id=number))
    await asyncio.sleep(0)
    hop = HOP.get()
    assert hop is not None
    return hop.order_id
