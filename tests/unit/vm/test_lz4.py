"""Streams of LZ4 in the format of kernels: what the library packs block by block, and what is none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lz4 import block

from devbox.vm.lz4 import MAGIC, unpacked

MOST = 100_000


def stream(*blocks: bytes) -> bytes:
    return MAGIC + b"".join(struct.pack("<I", len(one)) + one for one in blocks)


def packed(data: bytes) -> bytes:
    found: bytes = block.compress(data, store_size=False)
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (stream(), b""),
        (stream(b"\x30abc"), b"abc"),  # written out by hand: three bytes that stand for themselves
        (stream(b"\xf0\x01" + b"x" * 16), b"x" * 16),
        (stream(b"\x30one", b"\x30two"), b"onetwo"),
    ],
)
def test_a_stream_is_read(data: bytes, expected: bytes) -> None:
    assert unpacked(data, MOST) == expected


@given(st.lists(st.binary(max_size=3000).map(lambda data: data * (1 + len(data) % 7)), max_size=4))
def test_what_was_packed_comes_out_as_it_was(pieces: list[bytes]) -> None:
    assert unpacked(stream(*(packed(one) for one in pieces)), MOST) == b"".join(pieces)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04\x22\x4d\x18",
        stream(b"\x30abc")[:-1],
        stream(b""),
        MAGIC + b"\x01",
        stream(b"\xf0"),
        stream(b"\x50abc"),
        stream(b"\x40abcd\x05\x00\x00"),
        stream(b"\x40abcd\x00\x00\x00"),
        stream(b"\x40abcd\x01"),
        stream(b"\x30one", b"\x10a\x03\x00\x00"),
    ],
)
def test_a_damaged_stream_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="LZ4"):
        unpacked(data, MOST)


@pytest.mark.parametrize("size", [MOST, MOST + 1])
def test_no_more_comes_out_than_may(size: int) -> None:
    whole = stream(packed(b"a" * size))
    if size > MOST:
        with pytest.raises(ValueError, match="more than 100000 bytes"):
            unpacked(whole, MOST)
    else:
        assert unpacked(whole, MOST) == b"a" * size
    with pytest.raises(ValueError, match="more than 100000 bytes"):
        unpacked(stream(*[packed(b"x" * 60_000)] * 2), MOST)


def test_a_block_is_no_larger_than_the_format_has_them() -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpacked(stream(packed(bytes((8 << 20) + 1))), 1 << 30)
