"""A CA bundle as Java reads it: a key store of the type JKS. Pure.

Java reads no PEM. This is what `keytool -importcert` writes for each certificate, in a millisecond and without a JDK.
"""

import binascii
import hashlib
import re
import struct

_MAGIC, _VERSION, _CERTIFICATE = 0xFEEDFEED, 2, 2
_PASSWORD = "changeit"  # Java's own; the store holds nothing secret
_PEM = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END")


def truststore(bundle: bytes) -> bytes:
    """Return the certificates of a PEM bundle as a store; the same bytes for the same bundle."""
    found = list(dict.fromkeys(binascii.a2b_base64(body) for body in _PEM.findall(bundle)))
    body = struct.pack(">III", _MAGIC, _VERSION, len(found))
    body += b"".join(_entry(number, certificate) for number, certificate in enumerate(found))
    seal = hashlib.sha1(_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body, usedforsecurity=False)
    return body + seal.digest()


def _entry(number: int, certificate: bytes) -> bytes:
    """A trusted certificate, made at the beginning of 1970."""
    head = struct.pack(">I", _CERTIFICATE) + _text(f"devbox-{number}") + struct.pack(">Q", 0)
    return head + _text("X.509") + struct.pack(">I", len(certificate)) + certificate


def _text(words: str) -> bytes:
    return struct.pack(">H", len(words)) + words.encode("ascii")
