"""The bundle as Java reads it."""

import base64
import hashlib
import struct

from devbox.build.truststore import truststore

ONE, OTHER = b"\x30\x03one", b"\x30\x05other" * 40


def pem(certificate: bytes, label: str = "CERTIFICATE") -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(certificate) + f"-----END {label}-----\n".encode()


def certificates(store: bytes) -> list[bytes]:
    """Read a store as Java does."""
    magic, version, count = struct.unpack_from(">III", store)
    assert (magic, version) == (0xFEEDFEED, 2)
    place, found = 12, []
    for _ in range(count):
        assert struct.unpack_from(">I", store, place) == (2,)
        (length,) = struct.unpack_from(">H", store, place + 4)
        place += 6 + length + 8
        assert store[place : place + 7] == b"\0\5X.509"
        (length,) = struct.unpack_from(">I", store, place + 7)
        found.append(store[place + 11 : place + 11 + length])
        place += 11 + length
    sealed = "changeit".encode("utf-16-be") + b"Mighty Aphrodite" + store[:place]
    assert store[place:] == hashlib.sha1(sealed).digest()
    return found


def test_each_certificate_of_a_bundle_is_in_the_store_once() -> None:
    bundle = b"# a comment\n" + pem(ONE) + b"between\n" + pem(OTHER, "TRUSTED CERTIFICATE") + pem(ONE)
    assert certificates(truststore(bundle)) == [ONE, OTHER]
    assert truststore(bundle) == truststore(bundle)


def test_what_is_no_certificate_is_left_out() -> None:
    assert certificates(truststore(pem(ONE, "PRIVATE KEY"))) == []
    assert certificates(truststore(b"-----BEGIN CERTIFICATE-----\n")) == []
