"""TLS in both roles, against ssl's through websockets, and against libcurl."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import curl_cffi
import pytest
import trustme
import websockets
from conftest import ROLES, Run, foreign_server, our_server
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import sockline
import sockline.sync.client

WAIT = 20
TEXT = "the same again and again; " * 10_000


class Authority:
    """Vouches for localhost, and knows how each side is told so."""

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.pem = self.ca.cert_pem.bytes()
        self.local = self.ca.issue_cert("localhost", "127.0.0.1")

    def pair(self, certificate: trustme.LeafCert | None = None) -> tuple[bytes, bytes]:
        leaf = certificate or self.local
        return b"".join(one.bytes() for one in leaf.cert_chain_pems), leaf.private_key_pem.bytes()

    def foreign(self, purpose: ssl.Purpose, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(purpose)
        self.ca.configure_trust(context)
        (certificate or self.local).configure_cert(context)
        return context

    def client(self, **options: Any) -> sockline.ClientTLS:
        return sockline.ClientTLS(platform_roots=False, ca=self.pem, **options)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def secure(url: str) -> str:
    return url.replace("ws://127.0.0.1", "wss://localhost")


@ROLES
def test_messages_pass_in_both_roles(run: Run, role: str, authority: Authority) -> None:
    theirs = authority.foreign(ssl.Purpose.CLIENT_AUTH)
    options: dict[str, Any] = {"ssl": theirs if role == "client" else sockline.ServerTLS(*authority.pair())}
    server = foreign_server if role == "client" else our_server

    async def main() -> None:
        async with server(max_size=None, **options) as url:
            wanted: Any = authority.foreign(ssl.Purpose.SERVER_AUTH) if role == "server" else authority.client()
            connect: Any = websockets.connect if role == "server" else sockline.connect
            async with connect(secure(url), ssl=wanted, max_size=None) as connection:
                for message in (b"", "text", TEXT, bytes(range(256)) * 16384):
                    await connection.send(message)
                    assert await connection.recv() == message
                if role != "server":
                    info = connection.tls_info
                    assert info.version == "TLSv1.3" and info.alpn in ("http/1.1", None)
                    assert info.peer_certificate == ssl.PEM_cert_to_DER_cert(authority.pair()[0].decode())

    run(main())


def test_contexts_of_ssls_are_taken_over(run: Run, authority: Authority) -> None:
    """Each of them is what a program of websockets' would have."""
    trusting = ssl.create_default_context(cadata=authority.pem.decode())
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE

    async def main() -> None:
        async with foreign_server(ssl=authority.foreign(ssl.Purpose.CLIENT_AUTH)) as url:
            for context in (trusting, careless):
                for attempt in range(2):
                    async with sockline.connect(secure(url), ssl=context) as connection:
                        await connection.send("x")
                        assert await connection.recv() == "x"
                        assert connection.tls_info is not None and connection.tls_info.resumed == (attempt == 1)
            for context in (None, True, ssl.create_default_context()):
                with pytest.raises(ssl.SSLCertVerificationError, match="localhost was issued by an unknown authority"):
                    await sockline.connect(secure(url), ssl=context)
            with pytest.raises(ssl.SSLCertVerificationError, match="not other.test"):
                await sockline.connect(secure(url), ssl=trusting, server_hostname="other.test")
            trusting.check_hostname = False
            with pytest.raises(NotImplementedError, match="check_hostname"):
                await sockline.connect(secure(url), ssl=trusting)
            with pytest.raises(ValueError, match="incompatible with a ws:// URI"):
                sockline.connect(url, ssl=careless)

    run(main())


def test_a_certificate_that_a_context_keeps_to_itself_is_refused(run: Run, authority: Authority) -> None:
    """Its key can't be read back, and a client without it would be another one."""
    context = ssl.create_default_context(cadata=authority.pem.decode())

    async def main() -> None:
        async with foreign_server(ssl=authority.foreign(ssl.Purpose.CLIENT_AUTH)) as url:
            async with sockline.connect(secure(url), ssl=context):
                pass
            authority.local.configure_cert(context)  # also when it was taken before
            with pytest.raises(NotImplementedError, match="sockline.SSLContext .*sockline.ClientTLS"):
                sockline.connect(secure(url), ssl=context)
            with pytest.raises(NotImplementedError, match="sockline.SSLContext"):
                sockline.connect(secure(url), proxy="https://localhost", proxy_ssl=context)
            with pytest.raises(NotImplementedError, match="sockline.SSLContext"):
                sockline.sync.client.connect(secure(url), ssl=context)

    run(main())


def test_the_protocols_of_a_context_are_offered(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with our_server(ssl=sockline.ServerTLS(*authority.pair(), alpn=["one", "other", "http/1.1"])) as url:
            for offered, agreed in ((None, "http/1.1"), (["other"], "other"), (["x", "http/1.1", "other"], "other")):
                context = ssl.create_default_context(cadata=authority.pem.decode())
                if offered is not None:
                    context.set_alpn_protocols(offered)
                async with sockline.connect(secure(url), ssl=context) as connection:
                    assert connection.tls_info is not None and connection.tls_info.alpn == agreed

    run(main())


def test_a_context_that_remembers_serves_both_roles(run: Run, authority: Authority, tmp_path: Path) -> None:
    """Client certificates are asked for by one side and shown by the other."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate, private_key = authority.pair()
    chain.write_bytes(certificate)
    key.write_bytes(private_key)
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "ca.pem").write_bytes(authority.pem)
    server_side = sockline.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(chain, key)
    server_side.verify_mode = ssl.CERT_REQUIRED
    server_side.load_verify_locations(capath=tmp_path / "ca")
    client_side = sockline.create_default_context(cadata=authority.pem.decode())
    subjects: list[str] = []

    async def handler(connection: sockline.ServerConnection) -> None:
        assert connection.tls_info is not None and connection.tls_info.peer_certificate is not None
        certificate = x509.load_der_x509_certificate(connection.tls_info.peer_certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        subjects.extend(names.value.get_values_for_type(x509.DNSName))

    async def main() -> None:
        async with our_server(handler, ssl=server_side) as url:
            with pytest.raises((OSError, sockline.WebSocketException)):
                async with sockline.connect(secure(url), ssl=client_side) as connection:
                    await connection.recv()
            client_side.load_cert_chain(chain, key)
            async with sockline.connect(secure(url), ssl=client_side) as connection:
                await connection.wait_closed()
            theirs = authority.foreign(ssl.Purpose.SERVER_AUTH)
            async with websockets.connect(secure(url), ssl=theirs) as other:
                await other.wait_closed()

    run(main())
    assert subjects == ["localhost"] * 2


def test_a_foreign_context_on_a_server_says_what_to_do(authority: Authority) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="ServerTLS"):
            sockline.serve(lambda ws: ws.wait_closed(), ssl=authority.foreign(ssl.Purpose.CLIENT_AUTH))
        with pytest.raises(ValueError, match="load_cert_chain"):
            sockline.serve(lambda ws: ws.wait_closed(), ssl=sockline.create_default_context(ssl.Purpose.CLIENT_AUTH))

    asyncio.run(main())


def test_certificates_are_chosen_by_name_and_replaced(run: Run, authority: Authority) -> None:
    other = authority.ca.issue_cert("*.other.test")
    tls = sockline.ServerTLS(*authority.pair(), more=[authority.pair(other)])

    async def shown(url: str, name: str) -> bytes:
        trusting = authority.client(server_name=name)
        async with sockline.connect(secure(url), ssl=trusting) as connection:
            assert connection.tls_info is not None and connection.tls_info.peer_certificate is not None
            return connection.tls_info.peer_certificate

    def der(certificate: trustme.LeafCert) -> bytes:
        return ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())

    async def main() -> None:
        async with our_server(ssl=tls) as url:
            assert await shown(url, "localhost") == der(authority.local)
            assert await shown(url, "any.other.test") == der(other)
            fresh = authority.ca.issue_cert("localhost")
            with pytest.raises(ValueError):
                tls.reload(b"no certificate", b"no key")
            assert await shown(url, "localhost") == der(authority.local)
            tls.reload(*authority.pair(fresh))
            assert await shown(url, "localhost") == der(fresh)

    run(main())


def test_pins_are_compared(run: Run, authority: Authority) -> None:
    certificate = x509.load_pem_x509_certificate(authority.pair()[0])
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = hashlib.sha256(public).digest()

    async def main() -> None:
        async with our_server(ssl=sockline.ServerTLS(*authority.pair())) as url:
            for right in (pin, "sha256//" + base64.b64encode(pin).decode()):
                await (await sockline.connect(secure(url), ssl=authority.client(pins=[right]))).close()
            with pytest.raises(ssl.SSLError, match="pins"):
                await sockline.connect(secure(url), ssl=authority.client(pins=[bytes(32)]))
        with pytest.raises(ValueError, match="32 bytes"):
            authority.client(pins=[b"short"])

    run(main())


def test_libcurl_speaks_with_our_server(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    server = sockline.WebSocketServer(
        "127.0.0.1",
        tls=sockline.ServerTLS(*authority.pair()),
        compression=True,
        onmessage=lambda ws, message: ws.send(message),
    )
    with curl_cffi.Session(verify=str(tmp_path / "ca.pem")) as session:
        ws = session.ws_connect(f"wss://localhost:{server.port}/")
        for size in (0, 1, 125, 126, 65535, 65536, 200_000):
            ws.send(b"x" * size, curl_cffi.CurlWsFlag.BINARY)
            received, _ = ws.recv()
            assert received == b"x" * size
        ws.close()
    server.close()


def test_the_callback_face_has_it_too(authority: Authority) -> None:
    done, failed = threading.Event(), threading.Event()
    seen: list[Any] = []
    server = sockline.WebSocketServer("127.0.0.1", tls=sockline.ServerTLS(*authority.pair()))

    def opened(ws: sockline.WebSocket) -> None:
        seen.append(ws.tls_info)
        ws.close()

    def note(event: threading.Event) -> Callable[..., None]:
        return lambda *_: event.set()

    url = f"wss://localhost:{server.port}"
    sockline.WebSocket(url, tls=authority.client(), onopen=opened, onclose=note(done))
    assert done.wait(WAIT)
    assert seen[0].cipher_suite.startswith("TLS_")
    errors: list[Any] = []
    sockline.WebSocket(url, onerror=lambda ws, error: errors.append(error), onclose=note(failed))
    assert failed.wait(WAIT)
    assert errors[0].code == "SOCKLINE_ERR_TLS" and "unknown authority" in errors[0].text
    server.close()
