"""Certificates for the tests, made as they run: keys in a repository are found by scanners, and expire."""

import base64
import hashlib
import subprocess
from pathlib import Path


class Certificates:
    """A certification authority, and a certificate of its for localhost."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.certificate, self.key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        ca_key, request = folder / "ca.key", folder / "request.pem"
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl(*new, "-x509", "-days", "2", "-subj", "/CN=interop", "-keyout", ca_key, "-out", self.authority)
        self._openssl(*new, "-subj", "/CN=localhost", "-keyout", self.key, "-out", request)
        extensions = folder / "extensions"
        extensions.write_text("subjectAltName = DNS:localhost\n")
        signing = ["x509", "-req", "-days", "2", "-in", request, "-CA", self.authority, "-CAkey", ca_key]
        self._openssl(*signing, "-CAcreateserial", "-extfile", extensions, "-out", self.certificate)

    def pin(self) -> str:
        """What Chromium calls the server's key."""
        key = self._openssl("pkey", "-in", self.key, "-pubout", "-outform", "der")
        return base64.b64encode(hashlib.sha256(key).digest()).decode()

    def for_clients(self) -> dict[str, str]:
        """Variables that have a program trust the authority, whichever way it is told."""
        return {
            "TLS_AUTHORITY": str(self.authority),
            "NODE_EXTRA_CA_CERTS": str(self.authority),
            "SSL_CERT_FILE": str(self.authority),
            "CHROMIUM_FLAGS": f"--ignore-certificate-errors-spki-list={self.pin()}",
        }

    def for_servers(self) -> dict[str, str]:
        """Variables that have a program speak TLS with the certificate."""
        return {"TLS_CERTIFICATE": str(self.certificate), "TLS_KEY": str(self.key)}

    @staticmethod
    def _openssl(*arguments: str | Path) -> bytes:
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout
