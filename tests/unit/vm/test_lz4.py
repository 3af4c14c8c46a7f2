"""Streams of LZ4, written out by hand after the page of the format."""

import struct

import pytest

from devbox.vm.lz4 import MAGIC, unpacked

MOST = 100_000


def stream(*blocks: bytes) -> bytes:
    return MAGIC + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


def sequence(literal: bytes, back: int = 0, repeat: int = 0) -> bytes:
    """Return a sequence as the format has it; the last of a block repeats nothing."""
    first, second = min(len(literal), 15), min(max(repeat - 4, 0), 15)
    made = bytes([first << 4 | second]) + more(len(literal)) + literal
    return made + (struct.pack("<H", back) + more(repeat - 4) if repeat else b"")


def more(length: int) -> bytes:
    if length < 15:
        return b""
    return b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (stream(), b""),
        (stream(sequence(b"abc")), b"abc"),
        (stream(sequence(b"x" * 15)), b"x" * 15),
        (stream(sequence(b"y" * 1000)), b"y" * 1000),
        (stream(sequence(b"abcd", 4, 4) + sequence(b"e")), b"abcdabcde"),
        (stream(sequence(b"abcdef", 5, 4) + sequence(b"")), b"abcdefbcde"),
        (stream(sequence(b"a", 1, 300) + sequence(b"b")), b"a" * 301 + b"b"),
        (stream(sequence(b"abc", 3, 7) + sequence(b"")), b"abcabcabca"),
        (stream(sequence(b"ab", 2, 19) + sequence(b"z")), (b"ab" * 11)[:21] + b"z"),
        (stream(sequence(b"one"), sequence(b"two")), b"onetwo"),
    ],
)
def test_a_stream_is_read(data: bytes, expected: bytes) -> None:
    assert unpacked(data, MOST) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04\x22\x4d\x18",
        stream(sequence(b"abc"))[:-1],
        stream(b""),
        MAGIC + b"\x01",
        stream(b"\xf0"),
        stream(b"\x50abc"),
        stream(sequence(b"abcd", 5, 4) + sequence(b"")),
        stream(sequence(b"abcd", 0, 4) + sequence(b"")),
        stream(b"\x40abcd\x01"),
        stream(sequence(b"one"), sequence(b"a", 3, 4) + sequence(b"")),
    ],
)
def test_a_damaged_stream_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="LZ4"):
        unpacked(data, MOST)


@pytest.mark.parametrize("size", [MOST, MOST + 1])
def test_no_more_comes_out_than_may(size: int) -> None:
    whole = stream(sequence(b"a", 1, size - 1) + sequence(b""))
    if size > MOST:
        with pytest.raises(ValueError, match="more than may be"):
            unpacked(whole, MOST)
    else:
        assert unpacked(whole, MOST) == b"a" * size
    with pytest.raises(ValueError, match="more than may be"):
        unpacked(stream(sequence(b"x" * 60_000), sequence(b"x" * 60_000)), MOST)
