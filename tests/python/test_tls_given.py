"""Certificates that nobody has issued but themselves, as openssl makes them in one command, where they were given."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import websockets
from conftest import Run, foreign_server, our_server

import sockline

HERE = "subjectAltName=DNS:localhost,IP:127.0.0.1"
NO_AUTHORITY = "basicConstraints=critical,CA:FALSE"


class Own:
    """Certificate and key of one's own."""

    def __init__(self, folder: Path, *extensions: str) -> None:
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        options = [option for extension in extensions for option in ("-addext", extension)]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            + ["-subj", "/CN=localhost", *options, "-keyout", self.key, "-out", self.certificate],
            check=True,
            capture_output=True,
        )

    def serving(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return Own(tmp_path_factory.mktemp("own"), HERE)


def test_a_server_is_trusted_by_its_own_certificate(run: Run, own: Own) -> None:
    """As with OpenSSL, under which those of websockets are: however it is given."""

    async def main() -> None:
        async with foreign_server(ssl=own.serving()) as url:
            for url in (url.replace("ws:", "wss:"), url.replace("ws://127.0.0.1", "wss://localhost")):
                given: list[tuple[Any, Any]] = [(websockets, ssl.create_default_context(cafile=own.certificate))]
                given += [
                    (sockline, ssl.create_default_context(cafile=own.certificate)),
                    (sockline, sockline.create_default_context(cafile=own.certificate)),
                    (sockline, sockline.ClientTLS(ca=own.certificate)),
                    (sockline, sockline.ClientTLS(ca=own.certificate, platform_roots=False)),
                ]
                for package, wanted in given:
                    async with package.connect(url, ssl=wanted) as connection:
                        await connection.send("x")
                        assert await connection.recv() == "x"

    run(main())


def test_what_is_not_it_is_refused(run: Run, own: Own, tmp_path: Path) -> None:
    """Another name, and another certificate with the same one."""
    other = Own(tmp_path, HERE)

    async def main() -> None:
        async with foreign_server(ssl=own.serving()) as url:
            url = url.replace("ws://127.0.0.1", "wss://localhost")
            for package in (websockets, sockline):
                for trusted, name in ((own, "other.test"), (other, "localhost")):
                    context = ssl.create_default_context(cafile=trusted.certificate)
                    with pytest.raises(ssl.SSLCertVerificationError):
                        await package.connect(url, ssl=context, server_hostname=name)

    run(main())


def test_one_that_is_no_authority_s_is_not_lost(run: Run, tmp_path: Path) -> None:
    """A context of ssl's does not show it."""
    own = Own(tmp_path, HERE, NO_AUTHORITY)

    async def main() -> None:
        async with foreign_server(ssl=own.serving()) as url:
            url = url.replace("ws:", "wss:")
            with pytest.raises(NotImplementedError, match="sockline.SSLContext .*sockline.ClientTLS"):
                sockline.connect(url, ssl=ssl.create_default_context(cafile=own.certificate))
            text = own.certificate.read_text()
            for data in (text, ssl.PEM_cert_to_DER_cert(text) * 2):
                async with sockline.connect(url, ssl=sockline.create_default_context(cadata=data)):
                    pass
            async with sockline.connect(url, ssl=sockline.create_default_context(cafile=own.certificate)):
                pass

    run(main())


def test_a_client_is_let_in_by_its_own_certificate(own: Own) -> None:
    showing = ssl.create_default_context(cafile=own.certificate)
    showing.load_cert_chain(own.certificate, own.key)
    ours = sockline.create_default_context(cafile=own.certificate)
    ours.load_cert_chain(own.certificate, own.key)
    serving = sockline.ServerTLS(own.certificate, own.key, client_ca=own.certificate, require_client_certificate=True)

    async def main() -> None:
        async with our_server(ssl=serving) as url:
            url = url.replace("ws:", "wss:")
            clients: list[tuple[Any, Any]] = [(websockets, showing), (sockline, ours)]
            for package, context in clients:
                async with package.connect(url, ssl=context) as connection:
                    await connection.send("x")
                    assert await connection.recv() == "x"
            with pytest.raises((OSError, sockline.WebSocketException)):
                async with sockline.connect(url, ssl=sockline.create_default_context(cafile=own.certificate)) as connection:
                    await connection.recv()

    asyncio.run(main())
