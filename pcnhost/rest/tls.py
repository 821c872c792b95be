"""TLS with mutual authentication: who may talk to the server is decided by client certificates."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from pcnhost.config import ConfigError, Tls


def server_context(tls: Tls) -> ssl.SSLContext:
    """A context that only accepts clients with a certificate. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(tls.cert, tls.key)
        if tls.cacert:
            context.load_verify_locations(tls.cacert)
        if tls.cert_whitelist:
            # A listed certificate is trusted by itself, whoever signed it.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            for certificate in certificates(tls.cert_whitelist):
                context.load_verify_locations(cadata=certificate)
    except OSError as e:
        raise ConfigError(f"cannot set up TLS: {e}") from None
    return context


class ClientFilter:
    """The part of the decision that chains of trust cannot express."""

    def __init__(self, tls: Tls) -> None:
        self._allowed = frozenset(certificates(tls.cert_whitelist)) if tls.cert_whitelist else None
        self._banned = frozenset(certificates(tls.cert_blacklist)) if tls.cert_blacklist else frozenset()

    def admits(self, certificate: bytes | None) -> bool:
        """Whether a client with this certificate (DER), already verified, may go on."""
        if certificate is None or certificate in self._banned:
            return False
        return self._allowed is None or certificate in self._allowed


def certificates(path: Path) -> Iterator[bytes]:
    """The certificates (DER) of a PEM file, or of all PEM files in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text(errors="replace")
        while (start := text.find(_BEGIN)) >= 0:
            end = text.find(_END, start) + len(_END)
            if end < len(_END):
                raise ConfigError(f"{file}: a certificate without an end")
            yield ssl.PEM_cert_to_DER_cert(text[start:end])
            text = text[end:]


_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
