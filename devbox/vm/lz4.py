"""Streams of LZ4 in the format that kernels are packed in ("legacy"). Pure.

The library reads blocks, and frames of the other format; the few words around these blocks are read here. All of it is
untrusted. Source: lz4_Frame_format.md of LZ4.
"""

from typing import Final

MAGIC: Final = b"\x02\x21\x4c\x18"
_BLOCK_MOST: Final = 8 << 20  # bytes that a block holds: the format has no larger ones


def unpacked(data: bytes, most: int) -> bytes:
    """Return what the stream holds; `ValueError` if it is damaged, or holds more than `most` bytes."""
    if not data.startswith(MAGIC):
        raise ValueError("no stream of LZ4")
    from lz4 import block  # lazy: who has no kernel to unpack need not load it

    found, at = bytearray(), len(MAGIC)
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if not size or at + 4 + size > len(data):
            raise ValueError("a damaged stream of LZ4")
        try:
            found += block.decompress(data[at + 4 : at + 4 + size], uncompressed_size=_BLOCK_MOST)
        except block.LZ4BlockError as error:
            raise ValueError("a damaged stream of LZ4") from error
        if len(found) > most:
            raise ValueError(f"a stream of LZ4 that holds more than {most} bytes")
        at += 4 + size
    return bytes(found)
