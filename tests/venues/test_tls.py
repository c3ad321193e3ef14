"""The last hop behind TLS: what is refused is not even encrypted."""

import asyncio
import datetime as dt
import ssl

import pytest

from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.transport.hop import Hop, HopRefused, LastHop
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Suppressed, Withheld
from holdfast.vocab.requests import MeasureClock
from tests.venues.house import book, config, http, place, yes


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    """(server, client) contexts around a certificate for 127.0.0.1 that lives an hour."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))


def test_a_refused_send_puts_nothing_into_the_tunnel(contexts):
    server_context, client_context = contexts

    async def story():
        received = bytearray()

        async def serve(reader, writer):
            while data := await reader.read(65_536):
                received.extend(data)
                writer.write(http(b'{"serverTime": 1700000000000}'))

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        venue = BinanceVenue(config(url), ssl_context=client_context)
        venue._calls.book = book()
        assert isinstance(await venue.call(MeasureClock(), Lane.READ, yes), Ok)
        before = len(received)
        assert Suppressed(by=Withheld.LATCH) == await venue.call(place(), Lane.RISK, lambda: Withheld.LATCH)
        await asyncio.sleep(0.05)
        assert before == len(received) > 0
        await venue.call(place(), Lane.RISK, yes)
        assert b"POST /fapi/v1/order" in received
        await venue.close()
        server.close()

    asyncio.run(story())


def test_an_unknown_certificate_is_refused_before_anything_is_sent(contexts):
    """There is no switch that turns the check off."""
    server_context, _ = contexts

    async def story():
        received = bytearray()

        async def serve(reader, writer):
            received.extend(await reader.read(65_536))

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
        venue = BinanceVenue(config(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        venue._calls.book = book()
        outcome = await venue.call(place(), Lane.RISK, yes)
        assert "NOT_SENT" == outcome.code
        assert b"" == bytes(received)
        await venue.close()
        server.close()

    asyncio.run(story())


def test_bytes_that_wait_below_the_tunnel_count_as_waiting(contexts):
    server_context, client_context = contexts

    async def story():
        held = asyncio.Event()

        async def serve(reader, writer):
            await held.wait()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context, limit=1_024)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port, ssl=client_context)
        guard = LastHop(transport, lambda: 0, lambda hop: None)
        for _ in range(200):
            guard.write(b"x" * 100_000)
        hop = Hop(lane=Lane.RISK)
        guard.arm(hop)
        with pytest.raises(HopRefused):
            guard.write(b"an order")
        assert Withheld.BUFFER is hop.withheld
        held.set()
        transport.abort()
        server.close()

    asyncio.run(story())
