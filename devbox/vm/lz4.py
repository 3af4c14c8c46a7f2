"""Streams of LZ4 in the format that kernels are packed in ("legacy"). Pure.

Python cannot read these, and a program for them is on few hosts; a kernel takes a few seconds, once. All of it is
untrusted. Sources: lz4_Frame_format.md and lz4_Block_format.md of LZ4.
"""

MAGIC = b"\x02\x21\x4c\x18"
_MORE = 15  # a length of this many goes on in the next bytes
_LEAST = 4  # bytes that are repeated at least


def unpacked(data: bytes, most: int) -> bytes:
    """Return what the stream holds; `ValueError` if it is damaged, or holds more than `most` bytes."""
    if not data.startswith(MAGIC):
        raise ValueError("no stream of LZ4")
    found, at = bytearray(), len(MAGIC)
    try:
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "little")
            if not size or at + 4 + size > len(data):
                raise ValueError("a damaged stream of LZ4")
            found += _block(data[at + 4 : at + 4 + size], most - len(found))
            at += 4 + size
    except IndexError as error:
        raise ValueError("a damaged stream of LZ4") from error
    return bytes(found)


def _block(data: bytes, most: int) -> bytearray:
    found, at, end = bytearray(), 0, len(data)
    while at < end:
        token = data[at]
        at += 1
        literal = token >> 4
        if literal == _MORE:
            literal, at = _length(data, at, literal)
        found += data[at : at + literal]
        at += literal
        if at >= end:  # the last sequence has nothing to repeat
            break
        back = data[at] | data[at + 1] << 8
        at += 2
        repeat = token & _MORE
        if repeat == _MORE:
            repeat, at = _length(data, at, repeat)
        repeat += _LEAST
        start = len(found) - back
        if start < 0 or not back or len(found) + repeat > most:
            raise ValueError("a damaged stream of LZ4, or more than may be")
        if back >= repeat:
            found += found[start : start + repeat]
        else:  # what is repeated reaches into itself
            found += (found[start:] * (repeat // back + 1))[:repeat]
    if at != end or len(found) > most:
        raise ValueError("a damaged stream of LZ4, or more than may be")
    return found


def _length(data: bytes, at: int, length: int) -> tuple[int, int]:
    """Return a length that goes on at `at`, and where it ends."""
    while True:
        byte = data[at]
        length, at = length + byte, at + 1
        if byte != 255:
            return length, at
