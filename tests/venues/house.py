"""Builders of the venue tests: a client against a server on loopback, and boring orders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfast.venues.binance.client import BinanceConfig, BinanceVenue
from holdfast.venues.binance.codec import Book, Grid
from holdfast.venues.transport.hardened import Credentials
from holdfast.venues.transport.sockets import Backoff
from holdfast.vocab.ids import order_id_of
from holdfast.vocab.instruments import InstrumentSpec, tick_lot_e8
from holdfast.vocab.orders import OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.requests import PlaceOrder
from tests.venues.fake_binance import KEY, SECRET, FakeBinance

ACCOUNT_TAG = 0x1234_5678_9ABC
QUICK = Backoff(first_ms=5, max_ms=20, settled_ms=10_000)


def order_id(sequence: int = 1) -> int:
    return order_id_of(epoch=1, sequence=sequence)


def terms(**changes) -> OrderTerms:
    plain = {
        "instrument": "BTCUSDT",
        "side": Side.BUY,
        "qty_lots": 10,
        "order_type": OrderType.LIMIT,
        "tif": TimeInForce.GTC,
        "price_ticks": 600_000,
    }
    return OrderTerms(**{**plain, **changes})


def place(sequence: int = 1, **changes) -> PlaceOrder:
    return PlaceOrder(order_id=order_id(sequence), terms=terms(**changes))


def spec(instrument: str = "BTCUSDT", *, tick: str = "0.1", lot: str = "0.001") -> InstrumentSpec:
    base = instrument.removesuffix("USDT")
    return InstrumentSpec(
        instrument=instrument,
        symbol=f"{base}/USDT:USDT",
        base_asset=base,
        quote_asset="USDT",
        settle_asset="USDT",
        tick=tick,
        lot=lot,
        tick_lot_e8=tick_lot_e8(tick=tick, lot=lot),
        qty_lots_min=1,
        qty_lots_max=1_000_000,
        market_lots_max=100_000,
        notional_e8_min=0,
    )


SPECS = (spec(), spec("ETHUSDT", tick="0.01"))


def book() -> Book:
    return Book(account_tag=ACCOUNT_TAG, grids={one.instrument: Grid.of(one) for one in SPECS})


def config(url: str, ws: str = "", **changes) -> BinanceConfig:
    plain = {
        "instruments": ("BTCUSDT", "ETHUSDT"),
        "account_tag": ACCOUNT_TAG,
        "credentials": Credentials(api_key=KEY, secret=SECRET),
        "order_window_ms": 1_000,
        "order_timeout_ms": 1_000,
        "read_timeout_ms": 1_000,
        "rest_url": url,
        "ws_url": ws or url.replace("http", "ws", 1),
        "backoff": QUICK,
    }
    return BinanceConfig(**{**plain, **changes})


@asynccontextmanager
async def loaded(fake: FakeBinance, **changes) -> AsyncIterator[BinanceVenue]:
    venue = BinanceVenue(config(fake.url, fake.ws, **changes))
    try:
        await venue.load()
        yield venue
    finally:
        await venue.close()


def yes() -> None:
    """A last hop that lets everything pass."""


class RawServer:
    """Counts what arrives on plain sockets, and answers as told: ``respond(request bytes, number) -> bytes``.

    None closes the connection without a word.
    """

    def __init__(self, respond) -> None:
        self.respond = respond
        self.requests: list[bytes] = []
        self.bytes_received = 0
        self.connections = 0
        self.url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pending = b""
        while data := await reader.read(65_536):
            self.bytes_received += len(data)
            pending += data
            while (whole := _whole_request(pending)) is not None:
                request, pending = pending[:whole], pending[whole:]
                self.requests.append(request)
                answer = self.respond(request, len(self.requests))
                if answer is None:
                    writer.close()
                    return
                writer.write(answer)
                await writer.drain()
        writer.close()

    @classmethod
    @asynccontextmanager
    async def running(cls, respond, host: str = "127.0.0.1") -> AsyncIterator["RawServer"]:
        raw = cls(respond)
        server = await asyncio.start_server(raw._serve, host, 0)
        raw.url = f"http://{host}:{server.sockets[0].getsockname()[1]}"
        try:
            yield raw
        finally:
            server.close()


def _whole_request(data: bytes) -> int | None:
    head, found, _ = data.partition(b"\r\n\r\n")
    if not found:
        return None
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    whole = len(head) + 4 + length
    return whole if len(data) >= whole else None


def http(body: bytes, *, status: str = "200 OK", extra: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n".encode()
    return head + extra + b"\r\n" + body
